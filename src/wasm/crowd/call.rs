//! The path of one request into a guest that serves several at once.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use crate::body::Writer;
use crate::call::Call;
use crate::clock::Cut;
use crate::error::{ErrorKind, Phase};
use crate::event::{Input, Response};
use crate::pool::{Lease, Seat, Tenant};
use crate::report::Start;
use crate::wasm::contract::http::{self, Visit};
use crate::wasm::crowd::Crowds;
use crate::wasm::guest::Guest;
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
        let (joined, now) = match crowds.join(&tenant, lane) {
            Some(joined) => {
                call.report.start = Some(Start::Reused);
                (joined, call.start())
            }
            None => {
                let (lease, now) = self.lease(call, &tenant, lane).await?;
                let carried = lease.carry().ok_or(ErrorKind::ShuttingDown)?;
                (crowds.start(self, carried, (&tenant, lane))?, now)
            }
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

    /// Takes a guest of the tenant, or makes one.
    async fn lease<'a>(
        self: &'a Arc<Self>,
        call: &mut Call,
        tenant: &Tenant,
        lane: usize,
    ) -> Result<(Lease<'a, Box<Guest>>, Instant), ErrorKind> {
        let need = self.need();
        let seat = match self.pool.try_checkout(tenant, lane, need) {
            Some(seat) => seat,
            None => self.seat(call, lane, need).await?,
        };
        let started = call.start();
        let (start, lease) = match seat {
            Seat::Taken(lease) => (Start::Reused, lease),
            Seat::Prepared(lease) => (Start::Prepared, lease),
            Seat::Empty(vacancy) => return self.fill(vacancy, call, started, lane).await,
        };
        call.report.start = Some(start);
        Ok((lease, started))
    }
}
