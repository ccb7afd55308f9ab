//! Where a function's sandboxes start: with init, from a snapshot, after samples.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Failure, Payload};
use crate::event::Event;
use crate::function::{Function, Source};
use crate::host::Grants;
use crate::wasm::Contract;

/// When a function's init runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Init {
    /// Once, and each sandbox starts with the memory that it left: when the function is deployed, or before, if the
    /// cache folder has a snapshot of the same code, settings and samples.
    #[default]
    Snapshot,
    /// Once for each deployment, whatever the cache folder has.
    Anew,
    /// In each new sandbox, before its first event.
    PerGuest,
}

/// Where a function's sandboxes start.
pub(crate) struct Start {
    pub(crate) init: Init,
    pub(crate) samples: Vec<Event>,
    pub(crate) stand_ins: Grants,
}

impl Start {
    pub(super) fn new() -> Self {
        Self { init: Init::Snapshot, samples: Vec::new(), stand_ins: Grants::stand_ins() }
    }
}

impl Function {
    /// Says when init runs; [`Init::Snapshot`] unless set.
    ///
    /// A snapshot keeps for ever what init read: variables, the time, random seeds, secrets. Where none can be
    /// taken, init runs in each sandbox, and [`Deployed::snapshot`](crate::Deployed::snapshot) says why.
    ///
    /// ```
    /// use fnhost::{Function, Init};
    ///
    /// let function = Function::wasm("session", "(module)").init(Init::PerGuest);
    /// # drop(function);
    /// ```
    pub fn init(mut self, init: Init) -> Self {
        self.start.init = init;
        self
    }

    /// Adds a sample event, which is run when the function is deployed; none unless added.
    ///
    /// The snapshot is taken after the samples, in their order, so that each sandbox starts with its engine warm. What
    /// a sample leaves in memory is in every sandbox's start. Its answer is in
    /// [`Deployed::warm_ups`](crate::Deployed::warm_ups); a sample that fails, fails the deployment.
    ///
    /// ```
    /// use fnhost::{Event, Function};
    ///
    /// let function = Function::wasm("resize", "(module)").warm_up(Event::bytes("image.uploaded", "a small one"));
    /// # drop(function);
    /// ```
    pub fn warm_up(mut self, sample: Event) -> Self {
        self.start.samples.push(sample);
        self
    }

    /// Stands in for a granted function while init and samples run at deployment; without it, they are denied it.
    ///
    /// ```
    /// use fnhost::{Bytes, Context, Function};
    ///
    /// let function = Function::wasm("plugin", "(module)")
    ///     .grant("count", async |_: Bytes, _: Context| Ok("one more".into()))
    ///     .stand_in("count", async |_: Bytes, _: Context| Ok("not counted".into()));
    /// # drop(function);
    /// ```
    pub fn stand_in<F, R>(mut self, name: impl Into<String>, function: F) -> Self
    where
        F: Fn(Bytes, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Bytes, Failure>> + Send + 'static,
    {
        self.start.stand_ins.grant(name.into(), function);
        self
    }

    /// Stands in for a granted function that reads and answers JSON; see [`stand_in`](Self::stand_in).
    ///
    /// ```
    /// use fnhost::{Context, Function};
    ///
    /// let function = Function::wasm("plugin", "(module)")
    ///     .stand_in_json("price.lookup", async |_: String, _: Context| Ok(100));
    /// # drop(function);
    /// ```
    pub fn stand_in_json<I, O, F, R>(mut self, name: impl Into<String>, function: F) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
        F: Fn(I, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, Failure>> + Send + 'static,
    {
        self.start.stand_ins.grant_json(name.into(), function);
        self
    }

    /// Checks what can be known of init and samples before the code is.
    pub(super) fn check_start(&self) -> Result<(), Error> {
        if self.start.samples.is_empty() {
            return Ok(());
        }
        if matches!(self.source, Source::Native(_)) {
            let reason = format!("{:?} is native and has no sandbox to warm; leave `warm_up` out", self.name);
            return Err(Error::configuration(reason));
        }
        if matches!(self.source, Source::Precompiled(_)) {
            return Err(Error::configuration(format!(
                "{:?} has samples, and a snapshot of them needs its source; leave `warm_up` out, or deploy the source \
                 with a cache folder",
                self.name
            )));
        }
        if self.start.init == Init::PerGuest {
            return Err(Error::configuration(format!(
                "{:?} has samples, which need a snapshot, and `Init::PerGuest`, which forbids one; leave one of \
                 `warm_up` and `init` out",
                self.name
            )));
        }
        let limit = self.limits().event;
        for sample in &self.start.samples {
            sample.check()?;
            let size = sample.body().len() as u64;
            if size > limit {
                return Err(ErrorKind::PayloadTooLarge { what: Payload::Event, limit, size }.into());
            }
        }
        Ok(())
    }

    /// Checks what the contract says of samples.
    pub(super) fn check_samples(&self, contract: Contract) -> Result<(), Error> {
        if contract == Contract::Command && self.start.samples.len() > 1 {
            let reason =
                format!("{:?} is a command, which runs once; give it one `warm_up` at most", self.name);
            return Err(Error::configuration(reason));
        }
        Ok(())
    }
}
