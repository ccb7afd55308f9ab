//! Keeps messages in one file of a folder.
//!
//! It promises that what [`put`](Store::put) acknowledged is on disk, and there again after the process was killed or the
//! power failed: whole, or, if it was not acknowledged, perhaps not at all. One thread commits what waits as one group with one
//! sync. Verdicts are answered before they are on disk and go there within milliseconds; when they are lost, the message is handed
//! out again. Leases are kept in memory alone: whoever opens the folder again finds everything waiting that was neither
//! done nor dead.
//!
//! When the disk refuses, who waits hears why; the file is opened again and finds what it had, and goes on when there is room.
//! What was refused is not kept. A folder belongs to one process's store at a time, and to one user.
//!
//! What it takes in memory does not grow with what waits: a cache of the file, a window of each channel, and about 100 bytes
//! for each once key, lease and ending that is known, of which there are a million, as many as are handed out, and a hundred thousand
//! at most.
//! Reading blocks the thread that asks for as long as the file is read. It does not defend against damage of the file beyond
//! torn writes; it says so when it finds it.

mod base;
mod board;
mod committer;
mod disk;
mod effect;
mod find;
mod folder;
mod line;
mod load;
mod logs;
mod once;
mod pen;
mod queue;
mod shared;
mod tables;
#[cfg(test)]
mod tests;
mod verdict;

use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use parking_lot::Mutex;
use redb::backends::FileBackend;

use self::base::Ground;
pub use self::disk::Probe;
use self::pen::number_of;
use self::queue::Job;
use self::shared::Shared;
use crate::broker::{
    Answer, Bounds, Cancel, Channel, Depth, Draft, Item, Kept, Lease, Letter, Listener, Shard, State, Store,
    SubmissionId, Token, Trouble, Verdict, Versioned,
};
use crate::wall::{Moment, Wall};

/// Keeps messages in one file of a folder.
pub(crate) struct Embedded {
    me: Weak<Self>,
    shared: Arc<Shared>,
    committer: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Embedded {
    /// Opens a folder, which is made if it is not there.
    pub(crate) fn open(folder: &Path, wall: Wall, bounds: Bounds, probe: Probe) -> Result<Arc<Self>, String> {
        let (path, held) = (folder.to_path_buf(), folder::hold(folder)?);
        let ground: Ground = Box::new(move || {
            // Nobody may take the folder while the file is opened again, as what is known of it would not hold.
            let _held = &held;
            let file = folder::open(&path)?;
            let backend = FileBackend::new(file).map_err(|error| {
                format!("file {:?} cannot be used: {error}; check its disk", folder::file_in(&path))
            })?;
            Ok(Box::new(backend))
        });
        Self::on(&folder::file_in(folder), ground, (wall, bounds), probe)
    }

    fn on(
        path: &Path,
        ground: Ground,
        (wall, bounds): (Wall, Bounds),
        probe: Probe,
    ) -> Result<Arc<Self>, String> {
        let (shared, ledger) = Shared::open(path, ground, (wall, bounds), probe)?;
        let committer = committer::Committer::new(Arc::clone(&shared), ledger);
        let thread = thread::Builder::new().name("fnhost-broker".into());
        let thread = thread.spawn(|| committer.run()).map_err(|error| {
            format!("the thread of the broker cannot start: {error}; raise the limit of threads")
        })?;
        Ok(Arc::new_cyclic(|me| Self { me: Weak::clone(me), shared, committer: Mutex::new(Some(thread)) }))
    }

    async fn wait(&self, channel: &Channel, most: usize) -> Result<Vec<Lease>, Trouble> {
        let out = self.shared.next(channel, most.max(1)).await?;
        let handed = match self.shared.read_out(&out) {
            Ok(handed) => handed,
            Err(trouble) => {
                out.iter().for_each(|(token, _)| self.shared.give_back(*token));
                return Err(trouble);
            }
        };
        let Some(store) = self.me.upgrade() else { return Err(Trouble::Closed) };
        let lease =
            |((token, _), handed): (&(Token, _), _)| Lease::new(Arc::clone(&store) as _, *token, handed);
        Ok(out.iter().zip(handed).map(lease).collect())
    }

    /// Returns what the number of an id asks for, or what is said of ids that are none.
    fn of<'a, T: Send + 'static>(
        &'a self,
        id: &SubmissionId,
        unknown: T,
        job: impl FnOnce(u64, queue::Reply<T>) -> Job + Send + 'a,
    ) -> Answer<'a, T> {
        match number_of(id) {
            Some(number) => self.shared.ask(move |reply| job(number, reply)).boxed(),
            None => ready(Ok(unknown)).boxed(),
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.shared.queue.close());
        let committer = self.committer.get_mut().take();
        // A listener may be the last who holds the store, and is called on that very thread.
        if let Some(committer) = committer.filter(|it| it.thread().id() != thread::current().id()) {
            // When it panicked, that was reported there.
            let _ = committer.join();
        }
    }
}

impl Store for Embedded {
    fn put(&self, drafts: Vec<Draft>) -> Answer<'_, Vec<Kept>> {
        self.shared.put(drafts).boxed()
    }

    fn pull<'a>(&'a self, channel: &'a Channel, most: usize) -> Answer<'a, Vec<Lease>> {
        self.wait(channel, most).boxed()
    }

    fn settle(&self, token: Token, verdict: Verdict, then: Vec<Draft>) -> Answer<'_, ()> {
        self.shared.settle(token, verdict, then).boxed()
    }

    fn give_back(&self, token: Token) {
        self.shared.give_back(token);
    }

    fn state<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, Option<State>> {
        ready(number_of(id).map_or(Ok(None), |number| self.shared.state(number))).boxed()
    }

    fn cancel<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, Cancel> {
        self.of(id, Cancel::Unknown, |number, reply| Job::Cancel { number, reply })
    }

    fn letters<'a>(
        &'a self,
        channel: Option<&'a Channel>,
        after: u64,
        most: usize,
    ) -> Answer<'a, Vec<Letter>> {
        self.shared.letters(channel, after, most).boxed()
    }

    fn letter<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, Option<Letter>> {
        self.shared.letter(id).boxed()
    }

    fn revive<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, bool> {
        self.of(id, false, |number, reply| Job::Revive { number, reply })
    }

    fn purge<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, bool> {
        self.of(id, false, |number, reply| Job::Purge { number, reply })
    }

    fn depth<'a>(&'a self, channel: &'a Channel) -> Answer<'a, Depth> {
        ready(Ok(self.shared.depth(channel))).boxed()
    }

    fn on_channel(&self, listener: Listener<Channel>) {
        self.shared.on_channel(listener);
    }

    fn append<'a>(&'a self, shard: &'a Shard, payloads: Vec<Bytes>) -> Answer<'a, u64> {
        let shard = shard.clone();
        self.shared.ask(move |reply| Job::Append { shard, payloads, reply }).boxed()
    }

    fn read<'a>(&'a self, shard: &'a Shard, from: u64, most: (usize, usize)) -> Answer<'a, Vec<Item>> {
        self.shared.items(shard, from, most).boxed()
    }

    fn end<'a>(&'a self, shard: &'a Shard) -> Answer<'a, u64> {
        ready(self.shared.base.read(|txn| logs::end(txn, shard))).boxed()
    }

    fn seek<'a>(&'a self, shard: &'a Shard, at: Moment) -> Answer<'a, u64> {
        ready(self.shared.base.read(|txn| logs::seek(txn, shard, at))).boxed()
    }

    fn trim<'a>(&'a self, shard: &'a Shard, before: Moment) -> Answer<'a, ()> {
        let shard = shard.clone();
        self.shared.ask(move |reply| Job::Trim { shard, before, reply }).boxed()
    }

    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Versioned>> {
        ready(Ok(self.shared.values.get(key))).boxed()
    }

    fn swap<'a>(&'a self, key: &'a str, revision: Option<u64>, value: Bytes) -> Answer<'a, Option<u64>> {
        self.shared.ask(move |reply| Job::Swap { key: key.into(), revision, value, reply }).boxed()
    }

    fn remove<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        self.shared.ask(move |reply| Job::Remove { key: key.into(), reply }).boxed()
    }

    fn on_value(&self, prefix: &str, listener: Listener<(String, Option<Bytes>)>) {
        self.shared.values.listen(prefix, listener);
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.shared.close_board();
        let closed = self.shared.queue.close();
        // It is an error only if that is over.
        closed.map(drop).boxed()
    }
}
