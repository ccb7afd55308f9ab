//! Makes a function's guests before their events come.

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::admission::Amount;
use crate::block_on::block_on;
use crate::clock::Cut;
use crate::context::Context;
use crate::error::{ErrorKind, Phase};
use crate::pool::Factory;
use crate::wasm::fault::Fault;
use crate::wasm::guest::{Guest, Occasion, Unmade};
use crate::wasm::sandbox::Sandbox;

/// Stands for a time-out beyond what the clock can count.
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Makes guests for nobody's event: start code and init have run when one comes.
pub(crate) struct Preparation {
    function: String,
    /// The pool owns this, and the sandbox the pool.
    sandbox: Weak<Sandbox>,
    /// The host's own async runtime, for what init asks of the host.
    host: Option<Handle>,
}

impl Preparation {
    /// Made where the function is deployed, which is where the host's async runtime is found.
    pub(crate) fn new(sandbox: &Arc<Sandbox>) -> Self {
        Self {
            function: sandbox.function().into(),
            sandbox: Arc::downgrade(sandbox),
            host: if sandbox.has_grants() { Handle::try_current().ok() } else { None },
        }
    }
}

impl Factory<Box<Guest>> for Preparation {
    fn function(&self) -> &str {
        &self.function
    }

    fn need(&self) -> Amount {
        self.sandbox.upgrade().map_or_else(Amount::default, |sandbox| sandbox.need())
    }

    fn make(&self, lane: usize, granted: Amount) -> Result<(Box<Guest>, Amount), ErrorKind> {
        let sandbox = self.sandbox.upgrade().ok_or(ErrorKind::ShuttingDown)?;
        let (started, limit) = (Instant::now(), sandbox.init_timeout());
        let deadline = started.checked_add(limit).unwrap_or_else(|| started + FAR);
        let linked = block_on(sandbox.linked(lane, deadline)).map_err(|cut| cut_off(cut, limit))??;
        let context = Context::new();
        let occasion =
            Occasion { context: &context, host: self.host.clone(), granted: granted.pages(), deadline };
        let making = pin!(Guest::make(&linked, occasion));
        let ended = block_on(sandbox.watch(lane, deadline).run(started, making));
        let fault = match ended.output {
            Ok(Ok((mut guest, _))) => {
                let used = sandbox.settle(&mut guest, granted);
                return Ok((guest, used));
            }
            Ok(Err(Unmade { fault, .. })) => fault,
            Err(cut) => Fault::Cut(cut),
        };
        Err(match fault {
            Fault::Kind(kind) => kind,
            Fault::Cut(cut) => cut_off(cut, limit),
        })
    }
}

fn cut_off(cut: Cut, limit: Duration) -> ErrorKind {
    match cut {
        Cut::Cancelled => ErrorKind::ShuttingDown,
        Cut::Deadline => ErrorKind::TimedOut { phase: Phase::Init, limit },
    }
}
