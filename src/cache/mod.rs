//! A folder of files that are written once and believed only when they verify.
//!
//! A [`Cache`] promises that what [`find`](Cache::find) answers is, byte for byte, what somebody once gave to
//! [`keep`](Cache::keep) under that key: the whole file is hashed through the descriptor that is handed out.
//! Files appear whole or not at all, are never changed in place, and only ever unlinked, so whoever has one
//! mapped keeps it. Several processes may share a folder. What is damaged, cut, foreign or under a wrong name is
//! removed and counts as absent; what merely cannot be read now stays. It holds no more than its bound, but for what
//! is [pinned](Cache::pin).
//!
//! It does not defend against who may write to the folder: that is this process's user and nobody else, or the
//! folder is refused. It does not know what the files hold.

mod entry;
mod folder;
mod key;
mod pins;
mod sweep;

use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

pub(crate) use self::entry::{Entry, pack, unpack};
use self::folder::Folder;
pub(crate) use self::key::Key;
pub(crate) use self::pins::Pin;
use self::pins::Pins;
use self::sweep::Filled;

/// Why a file is not used.
#[derive(Debug)]
enum Unfit {
    /// The system does not let it be read now.
    Unread(io::Error),
    /// It is not what it should be.
    Wrong(String),
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        Self::Unread(error)
    }
}

impl From<&str> for Unfit {
    fn from(reason: &str) -> Self {
        Self::Wrong(reason.into())
    }
}

/// A folder of files that are written once and believed only when they verify.
pub(crate) struct Cache {
    folder: Folder,
    bound: u64,
    filled: Mutex<Filled>,
    pins: Pins,
}

impl Cache {
    /// Opens the folder, made if it is not there; refused with the reason when others may write to it.
    pub(crate) fn open(dir: &Path, bound: u64) -> Result<Self, String> {
        Ok(Self { folder: Folder::open(dir)?, bound, filled: Mutex::default(), pins: Pins::default() })
    }

    /// Returns the entry of this key, verified whole; none if it is not there, or was not fit to be believed.
    ///
    /// # Errors
    ///
    /// When the system does not let it be read now, which says nothing of the file.
    pub(crate) fn find(&self, key: &Key) -> io::Result<Option<Entry>> {
        let name = key.to_string();
        let read = match self.folder.file(&name) {
            Ok(None) => return Ok(None),
            Ok(Some(file)) => Entry::read(file, key),
            Err(unfit) => Err(unfit),
        };
        match read {
            Ok(entry) => {
                self.folder.touch(entry.file());
                Ok(Some(entry))
            }
            Err(Unfit::Unread(error)) => Err(error),
            Err(Unfit::Wrong(reason)) => {
                tracing::warn!(file = name, %reason, "a file of the cache folder is not believed; it is made again");
                self.folder.remove(&name);
                Ok(None)
            }
        }
    }

    /// Keeps an entry; when it returns well, the file is whole and on disk.
    pub(crate) fn keep(&self, key: &Key, body: &[u8], note: &[u8]) -> io::Result<()> {
        let tail = entry::tail(key, body, note);
        self.make_room(tail.len() as u64 + body.len() as u64);
        self.folder.write(&key.to_string(), &[body, &tail])
    }

    /// Keeps what may be there already, and counts it as used now.
    pub(crate) fn keep_once(&self, key: &Key, body: &[u8]) -> io::Result<()> {
        match self.folder.file(&key.to_string()) {
            Ok(Some(file)) => {
                self.folder.touch(&file);
                Ok(())
            }
            Ok(None) | Err(Unfit::Wrong(_)) => self.keep(key, body, b""),
            Err(Unfit::Unread(error)) => Err(error),
        }
    }

    /// Keeps the key's file from being evicted by this process.
    pub(crate) fn pin(self: &Arc<Self>, key: Key) -> Pin {
        Pin::new(self, key)
    }
}

#[cfg(test)]
mod tests;
