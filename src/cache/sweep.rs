//! Keeps the folder within its bound.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cache::Cache;
use crate::cache::folder::{Listed, UNFINISHED};

/// A file that is unfinished for so long has no writer any more.
const ABANDONED: Duration = Duration::from_secs(3600);

/// How full the folder is; only an estimate, as others may write too.
#[derive(Default)]
pub(super) struct Filled {
    /// None until it was looked at.
    size: Option<u64>,
    /// Looking again makes no sense below this.
    again: u64,
}

impl Cache {
    /// Removes what was used longest ago, until so many more bytes fit.
    pub(super) fn make_room(&self, more: u64) {
        let mut filled = self.filled.lock();
        let size = filled.size.unwrap_or_else(|| self.sweep(u64::MAX)).saturating_add(more);
        filled.size = Some(size);
        if size > self.bound.max(filled.again) {
            // A tenth more than needed, so that the folder is not read for each file.
            let target = (self.bound - self.bound / 10).saturating_sub(more);
            let left = self.sweep(target).saturating_add(more);
            // What is pinned may be more than the bound all by itself.
            (filled.size, filled.again) = (Some(left), left.saturating_add(left / 10));
        }
    }

    /// Removes abandoned files, and then those used longest ago until the rest has this size; answers it.
    ///
    /// What this process has pinned stays.
    fn sweep(&self, target: u64) -> u64 {
        let (unfinished, mut files): (Vec<Listed>, Vec<Listed>) =
            self.folder.list().into_iter().partition(|file| file.name.starts_with(UNFINISHED));
        let dead = nanos(SystemTime::now()) - ABANDONED.as_nanos() as i128;
        for file in unfinished.iter().filter(|file| file.used < dead) {
            self.folder.remove(&file.name);
        }
        let mut size = files.iter().map(|file| file.size).sum();
        if size <= target {
            return size;
        }
        files.sort_unstable_by_key(|file| file.used);
        let pinned = self.pins.names();
        for file in files.iter().filter(|file| !pinned.contains(&file.name)) {
            if size <= target {
                break;
            }
            self.folder.remove(&file.name);
            size = size.saturating_sub(file.size);
        }
        size
    }
}

fn nanos(time: SystemTime) -> i128 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128)
}
