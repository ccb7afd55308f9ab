//! What the store and its one writing thread share.

use std::future::pending;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::broker::embedded::base::{Base, Ground};
use crate::broker::embedded::board::{Board, Out, room_of};
use crate::broker::embedded::disk::Probe;
use crate::broker::embedded::pen::{Ledger, number_of};
use crate::broker::embedded::queue::{Job, Queue, Reply};
use crate::broker::embedded::{find, load, logs};
use crate::broker::lease::Handed;
use crate::broker::{
    Bounds, Channel, Depth, Draft, Item, Kept, Letter, Listener, MOST_BYTES, Shard, State, SubmissionId,
    Token, Trouble, Values, Verdict,
};
use crate::wall::{Moment, Wall};

/// What the store and its one writing thread share.
pub(super) struct Shared {
    pub(super) wall: Wall,
    pub(super) base: Base,
    pub(super) board: Mutex<Board>,
    pub(super) queue: Queue,
    pub(super) values: Values,
    channels: Mutex<Vec<Arc<Listener<Channel>>>>,
    pub(super) appended: Notify,
}

impl Shared {
    pub(super) fn open(
        path: &Path,
        ground: Ground,
        (wall, bounds): (Wall, Bounds),
        probe: Probe,
    ) -> Result<(Arc<Self>, Ledger), String> {
        let base = Base::open(path, ground, probe)?;
        let (mut board, values) = (Board::new(bounds), Values::default());
        let loaded = base.read(|txn| {
            load::count(txn, &mut board)?;
            Ok((load::ledger(txn)?, logs::values(txn)?))
        });
        let (ledger, known) = loaded.map_err(|trouble| match trouble {
            Trouble::Failed(reason) => reason,
            Trouble::Full(_) | Trouble::TooLarge { .. } | Trouble::Closed => "the broker is closed".into(),
        })?;
        known.into_iter().for_each(|(key, value)| values.note(key, Some(value)));
        board.horizon = ledger.next;
        let shared = Self {
            wall,
            base,
            board: Mutex::new(board),
            queue: Queue::default(),
            values,
            channels: Mutex::default(),
            appended: Notify::new(),
        };
        Ok((Arc::new(shared), ledger))
    }

    /// Has something committed, and waits until it is safe.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(Reply<T>) -> Job,
    ) -> Result<T, Trouble> {
        let (reply, answer) = Reply::new();
        self.queue.push(job(reply))?;
        answer.await.unwrap_or_else(|_| Err(self.base.refusal()))
    }

    pub(super) async fn put(&self, drafts: Vec<Draft>) -> Result<Vec<Kept>, Trouble> {
        check(&drafts)?;
        {
            let mut board = self.board.lock();
            if board.is_closed {
                return Err(Trouble::Closed);
            }
            board.reserve(&drafts)?;
        }
        let (events, bytes) = room_of(&drafts);
        let (reply, answer) = Reply::new();
        if let Err(trouble) = self.queue.push(Job::Put { drafts, reply }) {
            self.board.lock().release(events, bytes);
            return Err(trouble);
        }
        answer.await.unwrap_or_else(|_| Err(self.base.refusal()))
    }

    /// Waits until something of a channel is due, and hands it out.
    pub(super) async fn next(&self, channel: &Channel, most: usize) -> Result<Vec<(Token, Out)>, Trouble> {
        let (id, changed) = {
            let mut board = self.board.lock();
            let id = board.id(channel);
            (id, Arc::clone(&board.line(id).changed))
        };
        loop {
            let changed = changed.notified();
            let (out, next) = self.hand_out(id, most)?;
            if !out.is_empty() {
                return Ok(out);
            }
            let due = match next {
                Some(due) => Either::Left(self.wall.until(due)),
                None => Either::Right(pending()),
            };
            select(pin!(changed), pin!(due)).await;
        }
    }

    #[expect(clippy::type_complexity, reason = "both halves are used once")]
    fn hand_out(&self, channel: u32, most: usize) -> Result<(Vec<(Token, Out)>, Option<Moment>), Trouble> {
        let now = self.wall.now();
        let mut board = self.board.lock();
        if board.is_closed {
            return Err(Trouble::Closed);
        }
        let mut out: Vec<_> = std::iter::from_fn(|| board.hand_out(channel, now)).take(most).collect();
        while out.is_empty() && self.fill(&mut board, channel)? {
            out.extend(std::iter::from_fn(|| board.hand_out(channel, now)).take(most));
        }
        let next = board.line(channel).next_due();
        Ok((out, next))
    }

    /// Reads what comes next in a channel, if all that was read is gone; under the lock, as what is about to change must not
    /// change meanwhile.
    fn fill(&self, board: &mut MutexGuard<'_, Board>, channel: u32) -> Result<bool, Trouble> {
        let Some(place) = board.line(channel).wants() else { return Ok(false) };
        let (read, edge) = self.base.read(|txn| find::next(txn, channel, place))?;
        board.fill(channel, &read, edge);
        Ok(true)
    }

    pub(super) fn read_out(&self, out: &[(Token, Out)]) -> Result<Vec<Handed>, Trouble> {
        let out: Vec<_> = out.iter().map(|(_, out)| *out).collect();
        self.base.read(|txn| find::handed(txn, &out))
    }

    pub(super) fn give_back(&self, token: Token) {
        let changed = {
            let mut board = self.board.lock();
            let channel = board.give_back(token);
            channel.map(|channel| Arc::clone(&board.line(channel).changed))
        };
        if let Some(changed) = changed {
            changed.notify_waiters();
        }
    }

    pub(super) async fn settle(
        &self,
        token: Token,
        verdict: Verdict,
        then: Vec<Draft>,
    ) -> Result<(), Trouble> {
        check(&then)?;
        loop {
            let moved = self.queue.moved.notified();
            if self.queue.has_room()? || !self.board.lock().is_out(token) {
                break;
            }
            moved.await;
        }
        // Somebody may wait for what follows.
        let is_hasty = !then.is_empty();
        let settled = self.board.lock().settle(token, (verdict, then), self.wall.now());
        if let Some(settled) = settled {
            self.queue.settle(settled, is_hasty);
        }
        Ok(())
    }

    pub(super) fn state(&self, number: u64) -> Result<Option<State>, Trouble> {
        let now = self.wall.now();
        let board = self.board.lock();
        if let Some(attempt) = board.attempt(number) {
            return Ok(Some(State::Running { attempt }));
        }
        if let Some(Some(state)) = board.changing(number) {
            return Ok(Some(state.clone()));
        }
        self.base.read(|txn| find::state(txn, number, (&board, now)))
    }

    /// Waits until all verdicts that were given are on disk.
    async fn flush(&self) -> Result<(), Trouble> {
        if self.board.lock().is_settled() {
            return Ok(());
        }
        self.ask(|reply| Job::Flush { reply }).await
    }

    fn names(&self) -> Vec<Channel> {
        self.board.lock().lines.iter().map(|line| line.name.clone()).collect()
    }

    pub(super) async fn letters(
        &self,
        channel: Option<&Channel>,
        after: u64,
        most: usize,
    ) -> Result<Vec<Letter>, Trouble> {
        self.flush().await?;
        let names = self.names();
        let wanted = match channel {
            None => None,
            Some(channel) => match self.board.lock().known(channel) {
                Some(id) => Some(id),
                None => return Ok(Vec::new()),
            },
        };
        self.base.read(|txn| find::letters(txn, (wanted, after), (most, &names)))
    }

    pub(super) async fn letter(&self, id: &SubmissionId) -> Result<Option<Letter>, Trouble> {
        let Some(number) = number_of(id) else { return Ok(None) };
        self.flush().await?;
        let names = self.names();
        self.base.read(|txn| find::letter(txn, number, &names))
    }

    pub(super) fn depth(&self, channel: &Channel) -> Depth {
        let mut board = self.board.lock();
        board.known(channel).map_or_else(Depth::default, |id| board.line(id).depth())
    }

    pub(super) fn on_channel(&self, listener: Listener<Channel>) {
        let listener = Arc::new(listener);
        self.channels.lock().push(Arc::clone(&listener));
        let lines = self.board.lock();
        let known: Vec<_> =
            lines.lines.iter().filter(|line| line.is_kept).map(|line| line.name.clone()).collect();
        drop(lines);
        known.iter().for_each(|channel| listener(channel));
    }

    pub(super) fn announce(&self, channel: &Channel) {
        let listeners = self.channels.lock().clone();
        listeners.iter().for_each(|listener| listener(channel));
    }

    pub(super) async fn items(
        &self,
        shard: &Shard,
        from: u64,
        most: (usize, usize),
    ) -> Result<Vec<Item>, Trouble> {
        loop {
            let appended = self.appended.notified();
            let items = self.base.read(|txn| logs::read(txn, (shard, from), most))?;
            if !items.is_empty() {
                return Ok(items);
            }
            appended.await;
        }
    }

    /// Has everything read anew that may have changed while the disk was in trouble.
    pub(super) fn start_anew(&self) {
        let changed = {
            let mut board = self.board.lock();
            board.reset();
            board.lines.iter().map(|line| Arc::clone(&line.changed)).collect::<Vec<_>>()
        };
        changed.iter().for_each(|changed| changed.notify_waiters());
    }

    /// Hands out nothing more.
    pub(super) fn close_board(&self) {
        self.board.lock().is_closed = true;
        self.start_anew();
        self.appended.notify_waiters();
    }
}

/// A row is read as a whole, so that it must not be too large.
fn check(drafts: &[Draft]) -> Result<(), Trouble> {
    let size = |draft: &Draft| draft.payload.len() + draft.key.as_ref().map_or(0, |key| key.len());
    match drafts.iter().map(size).find(|size| *size > MOST_BYTES) {
        None => Ok(()),
        Some(size) => Err(Trouble::TooLarge { limit: MOST_BYTES, size }),
    }
}
