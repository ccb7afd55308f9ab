//! The path of one request into a guest that serves several at once.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use crate::body::Writer;
use crate::call::Call;
use crate::clock::Cut;
use crate::error::{ErrorKind, Phase};
use crate::event::{Input, Response};
use crate::pool::{Seat, Tenant};
use crate::report::Start;
use crate::wasm::contract::http::{self, Visit};
use crate::wasm::crowd::{Crowds, Joined};
use crate::wasm::sandbox::Sandbox;

impl Sandbox {
    /// Serves one of several requests of one guest.
    pub(in crate::wasm) async fn call_in_crowd(
        self: &Arc<Self>,
        crowds: &Crowds,
        call: &mut Call,
        (input, sink): (Input, Option<Writer>),
        lane: usize,
    ) -> Result<Response, ErrorKind> {
        let request = http::to_request(input)?;
        let tenant = call.context.tenant_key().clone();
        let joined = match crowds.join(&tenant, lane) {
            Some(joined) => self.await_guest(call, joined).await?,
            None => None,
        };
        let (joined, now) = match joined {
            Some(joined) => {
                call.report.start = Some(Start::Reused);
                (joined, call.start())
            }
            None => self.found(crowds, call, (&tenant, lane)).await?,
        };
        let deadline = call.deadline(now, self.recipe.limits.timeout);
        if let Some(sink) = &sink {
            sink.set_deadline(deadline);
        }
        let written = sink.as_ref().map(Writer::written);
        let limit = self.recipe.limits.response;
        let visit = |crowd, id| Visit::new(request, (sink, limit), deadline, (crowd, id));
        let ended = self.surroundings.face.race(deadline, pin!(joined.visit(visit))).await;
        call.report.handler = now.elapsed();
        call.report.bytes_out = written.map_or(0, |written| written.bytes());
        match ended {
            // Who ended it may have been nobody but the clock.
            Ok(Err(ErrorKind::Trapped { .. })) if Instant::now() >= deadline => {
                Err(call.timed_out(Phase::Handler, now, deadline))
            }
            Ok(answer) => answer,
            Err(Cut::Cancelled) => Err(ErrorKind::ShuttingDown),
            Err(Cut::Deadline) => Err(call.timed_out(Phase::Handler, now, deadline)),
        }
    }

    /// Waits for the guest that somebody else brings, as long as that one may take; none if none comes.
    async fn await_guest(&self, call: &mut Call, joined: Joined) -> Result<Option<Joined>, ErrorKind> {
        if joined.is_open() {
            return Ok(Some(joined));
        }
        call.waited = true;
        let limits = &self.recipe.limits;
        let deadline = call.deadline(call.arrived, limits.queue_timeout.saturating_add(limits.init_timeout));
        let waited = self.surroundings.face.race(deadline, pin!(joined.opened())).await;
        match waited {
            Ok(comes) => Ok(comes.then_some(joined)),
            Err(Cut::Cancelled) => Err(ErrorKind::ShuttingDown),
            Err(Cut::Deadline) => Err(call.timed_out(Phase::Queue, call.arrived, deadline)),
        }
    }

    /// Takes a guest of the tenant into a crowd of its own, or makes one, for which others may wait.
    async fn found(
        self: &Arc<Self>,
        crowds: &Crowds,
        call: &mut Call,
        (tenant, lane): (&Tenant, usize),
    ) -> Result<(Joined, Instant), ErrorKind> {
        let need = self.need();
        let (founder, seat) = match self.pool.try_checkout(tenant, lane, need) {
            Some(seat @ (Seat::Taken(_) | Seat::Prepared(_))) => (None, seat),
            seat => {
                let founder = crowds.found((tenant, lane), 0)?;
                let seat = match seat {
                    Some(seat) => seat,
                    None => self.seat(call, lane, need).await?,
                };
                (Some(founder), seat)
            }
        };
        let started = call.start();
        let (lease, now) = match seat {
            Seat::Taken(lease) => {
                call.report.start = Some(Start::Reused);
                (lease, started)
            }
            Seat::Prepared(lease) => {
                call.report.start = Some(Start::Prepared);
                (lease, started)
            }
            Seat::Empty(vacancy) => self.fill(vacancy, call, started, lane).await?,
        };
        let carried = lease.carry().ok_or(ErrorKind::ShuttingDown)?;
        // One that was kept may have fewer uses left than there are who wait for a new one.
        let founder = match founder.filter(|_| carried.uses() == 0) {
            Some(founder) => founder,
            None => crowds.found((tenant, lane), carried.uses())?,
        };
        Ok((founder.open(self, carried)?, now))
    }
}
