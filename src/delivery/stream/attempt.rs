//! Tries the records of a batch until each is done or given up.

use std::sync::Arc;

use crate::context::{Context, RequestId};
use crate::delivery::Death;
use crate::delivery::batch::{self, Body, Verdicts};
use crate::delivery::deliver::is_end;
use crate::delivery::retry::{Fault, fault_in, fault_of};
use crate::delivery::stream::checkpoint::Checkpoint;
use crate::delivery::stream::reader::{Left, Reader};
use crate::delivery::stream::record::Record;
use crate::delivery::stream::trial::{After, Failure, Trial};
use crate::error::Error;
use crate::event::{Event, Response};

impl Reader {
    /// Has the records of a batch done or given up, in order; the checkpoint follows.
    pub(super) async fn work_off(&self, records: Vec<Record>, place: &mut Checkpoint) -> Result<(), Left> {
        // The last ones first.
        let mut trials = vec![Trial::new(records)];
        while let Some(mut trial) = trials.pop() {
            if let Some(death) = trial.records.first().and_then(|record| record.death) {
                self.give_up(trial, death, place).await?;
                continue;
            }
            self.wait_for(&mut trial, place).await?;
            if trial.records.is_empty() {
                continue;
            }
            match self.attempt(&trial).await? {
                None => self.advance(place, trial.end()).await?,
                Some(failure) => trials.extend(self.fail(trial, failure, place).await?),
            }
        }
        Ok(())
    }

    /// Waits until a trial is due; what will be too old then is given up at once.
    async fn wait_for(&self, trial: &mut Trial, place: &mut Checkpoint) -> Result<(), Left> {
        let wall = &self.delivery.wall;
        if let Some(aged) = trial.cut_aged(&self.consumer, trial.due.max(wall.now())) {
            self.give_up(aged, Death::EventAgeExceeded, place).await?;
        }
        if trial.records.is_empty() {
            return Ok(());
        }
        self.stop.or(wall.until(trial.due)).await?;
        // It may have become later than it should.
        if let Some(aged) = trial.cut_aged(&self.consumer, wall.now()) {
            self.give_up(aged, Death::EventAgeExceeded, place).await?;
        }
        Ok(())
    }

    /// Returns what is to be tried next, the last ones first.
    async fn fail(
        &self,
        mut trial: Trial,
        failure: Failure,
        place: &mut Checkpoint,
    ) -> Result<Vec<Trial>, Left> {
        if let Some(named) = failure.named {
            trial.done_before(named);
            self.advance(place, trial.records[0].sequence).await?;
        }
        let (now, random) = (self.delivery.wall.now(), self.delivery.random());
        let After { given_up, again } = trial.after(failure, &self.consumer, now, random);
        if let Some((trial, death)) = given_up {
            self.give_up(trial, death, place).await?;
        }
        Ok(again)
    }

    /// Sends the records to the function; answers why that was no success.
    async fn attempt(&self, trial: &Trial) -> Result<Option<Failure>, Left> {
        let room = Arc::clone(&self.delivery.room);
        let permit = self.stop.or(room.acquire_owned()).await?;
        let running = (self.delivery.load.run(), permit);
        let Some(host) = self.delivery.host().filter(|_| self.is_served()) else {
            return Err(Left::Unserved);
        };
        let answered = host.invoke(&self.consumer.target, context_of(trial), self.event_of(trial)).await;
        drop(running);
        match answered {
            Ok(response) => Ok(self.judge(trial, &response)),
            Err(error) if is_end(&error) => Err(Left::Cancelled),
            Err(error) => Ok(Some(failure_of(&error))),
        }
    }

    fn event_of(&self, trial: &Trial) -> Event {
        // They were chosen to fit.
        let mut body = Body::new(usize::MAX);
        for record in &trial.records {
            body.add_json(&record.json);
        }
        body.into_event(&format!("/fnhost/stream/{}", self.journal.name()))
    }

    fn judge(&self, trial: &Trial, response: &Response) -> Option<Failure> {
        let (fault, named, kind, message) = match fault_in(response) {
            Some((fault, said)) => (fault, None, "http-status", said),
            None if !self.consumer.batch.partial => return None,
            None => match batch::read(response.bytes(), |_| true) {
                Verdicts::AllDone => return None,
                Verdicts::Failed(identifiers) => {
                    let named = trial.lowest(&identifiers)?;
                    (Fault::Function, Some(named), "batch-item-failure", "named in batchItemFailures".into())
                }
                Verdicts::AllFailed(reason) => (Fault::Function, None, "invalid-answer", reason),
            },
        };
        let report = Some(response.report().clone());
        Some(Failure { fault, retry_after: None, named, kind, message, report })
    }
}

fn failure_of(error: &Error) -> Failure {
    Failure {
        fault: fault_of(error),
        retry_after: error.retry_after(),
        named: None,
        kind: error.kind().name(),
        message: error.to_string(),
        report: error.report().cloned(),
    }
}

fn context_of(trial: &Trial) -> Context {
    let context = Context::of_attempt(RequestId::new(), trial.attempts + 1, trial.lineage());
    match trial.tenant() {
        Some(tenant) => context.with_tenant(tenant),
        None => context,
    }
}
