//! Runs init and samples on one guest at deployment, the way events are run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::call::Call;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Response};
use crate::pool::{Keep, Lease, Pool};
use crate::report::{Outcome, Start};
use crate::wasm::guest::Guest;
use crate::wasm::recipe::Recipe;
use crate::wasm::sandbox::Sandbox;
use crate::wasm::snapshot::Studio;
use crate::wasm::vault::Found;

/// Names what init is made for when there is no sample.
const INIT: &str = "init";

/// One program with room for one guest.
pub(super) struct Stage<'a> {
    studio: &'a Studio<'a>,
    sandbox: Arc<Sandbox>,
}

/// A guest whose init and samples have run.
pub(super) struct Rehearsed<'a> {
    pub(super) lease: Lease<'a, Box<Guest>>,
    pub(super) init: Option<Duration>,
    pub(super) answers: Vec<Response>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(studio: &'a Studio<'a>, found: Found) -> Result<Self, Error> {
        let keep = Keep { max_uses: 1, idle_timeout: Duration::ZERO, most: 1, prepared: 0 };
        let pool = Pool::new(Arc::clone(studio.keeper), keep, studio.vault.engines.shards());
        let recipe = Recipe { grants: studio.stand_ins.clone(), ..studio.recipe.clone() };
        let surroundings = (studio.surroundings)(&found)?;
        let (vault, facts) = (Arc::clone(studio.vault), Arc::clone(&studio.facts));
        let mapped = match &found.mapped {
            Some(mapped) => mapped.clone(),
            // Now, as its time is not the guest's.
            None => (found.program.map(studio.vault, &studio.facts.name, studio.lane)?, studio.lane),
        };
        let sandbox = Arc::new(Sandbox::new(vault, found, recipe, facts, (surroundings, pool)));
        sandbox.adopt(Some(mapped));
        Ok(Self { studio, sandbox })
    }

    /// Makes a guest, and runs its init and then all samples on it; the first that fails is the error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future discards the guest and gives its place back.
    pub(super) async fn rehearse(&self) -> Result<Rehearsed<'_>, Error> {
        let (samples, lane) = (self.studio.samples, self.studio.lane);
        let mut call = self.call(samples.first());
        let opened = self.sandbox.open(&mut call, lane).await;
        let mut lease = match opened {
            Ok(lease) => lease,
            Err(kind) => return Err(conclude(call, Err(kind)).expect_err("it was an error")),
        };
        let (init, mut answers) = (call.report.init, Vec::new());
        let mut first = Some(call);
        for sample in samples {
            let mut call = first.take().unwrap_or_else(|| self.again(sample));
            let timing = (Instant::now(), lane);
            let (ended, ..) =
                self.sandbox.serve(lease.guest(), &mut call, sample.clone().into(), None, timing).await;
            answers.push(conclude(call, ended)?);
        }
        Ok(Rehearsed { lease, init, answers })
    }

    fn call(&self, sample: Option<&Event>) -> Call {
        let id = sample.map_or_else(|| INIT.into(), Event::shared_id);
        let mut call = Call::new(Context::new(), Instant::now(), id, Arc::clone(&self.studio.facts));
        call.report.bytes_in = sample.map_or(0, |sample| sample.body().len() as u64);
        call
    }

    fn again(&self, sample: &Event) -> Call {
        let mut call = self.call(Some(sample));
        call.report.start = Some(Start::Reused);
        call
    }
}

/// Puts the report to what came of a call.
fn conclude(call: Call, ended: Result<Response, ErrorKind>) -> Result<Response, Error> {
    let mut report = call.report;
    report.total = call.arrived.elapsed();
    match ended {
        Ok(mut response) => {
            report.bytes_out = report.bytes_out.max(response.bytes().len() as u64);
            response.set_report(report);
            Ok(response)
        }
        Err(kind) => {
            report.outcome = Outcome::Error(kind.name());
            Err(Error::with_report(kind, report))
        }
    }
}
