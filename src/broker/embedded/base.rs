//! The database, and how it is opened again after the disk refused something.

use std::path::{Path, PathBuf};

use parking_lot::{Mutex, RwLock};
use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageBackend, WriteTransaction};

use crate::broker::Trouble;
use crate::broker::embedded::disk::{Disk, Probe};
use crate::broker::embedded::folder;
use crate::broker::embedded::tables::{
    CHANNELS, CURRENT, DEAD, ENDED, FORMAT, GROUP, ITEMS, KEYED, MESSAGES, META, ONCE, READY, SHARDS, TRIES,
    VALUES,
};

/// What is kept of the file in memory.
const CACHE: usize = 32 << 20;

/// What opens the file anew; why it cannot, with what to do.
pub(super) type Ground = Box<dyn Fn() -> Result<Box<dyn StorageBackend>, String> + Send + Sync>;

/// The database, while it is open.
pub(super) struct Base {
    path: PathBuf,
    /// None once it is closed, as it holds the folder.
    ground: Mutex<Option<Ground>>,
    probe: Probe,
    open: RwLock<Open>,
    /// What the disk refused last.
    last: Mutex<String>,
}

enum Open {
    Yes(Database),
    /// The disk refuses; it is tried again.
    Trouble(String),
    Closed,
}

impl Base {
    pub(super) fn open(path: &Path, ground: Ground, probe: Probe) -> Result<Self, String> {
        let open = RwLock::new(Open::Trouble(String::new()));
        let base =
            Self { path: path.into(), ground: Mutex::new(Some(ground)), probe, open, last: Mutex::default() };
        base.reopen()?;
        Ok(base)
    }

    /// Drops the database and opens it again, as it answers nothing more once the disk refused something.
    pub(super) fn reopen(&self) -> Result<(), String> {
        let mut open = self.open.write();
        // The file is let go before it is opened again.
        *open = Open::Trouble(String::new());
        match self.database() {
            Ok(database) => {
                *open = Open::Yes(database);
                Ok(())
            }
            Err(reason) => {
                *open = Open::Trouble(reason.clone());
                Err(reason)
            }
        }
    }

    fn database(&self) -> Result<Database, String> {
        let ground = self.ground.lock();
        let open = ground.as_ref().ok_or("the broker is closed")?;
        let disk = Disk::new(open()?, self.probe.clone());
        let mut builder = redb::Builder::new();
        builder.set_cache_size(CACHE);
        let database = builder.create_with_backend(disk).map_err(|error| self.cannot_open(&error))?;
        self.make_tables(&database)?;
        Ok(database)
    }

    fn cannot_open(&self, error: &DatabaseError) -> String {
        let path = &self.path;
        match error {
            DatabaseError::DatabaseAlreadyOpen => folder::in_use(path),
            DatabaseError::UpgradeRequired(version) => format!(
                "file {path:?} has format {version}, which this version does not read; use the version that \
                 wrote it, or another folder"
            ),
            _ => format!(
                "file {path:?} cannot be opened: {error}; make room on its disk, or move the file away if \
                 it is damaged"
            ),
        }
    }

    fn make_tables(&self, database: &Database) -> Result<(), String> {
        let format = database.begin_read().map_err(redb::Error::from).and_then(|txn| format_of(&txn));
        match format.map_err(|error| self.says(&error))? {
            Some(CURRENT) => return Ok(()),
            Some(other) => {
                return Err(format!(
                    "file {:?} has tables of version {other}, this version reads {CURRENT}; use the version \
                     that wrote it, or another folder",
                    self.path
                ));
            }
            None => {}
        }
        let made = database.begin_write().map_err(redb::Error::from).and_then(make);
        made.map_err(|error| self.says(&error))
    }

    fn says(&self, error: &redb::Error) -> String {
        format!("file {:?}: {error}; make room on its disk, or check the disk", self.path)
    }

    /// Reads what was committed last; while the file is opened again, nobody waits for that.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, Trouble> {
        let Some(open) = self.open.try_read() else { return Err(self.last_refusal()) };
        match &*open {
            Open::Yes(database) => {
                let answer = database.begin_read().map_err(redb::Error::from).and_then(|txn| read(&txn));
                answer.map_err(|error| Trouble::Failed(self.says(&error)))
            }
            Open::Trouble(reason) => Err(Trouble::Failed(reason.clone())),
            Open::Closed => Err(Trouble::Closed),
        }
    }

    /// Writes all or nothing, and returns when it is safe.
    pub(super) fn write(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), String> {
        let written = self.try_write(write);
        if let Err(reason) = &written {
            self.last.lock().clone_from(reason);
        }
        written
    }

    /// Tells why a write was refused.
    pub(super) fn refusal(&self) -> Trouble {
        match self.open.try_read().as_deref() {
            Some(Open::Closed) => Trouble::Closed,
            Some(Open::Yes(_) | Open::Trouble(_)) | None => self.last_refusal(),
        }
    }

    fn last_refusal(&self) -> Trouble {
        Trouble::Failed(self.last.lock().clone())
    }

    fn try_write(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), String> {
        match &*self.open.read() {
            Open::Yes(database) => {
                let begun = database.begin_write().map_err(redb::Error::from);
                let written = begun.and_then(|txn| {
                    write(&txn)?;
                    Ok(txn.commit()?)
                });
                written.map_err(|error| self.says(&error))
            }
            Open::Trouble(reason) => Err(reason.clone()),
            Open::Closed => Err("the broker is closed".into()),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(&*self.open.read(), Open::Yes(_))
    }

    /// Returns the group that was committed last.
    pub(super) fn group(&self) -> Result<u64, Trouble> {
        self.read(|txn| Ok(txn.open_table(META)?.get(GROUP)?.map_or(0, |group| group.value())))
    }

    pub(super) fn close(&self) {
        let open = std::mem::replace(&mut *self.open.write(), Open::Closed);
        // It takes its time, and who asks meanwhile is to hear that it is closed.
        drop(open);
        *self.ground.lock() = None;
    }
}

fn format_of(txn: &ReadTransaction) -> Result<Option<u64>, redb::Error> {
    match txn.open_table(META) {
        Ok(meta) => Ok(meta.get(FORMAT)?.map(|format| format.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn make(txn: WriteTransaction) -> Result<(), redb::Error> {
    txn.open_table(MESSAGES)?;
    txn.open_table(TRIES)?;
    txn.open_table(READY)?;
    txn.open_table(KEYED)?;
    txn.open_table(DEAD)?;
    txn.open_table(ENDED)?;
    txn.open_table(ONCE)?;
    txn.open_table(CHANNELS)?;
    txn.open_table(SHARDS)?;
    txn.open_table(ITEMS)?;
    txn.open_table(VALUES)?;
    txn.open_table(META)?.insert(FORMAT, CURRENT)?;
    Ok(txn.commit()?)
}
