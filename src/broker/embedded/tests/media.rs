//! What a test takes for a disk: it can lose power, be full, and fail to make safe what it was given.

use std::io;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;
use redb::{BackendError, StorageBackend};

/// A disk in memory; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Media(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    /// What is there for sure.
    safe: Vec<u8>,
    now: Vec<u8>,
    /// What was written since the last sync.
    pending: Vec<Change>,
    /// After how many steps the power fails.
    power: Option<u64>,
    is_full: bool,
    failing_syncs: u32,
}

#[derive(Debug)]
enum Change {
    Len(usize),
    Write(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Len(len) => bytes.resize(*len, 0),
            Self::Write(at, data) => write(bytes, *at, data),
        }
    }
}

fn write(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    let end = at + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at..end].copy_from_slice(data);
}

/// Numbers that look random, the same for each seed.
#[derive(Clone)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

impl Media {
    /// Has the power fail after so many steps.
    pub(super) fn lose_power_after(&self, steps: u64) {
        self.0.lock().power = Some(steps);
    }

    pub(super) fn has_power(&self) -> bool {
        self.0.lock().power != Some(0)
    }

    pub(super) fn fill(&self, is_full: bool) {
        self.0.lock().is_full = is_full;
    }

    pub(super) fn fail_syncs(&self, count: u32) {
        self.0.lock().failing_syncs = count;
    }

    /// Returns the disk as it is after the power came back: of what was not safe, each sector may have arrived or not.
    pub(super) fn after_power_cut(&self, dice: &mut Dice) -> Self {
        let disk = self.0.lock();
        let mut bytes = disk.safe.clone();
        let lost_of_hundred = [0, 1, 12, 50, 100][dice.below(5) as usize];
        for change in &disk.pending {
            match change {
                Change::Len(len) => bytes.resize((*len).max(bytes.len()), 0),
                Change::Write(at, data) => {
                    for (nth, sector) in data.chunks(512).enumerate() {
                        if dice.below(100) >= lost_of_hundred {
                            write(&mut bytes, at + nth * 512, sector);
                        }
                    }
                }
            }
        }
        Self(Arc::new(Mutex::new(Disk { safe: bytes.clone(), now: bytes, ..Disk::default() })))
    }

    /// Returns a disk with what is there for sure.
    pub(super) fn safe_copy(&self) -> Self {
        let safe = self.0.lock().safe.clone();
        Self(Arc::new(Mutex::new(Disk { now: safe.clone(), safe, ..Disk::default() })))
    }
}

impl Disk {
    fn step(&mut self) -> io::Result<()> {
        match &mut self.power {
            Some(0) => return Err(io::Error::other("no power")),
            Some(steps) => *steps -= 1,
            None => {}
        }
        Ok(())
    }

    fn take(&mut self, change: Change) -> io::Result<()> {
        self.step()?;
        if self.is_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        change.apply(&mut self.now);
        self.pending.push(change);
        Ok(())
    }
}

impl StorageBackend for Media {
    fn len(&self) -> io::Result<u64> {
        let disk = self.0.lock();
        if disk.power == Some(0) { Err(io::Error::other("no power")) } else { Ok(disk.now.len() as u64) }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (disk, at) = (self.0.lock(), offset as usize);
        let bytes = disk.now.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().take(Change::Len(len as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.step()?;
        if disk.failing_syncs > 0 {
            disk.failing_syncs -= 1;
            return Err(io::Error::other("sync failed"));
        }
        let pending = std::mem::take(&mut disk.pending);
        pending.iter().for_each(|change| change.apply(&mut disk.safe));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.lock().take(Change::Write(offset as usize, data.to_vec()))
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}
