//! A folder of files that are written once and believed only when they verify.
//!
//! A [`Cache`] promises that what [`find`](Cache::find) answers is, byte for byte, what somebody once gave to
//! [`keep`](Cache::keep) under that key: the whole file is hashed through the descriptor that is handed out.
//! Files appear whole or not at all, are never changed in place, and only ever unlinked, so whoever has one
//! mapped keeps it. Several processes may share a folder. What is damaged, cut, foreign or under a wrong name is
//! removed and counts as absent. It holds no more than its bound, but for what is [pinned](Cache::pin).
//!
//! It does not defend against who may write to the folder: that is this process's user and nobody else, or the
//! folder is refused. It does not know what the files hold.

mod entry;
mod folder;
mod key;
mod pins;
mod sweep;

use std::path::Path;

use parking_lot::Mutex;

pub(crate) use self::entry::{Entry, pack, unpack};
use self::folder::Folder;
pub(crate) use self::key::Key;
pub(crate) use self::pins::Pin;
use self::pins::Pins;

/// A folder of files that are written once and believed only when they verify.
pub(crate) struct Cache {
    folder: Folder,
    bound: u64,
    /// The size of all files, once it was needed; only an estimate, as others may write too.
    size: Mutex<Option<u64>>,
    pins: Pins,
}

impl Cache {
    /// Opens the folder, made if it is not there; refused with the reason when others may write to it.
    pub(crate) fn open(dir: &Path, bound: u64) -> Result<Self, String> {
        Ok(Self { folder: Folder::open(dir)?, bound, size: Mutex::default(), pins: Pins::default() })
    }

    /// Returns the entry of this key, verified whole.
    pub(crate) fn find(&self, key: &Key) -> Option<Entry> {
        let name = key.to_string();
        let file = self.folder.file(&name)?;
        let read = file.and_then(|file| Entry::read(file, key));
        let reason = match read {
            Ok(entry) => {
                self.folder.touch(entry.file());
                return Some(entry);
            }
            Err(reason) => reason,
        };
        tracing::warn!(file = name, %reason, "a file of the cache folder cannot be used; it is made again");
        self.folder.remove(&name);
        None
    }

    /// Keeps an entry; when it returns well, the file is whole and on disk.
    pub(crate) fn keep(&self, key: &Key, body: &[u8], note: &[u8]) -> std::io::Result<()> {
        let tail = entry::tail(key, body, note);
        self.make_room(tail.len() as u64 + body.len() as u64);
        self.folder.write(&key.to_string(), &[body, &tail])
    }

    /// Keeps what may be there already.
    pub(crate) fn keep_once(&self, key: &Key, body: &[u8]) -> std::io::Result<()> {
        if self.folder.file(&key.to_string()).is_some_and(|file| file.is_ok()) {
            return Ok(());
        }
        self.keep(key, body, b"")
    }

    /// Keeps the key's file from being evicted by this process.
    pub(crate) fn pin(self: &std::sync::Arc<Self>, key: Key) -> Pin {
        Pin::new(self, key)
    }
}

#[cfg(test)]
mod tests;
