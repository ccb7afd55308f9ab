//! The one thread that writes: it takes all that waits, commits it with one sync, and answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::broker::embedded::Shared;
use crate::broker::embedded::board::room_of;
use crate::broker::embedded::effect::Effect;
use crate::broker::embedded::pen::{Ledger, Pen, Work};
use crate::broker::embedded::queue::{Group, Job};

/// How long a file that cannot be opened is left alone.
const REST: Duration = Duration::from_millis(200);

/// A group of which it is not known whether it is on disk.
struct Unsure {
    number: u64,
    group: Group,
    work: Work,
}

/// The one thread that writes.
pub(super) struct Committer {
    shared: Arc<Shared>,
    ledger: Ledger,
    unsure: Option<Unsure>,
    tried: Option<Instant>,
}

/// However the thread ends, nobody waits for it in vain.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.base.close();
        self.0.close_board();
        self.0.queue.end();
    }
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, ledger: Ledger) -> Self {
        Self { shared, ledger, unsure: None, tried: None }
    }

    /// Commits until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let _end = End(Arc::clone(&self.shared));
        let mut last = 0;
        while let Some(group) = self.shared.queue.next(last) {
            last = group.jobs.len();
            let is_safe = self.commit(group);
            if !is_safe && self.shared.queue.is_closing() {
                return;
            }
        }
    }

    fn commit(&mut self, mut group: Group) -> bool {
        if !self.is_open() {
            self.roll_back(group, Work::default());
            return false;
        }
        // What was found out as it was opened: what is put now must not be taken for what is taken back.
        self.shared.queue.rejoin(&mut group);
        if group.jobs.is_empty() && group.settled.is_empty() {
            self.shared.queue.is_well();
            return true;
        }
        self.ledger.group += 1;
        let (mut work, now, shared) = (Work::default(), self.shared.wall.now(), &self.shared);
        let ledger = &mut self.ledger;
        let written = shared
            .base
            .write(|txn| Pen::new(txn, (&shared.board, ledger), &mut work, now)?.write(&mut group));
        match written {
            Ok(()) => self.succeed(work),
            Err(_) => self.fail(group, work),
        }
    }

    fn succeed(&mut self, work: Work) -> bool {
        self.apply(&work);
        self.shared.queue.is_well();
        work.answers.into_iter().for_each(|answer| answer());
        true
    }

    /// Makes true in memory what is true on disk, and tells who waits for it.
    fn apply(&mut self, work: &Work) {
        self.ledger.reserved = work.reserved.unwrap_or(self.ledger.reserved);
        self.ledger.log_bytes = work.log_bytes.unwrap_or(self.ledger.log_bytes);
        let woken = {
            let mut board = self.shared.board.lock();
            board.horizon = self.ledger.next;
            work.effects.iter().for_each(|effect| board.apply(effect));
            let mut shown: Vec<u32> = work.effects.iter().filter_map(Effect::shows).collect();
            shown.sort_unstable();
            shown.dedup();
            shown.into_iter().map(|channel| Arc::clone(&board.line(channel).changed)).collect::<Vec<_>>()
        };
        woken.iter().for_each(|changed| changed.notify_waiters());
        for (key, value) in &work.values {
            self.shared.values.note(key.clone(), value.clone());
        }
        if work.appended {
            self.shared.appended.notify_waiters();
        }
        work.effects.iter().for_each(|effect| self.announce(effect));
    }

    fn announce(&self, effect: &Effect) {
        if let Effect::Named { channel } = effect {
            let name = self.shared.board.lock().line(*channel).name.clone();
            self.shared.announce(&name);
        }
    }

    /// The disk refused; whoever waits hears of it as the answers are dropped.
    fn fail(&mut self, mut group: Group, mut work: Work) -> bool {
        work.answers.clear();
        group.jobs.iter_mut().for_each(Job::refuse);
        let number = self.ledger.group;
        self.unsure = Some(Unsure { number, group, work });
        self.tried = None;
        if !self.is_open_anew() {
            self.shared.queue.put_back(Vec::new(), Vec::new());
        }
        false
    }

    fn is_open(&mut self) -> bool {
        (self.shared.base.is_open() && self.unsure.is_none()) || self.is_open_anew()
    }

    /// Opens the file again, and finds out what became of the group that failed.
    fn is_open_anew(&mut self) -> bool {
        if self.tried.is_some_and(|tried| tried.elapsed() < REST) {
            return false;
        }
        self.tried = Some(Instant::now());
        if let Err(reason) = self.shared.base.reopen() {
            tracing::warn!(reason, "the broker cannot write; it is tried again");
            return false;
        }
        let Ok(on_disk) = self.shared.base.group() else { return false };
        match self.unsure.take() {
            Some(Unsure { number, work, group }) if number == on_disk => self.take_back(group, work),
            Some(Unsure { work, group, .. }) => self.roll_back(group, work),
            None => self.shared.start_anew(),
        }
        true
    }

    /// The group is on disk although it was answered with an error: what was put is taken out again.
    fn take_back(&mut self, group: Group, work: Work) {
        drop(group);
        {
            let mut board = self.shared.board.lock();
            work.put.iter().for_each(|number| board.hold(*number));
        }
        self.apply(&work);
        self.shared.start_anew();
        self.shared.queue.put_back(Vec::new(), work.put);
    }

    /// The group is not on disk: it is as if it had not been, but for verdicts, which were answered and are tried again.
    fn roll_back(&mut self, group: Group, work: Work) {
        {
            let mut board = self.shared.board.lock();
            work.held.iter().for_each(|number| board.let_go(*number));
            for drafts in group.jobs.iter().filter_map(Job::drafts) {
                let (events, bytes) = room_of(drafts);
                board.release(events, bytes);
            }
        }
        for (hash, number) in work.keys {
            self.ledger.keys.remove(hash, number);
        }
        self.shared.start_anew();
        let undo = group.jobs.iter().filter_map(Job::undone).flatten().copied().collect();
        self.shared.queue.put_back(group.settled, undo);
    }
}
