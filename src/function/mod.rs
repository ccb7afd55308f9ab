//! What is deployed: code and policies.

mod code;
mod delivery;
#[cfg(feature = "http")]
mod outbound;
mod precompiled;
mod start;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::code::IntoCode;
#[cfg(feature = "http")]
pub use self::outbound::OutboundLimits;
pub use self::start::Init;
pub(crate) use self::start::Start;
use crate::admission::Amount;
use crate::context::Context;
use crate::delivery::Policy;
use crate::error::{Error, Failure};
use crate::event::{Event, Response};
use crate::invoke::native::Native;
use crate::limits::{Limits, PAGE};
use crate::pool::Keep;
use crate::registry::check_name;
use crate::wasm::{Contract, Dir, Recipe};

/// Each event holds some of the resources that one sandbox may have.
const MOST_IN_FLIGHT: u32 = 100;

/// What is deployed: code, limits and policies.
///
/// Every setter has a default that suits most functions; `deploy` checks all of them at once.
///
/// ```
/// use std::time::Duration;
/// use fnhost::{Function, Isolation};
///
/// let function = Function::wasm("resize", "(module)")
///     .memory(64 << 20)
///     .timeout(Duration::from_secs(2))
///     .env("QUALITY", "80")
///     .isolation(Isolation::Fresh)
///     .concurrency(32);
/// assert_eq!(function.name(), "resize");
/// ```
#[must_use = "a function does nothing until it is deployed"]
pub struct Function {
    pub(crate) name: String,
    pub(crate) version: Option<u64>,
    pub(crate) source: Source,
    pub(crate) recipe: Recipe,
    pub(crate) isolation: Isolation,
    pub(crate) idle_timeout: Duration,
    pub(crate) concurrency: u32,
    pub(crate) prepared: u32,
    pub(crate) queue: usize,
    pub(crate) start: Start,
    pub(crate) policy: Policy,
    /// What is wrong with what guests may reach.
    #[cfg(feature = "http")]
    outbound_fault: Option<String>,
}

/// Where a function's code comes from.
pub(crate) enum Source {
    Code(Bytes),
    File(PathBuf),
    /// What [`precompile`](crate::precompile) answered.
    Precompiled(Bytes),
    Native(Native),
}

/// What a sandbox may carry from one event to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isolation {
    /// A new sandbox for each event; nothing survives.
    #[default]
    Fresh,
    /// A sandbox serves up to so many events of one tenant, one after another, and its state survives.
    Reuse {
        /// How many events one sandbox serves; at least 1.
        max_uses: u64,
    },
    /// A sandbox serves several events of one tenant at once, and its state survives; for components that export
    /// `wasi:http/handler@0.3` alone.
    ///
    /// What one event does to the sandbox, all in it feel: a trap ends them all, and one that spins holds the others
    /// up. A deadline ends only its own event; the sandbox then takes no more and ends with the last one.
    Concurrent {
        /// How many events one sandbox serves at once; 1 to 100.
        max_in_flight: u32,
        /// How many events one sandbox serves in all; at least 2.
        max_uses: u64,
    },
}

/// What a guest may do with a granted folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Read what is there.
    Read,
    /// Read, write, create and remove.
    Write,
}

impl Function {
    /// Takes a component or a core module, binary or text; which contract it speaks is found out from the code.
    pub fn wasm(name: impl Into<String>, code: impl IntoCode) -> Self {
        Self::new(name.into(), Source::Code(code.into_code()))
    }

    /// Takes the code from a file, read when the function is deployed.
    pub fn wasm_file(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self::new(name.into(), Source::File(path.into()))
    }

    /// Takes a handler in Rust, for tests and trusted glue; it is no sandbox.
    ///
    /// A deadline drops its future at an await; code that blocks, blocks its thread. What it needs of the runtime it
    /// holds as a [`Handler`](crate::Handler), [`Queue`](crate::Queue) or [`Topic`](crate::Topic): a
    /// [`Runtime`](crate::Runtime) in it would keep itself alive.
    ///
    /// ```
    /// use fnhost::{Context, Event, Function, Response};
    ///
    /// let shout = Function::native("shout", async |event: Event, _: Context| {
    ///     Ok(Response::from_text(event.body_text()?.to_uppercase()))
    /// });
    /// # drop(shout);
    /// ```
    pub fn native<F, R>(name: impl Into<String>, handler: F) -> Self
    where
        F: Fn(Event, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response, Failure>> + Send + 'static,
    {
        Self::new(name.into(), Source::Native(Native::new(handler)))
    }

    fn new(name: String, source: Source) -> Self {
        Self {
            name,
            version: None,
            source,
            recipe: Recipe { event_variables: true, ..Recipe::default() },
            isolation: Isolation::Fresh,
            idle_timeout: Duration::from_secs(60),
            concurrency: 100,
            prepared: 0,
            queue: 1_000,
            start: Start::new(),
            policy: Policy::default(),
            #[cfg(feature = "http")]
            outbound_fault: None,
        }
    }

    /// Returns the function's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the version's number; the next one unless set.
    pub fn version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets what a sandbox may carry from one event to the next; [`Isolation::Fresh`] unless set.
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.recipe.max_in_flight = match isolation {
            Isolation::Concurrent { max_in_flight, max_uses } => Some((max_in_flight, max_uses)),
            Isolation::Fresh | Isolation::Reuse { .. } => None,
        };
        self.isolation = isolation;
        self
    }

    /// Sets how long a reused sandbox may stand idle, and how long prepared ones wait for an event; 60 seconds
    /// unless set.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets how many events may run at once; 100 unless set. It is a cap, not a reservation.
    pub fn concurrency(mut self, most: u32) -> Self {
        self.concurrency = most;
        self
    }

    /// Sets how many new sandboxes stand ready, each for one event; 0 unless set, at most `concurrency`.
    ///
    /// They are made in the background, their init included, from when the function is deployed (which does not
    /// wait for them) until no event has come for `idle_timeout`; the next event has them made again. An event that
    /// finds none makes its own. Under [`Isolation::Reuse`] sandboxes that are kept for their tenant count too. Each
    /// takes its places and memory, and makes way when another event waits for them. Init sees no tenant and no
    /// attributes, as there is no event yet.
    pub fn prepared(mut self, sandboxes: u32) -> Self {
        self.prepared = sandboxes;
        self
    }

    /// Sets how many events may wait for a permit; 1,000 unless set. One more is throttled at once.
    pub fn queue(mut self, most: usize) -> Self {
        self.queue = most;
        self
    }

    /// Sets how much linear memory one sandbox may have, summed over its memories, in bytes; 128 MiB unless set.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.recipe.limits.memory = bytes;
        self
    }

    /// Sets how many elements one table may have; 20,000 unless set, and at most what the runtime allows.
    pub fn table_elements(mut self, most: u32) -> Self {
        self.recipe.limits.table_elements = most;
        self
    }

    /// Sets the time that the handler may take; 3 seconds unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.recipe.limits.timeout = timeout;
        self
    }

    /// Sets the time that making a sandbox and its init may take; 10 seconds unless set.
    pub fn init_timeout(mut self, timeout: Duration) -> Self {
        self.recipe.limits.init_timeout = timeout;
        self
    }

    /// Sets the time that an event may wait to start; 30 seconds unless set.
    pub fn queue_timeout(mut self, timeout: Duration) -> Self {
        self.recipe.limits.queue_timeout = timeout;
        self
    }

    /// Sets how large the body of an event may be, in bytes; 6 MiB unless set.
    pub fn max_event(mut self, bytes: u64) -> Self {
        self.recipe.limits.event = bytes;
        self
    }

    /// Sets how large the body of a response may be, in bytes; 6 MiB unless set.
    pub fn max_response(mut self, bytes: u64) -> Self {
        self.recipe.limits.response = bytes;
        self
    }

    /// Sets how much of its log is kept and told for one event, in bytes; 256 KiB unless set.
    pub fn max_log(mut self, bytes: u64) -> Self {
        self.recipe.limits.log = bytes;
        self
    }

    /// Sets how large the code may be, in bytes; 64 MiB unless set.
    pub fn max_code(mut self, bytes: u64) -> Self {
        self.recipe.limits.code = bytes;
        self
    }

    /// Sets how much a sandbox may hand to the host in one call, in bytes; the response limit and 1 MiB more
    /// unless set.
    pub fn max_host_call(mut self, bytes: u64) -> Self {
        self.recipe.limits.host_call = Some(bytes);
        self
    }

    /// Sets the fuel for one event; unlimited unless set. It needs a runtime with fuel switched on.
    pub fn fuel(mut self, limit: u64) -> Self {
        self.recipe.limits.fuel = Some(limit);
        self
    }

    /// Adds an argument; the first one that the code sees is always the function's name.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.recipe.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.recipe.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable of the sandbox; there is none unless set, and none of the host's ever.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        self.recipe.env.retain(|(known, _)| *known != name);
        self.recipe.env.push((name, value));
        self
    }

    /// Grants a folder of the host under a path that the guest sees; none unless granted.
    pub fn dir(mut self, host: impl Into<PathBuf>, guest: impl Into<String>, access: Access) -> Self {
        let writable = access == Access::Write;
        self.recipe.dirs.push(Dir { host: host.into(), guest: guest.into(), writable });
        self
    }

    /// Says whether a command gets its event's attributes as variables (`CE_*`, `FNHOST_*`); true unless set.
    pub fn event_variables(mut self, given: bool) -> Self {
        self.recipe.event_variables = given;
        self
    }

    /// Names an export to be run as init, in place of the contract's own.
    pub fn init_export(mut self, export: impl Into<String>) -> Self {
        self.recipe.init_export = Some(export.into());
        self
    }

    /// Grants a function of the host under a name: bytes in, bytes out.
    ///
    /// It runs under the event's deadline, at which its future is dropped, and under the host's own async runtime. The
    /// last one of a name holds. A command cannot call it. As in [`native`](Self::native), it holds a `Handler`,
    /// `Queue` or `Topic` and no `Runtime`.
    ///
    /// ```
    /// use fnhost::{Bytes, Context, Function};
    ///
    /// let function = Function::wasm("plugin", "(module)")
    ///     .grant("reverse", async |body: Bytes, _: Context| Ok(body.iter().rev().copied().collect()));
    /// # drop(function);
    /// ```
    pub fn grant<F, R>(mut self, name: impl Into<String>, function: F) -> Self
    where
        F: Fn(Bytes, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Bytes, Failure>> + Send + 'static,
    {
        self.recipe.grants.grant(name.into(), function);
        self
    }

    /// Grants a function of the host that reads and answers JSON.
    ///
    /// ```
    /// use fnhost::{Context, Function};
    ///
    /// let function = Function::wasm("plugin", "(module)")
    ///     .grant_json("price.lookup", async |sku: String, _: Context| Ok(sku.len() * 100));
    /// # drop(function);
    /// ```
    pub fn grant_json<I, O, F, R>(mut self, name: impl Into<String>, function: F) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
        F: Fn(I, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, Failure>> + Send + 'static,
    {
        self.recipe.grants.grant_json(name.into(), function);
        self
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.recipe.limits
    }

    pub(crate) fn keep(&self) -> Keep {
        let max_uses = match self.isolation {
            Isolation::Fresh => 1,
            Isolation::Reuse { max_uses } | Isolation::Concurrent { max_uses, .. } => max_uses,
        };
        let (most, prepared) = (self.concurrency as usize, self.prepared as usize);
        Keep { max_uses, idle_timeout: self.idle_timeout, most, prepared }
    }

    /// Checks everything that can be known before the code is.
    pub(crate) fn check(&self, fuel: bool, table_elements: u32) -> Result<(), Error> {
        check_name(&self.name)?;
        let limits = self.limits();
        let zero = [
            (self.version == Some(0), "version", "versions count from 1"),
            (self.concurrency == 0, "concurrency", "give at least 1"),
            (self.keep().max_uses == 0, "max_uses", "give at least 1"),
            (limits.timeout.is_zero(), "timeout", "give some time"),
            (limits.init_timeout.is_zero(), "init_timeout", "give some time"),
            (
                self.prepared > 0 && self.idle_timeout.is_zero(),
                "idle_timeout",
                "prepared sandboxes wait that long for an event; give some time",
            ),
            (limits.memory < PAGE, "memory", "give at least one page, 65,536 bytes"),
        ];
        if let Some((_, setting, advice)) = zero.iter().find(|(wrong, ..)| *wrong) {
            return Err(Error::configuration(format!("{setting} of {:?} is too small; {advice}", self.name)));
        }
        self.policy.check().map_err(|reason| Error::configuration(format!("{:?}: {reason}", self.name)))?;
        if limits.fuel.is_some() && !fuel {
            let reason = "a fuel limit needs a runtime that meters fuel; build it with `.fuel(true)`";
            return Err(Error::configuration(reason));
        }
        if self.prepared > 0 && matches!(self.source, Source::Native(_)) {
            let reason = format!("{:?} is native and has no sandbox; leave `prepared` out", self.name);
            return Err(Error::configuration(reason));
        }
        if self.prepared > self.concurrency {
            return Err(Error::configuration(format!(
                "prepared of {:?} is {}, its concurrency {}; prepare no more than may run, or raise `concurrency`",
                self.name, self.prepared, self.concurrency
            )));
        }
        if limits.table_elements > table_elements {
            return Err(Error::configuration(format!(
                "table_elements of {:?} is {}, the runtime allows {table_elements}; raise it on the runtime's builder",
                self.name, limits.table_elements
            )));
        }
        #[cfg(feature = "http")]
        self.check_outbound()?;
        self.check_start()?;
        self.check_variables()?;
        self.check_dirs()
    }

    /// Checks what depends on what the code turned out to be.
    pub(crate) fn check_contract(&self, contract: Contract, is_concurrent: bool) -> Result<(), Error> {
        if let Isolation::Concurrent { max_in_flight, max_uses } = self.isolation {
            if contract != Contract::Http || !is_concurrent {
                return Err(Error::configuration(format!(
                    "{:?} speaks the contract {contract}, and only components that export wasi:http/handler@0.3 can \
                     serve several events at once; use `Isolation::Reuse`",
                    self.name
                )));
            }
            if !(1..=MOST_IN_FLIGHT).contains(&max_in_flight) || max_uses < 2 {
                return Err(Error::configuration(format!(
                    "max_in_flight of {:?} is {max_in_flight} and max_uses {max_uses}; give 1 to {MOST_IN_FLIGHT}, and at \
                     least 2",
                    self.name
                )));
            }
            if self.limits().fuel.is_some() {
                return Err(Error::configuration(format!(
                    "fuel of {:?} cannot be told apart by event in a sandbox that serves several; leave it out or use \
                     `Isolation::Reuse`",
                    self.name
                )));
            }
        }
        if contract == Contract::Command && self.keep().max_uses > 1 {
            return Err(Error::configuration(format!(
                "{:?} is a command, which runs once; use `Isolation::Fresh`",
                self.name
            )));
        }
        if contract == Contract::Command && !self.recipe.grants.is_empty() {
            return Err(Error::configuration(format!(
                "{:?} is a command, which cannot call granted functions; leave `grant` out or use another contract",
                self.name
            )));
        }
        self.check_samples(contract)
    }

    /// Checks that all sandboxes that are to stand ready can.
    pub(crate) fn check_prepared(&self, need: Amount, total: Amount) -> Result<(), Error> {
        let most = total.units() / need.units().max(1);
        if self.prepared <= most {
            return Ok(());
        }
        Err(Error::configuration(format!(
            "prepared of {:?} is {}, but the runtime has {} places and each sandbox takes {}; prepare at most {most}, \
             or raise `places` of the runtime",
            self.name,
            self.prepared,
            total.units(),
            need.units()
        )))
    }

    fn check_variables(&self) -> Result<(), Error> {
        let wrong = |text: &String| text.contains('\0');
        for (name, value) in &self.recipe.env {
            if name.is_empty() || name.contains('=') || wrong(name) || wrong(value) {
                let reason = format!(
                    "variable {name:?} is refused; a name is not empty, and has no = and no zero byte"
                );
                return Err(Error::configuration(reason));
            }
        }
        match self.recipe.args.iter().find(|arg| wrong(arg)) {
            Some(arg) => {
                Err(Error::configuration(format!("argument {arg:?} is refused; take the zero byte out")))
            }
            None => Ok(()),
        }
    }

    fn check_dirs(&self) -> Result<(), Error> {
        for dir in &self.recipe.dirs {
            if !dir.host.is_dir() {
                let reason = format!(
                    "granted folder {} is not there; create it or correct the path",
                    dir.host.display()
                );
                return Err(Error::configuration(reason));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("isolation", &self.isolation)
            .field("concurrency", &self.concurrency)
            .field("limits", self.limits())
            .finish_non_exhaustive()
    }
}
