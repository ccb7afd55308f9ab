//! The file below the store: it counts syncs, and may make them slow.

use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use redb::{BackendError, StorageBackend};

/// Watches the disk of an embedded broker; for measurements.
#[derive(Clone, Debug, Default)]
pub struct Probe(Arc<Watched>);

#[derive(Debug, Default)]
struct Watched {
    syncs: AtomicU64,
    /// In microseconds.
    delay: AtomicU64,
}

impl Probe {
    /// Returns how often something was made safe.
    pub fn syncs(&self) -> u64 {
        self.0.syncs.load(Relaxed)
    }

    /// Makes each sync take longer; none unless set.
    pub fn delay(&self, time: Duration) {
        self.0.delay.store(time.as_micros() as u64, Relaxed);
    }
}

/// A file, or what a test takes for one.
#[derive(Debug)]
pub(super) struct Disk {
    ground: Box<dyn StorageBackend>,
    probe: Probe,
}

impl Disk {
    pub(super) fn new(ground: Box<dyn StorageBackend>, probe: Probe) -> Self {
        Self { ground, probe }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.ground.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.ground.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.ground.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.probe.0.syncs.fetch_add(1, Relaxed);
        let delay = self.probe.0.delay.load(Relaxed);
        if delay > 0 {
            thread::sleep(Duration::from_micros(delay));
        }
        self.ground.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.ground.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.ground.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.ground.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.ground.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.ground.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.ground.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.ground.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.ground.query_lock_range(start, end)
    }
}
