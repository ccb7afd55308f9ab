//! Which broker a runtime has.

#[cfg(feature = "embedded")]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "embedded")]
use crate::broker::embedded::{Embedded, Probe};
#[cfg(feature = "nats")]
use crate::broker::nats::{Cluster, Nats};
use crate::broker::{Bounds, Memory, Store};
use crate::error::Error;
#[cfg(feature = "embedded")]
use crate::error::ErrorKind;
use crate::wall::Wall;

/// Where a runtime keeps submitted events until they are done.
///
/// ```
/// use fnhost::{Broker, Runtime};
///
/// let runtime = Runtime::builder().broker(Broker::memory().max_events(10_000)).build()?;
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a broker does nothing until a runtime has it"]
pub struct Broker {
    kind: Kind,
    bounds: Bounds,
}

#[derive(Clone, Debug)]
enum Kind {
    Memory,
    #[cfg(feature = "embedded")]
    Embedded {
        folder: PathBuf,
        probe: Probe,
    },
    #[cfg(feature = "nats")]
    Nats(Nats),
}

impl Broker {
    /// Keeps events in memory: they are lost with the process. What a runtime has unless told otherwise.
    pub fn memory() -> Self {
        let bounds = Bounds { events: 100_000, bytes: 256 << 20, ..Bounds::default() };
        Self { kind: Kind::Memory, bounds }
    }

    /// Keeps events in a folder of this machine: what was submitted is on disk, and there again after a crash.
    ///
    /// The folder is made if it is not there, with mode 700; one that belongs to another user, or that others may
    /// reach, is refused. It belongs to one runtime at a time: while one has it, any other, in this process or
    /// another, gets an error. Submissions that come together are made safe together.
    ///
    /// ```
    /// use fnhost::{Broker, Runtime};
    ///
    /// # let folder = std::env::temp_dir().join(format!("fnhost-doc-broker-{}", std::process::id()));
    /// let runtime = Runtime::builder().broker(Broker::embedded(&folder)).build()?;
    /// # drop(runtime);
    /// # let _ = std::fs::remove_dir_all(&folder);
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    #[cfg(feature = "embedded")]
    pub fn embedded(folder: impl Into<PathBuf>) -> Self {
        let kind = Kind::Embedded { folder: folder.into(), probe: Probe::default() };
        Self { kind, bounds: Bounds::default() }
    }

    /// Watches the disk of an embedded broker; for measurements.
    #[cfg(feature = "embedded")]
    #[doc(hidden)]
    pub fn probe(mut self, watching: &Probe) -> Self {
        if let Kind::Embedded { probe, .. } = &mut self.kind {
            *probe = watching.clone();
        }
        self
    }

    /// Keeps events on NATS servers with JetStream, shared with every runtime that is given the same.
    ///
    /// Building the runtime connects to them, and fails if they do not answer; later it connects again by itself. The
    /// bounds are looked at by each runtime on its own, so several may pass them together by a little.
    ///
    /// ```no_run
    /// use fnhost::{Broker, Runtime};
    ///
    /// let runtime = Runtime::builder().broker(Broker::nats("nats://127.0.0.1:4222")).build()?;
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    #[cfg(feature = "nats")]
    pub fn nats(servers: impl Into<Nats>) -> Self {
        Self { kind: Kind::Nats(servers.into()), bounds: Bounds::default() }
    }

    /// Sets how many events it keeps, dead letters too; 100,000 in memory, a million elsewhere unless set.
    pub fn max_events(mut self, events: u64) -> Self {
        self.bounds.events = events;
        self
    }

    /// Sets how many bytes of events it keeps; 256 MiB in memory, 4 GiB elsewhere unless set.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.bounds.bytes = bytes;
        self
    }

    /// Sets how long it is known what became of an event that is done; an hour unless set.
    pub fn remember(mut self, time: Duration) -> Self {
        self.bounds.remember = time;
        self
    }

    pub(crate) fn open(self, wall: Wall) -> Result<Arc<dyn Store>, Error> {
        if self.bounds.events == 0 || self.bounds.bytes == 0 {
            return Err(Error::configuration(
                "a broker that may keep nothing; give at least 1 event and 1 byte",
            ));
        }
        match self.kind {
            Kind::Memory => Ok(Memory::new(wall, self.bounds)),
            #[cfg(feature = "embedded")]
            Kind::Embedded { folder, probe } => match Embedded::open(&folder, wall, self.bounds, probe) {
                Ok(store) => Ok(store),
                Err(reason) => Err(ErrorKind::Broker { reason }.into()),
            },
            #[cfg(feature = "nats")]
            Kind::Nats(servers) => Ok(Cluster::open(servers, self.bounds, wall)?),
        }
    }
}
