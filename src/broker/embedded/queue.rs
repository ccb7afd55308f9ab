//! What waits to be committed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

use crate::broker::embedded::line::{Place, Stand};
use crate::broker::{Cancel, Draft, Kept, Shard, Trouble, Verdict};
use crate::wall::Moment;

/// How long a group that had company before waits for it again.
const GATHER: Duration = Duration::from_millis(1);
/// How long a verdict waits for company.
const PATIENCE: Duration = Duration::from_millis(5);
/// How many verdicts go into one group, so that those who wait for the group do not wait for long.
const MOST_SETTLED: usize = 512;
/// How many verdicts wait at most; whoever brings more waits too.
const MOST_PENDING: usize = 4_096;
/// How many bytes they keep in memory; one more may pass it.
const MOST_PENDING_BYTES: usize = 64 << 20;
/// How many drafts and the like go into one group.
const MOST_JOBS: usize = 4_096;
/// How long a disk that refuses is left alone while nobody asks.
const PAUSE: Duration = Duration::from_millis(500);

/// Who waits for an answer; it is an error for them when this is dropped.
pub(super) struct Reply<T>(Option<oneshot::Sender<Result<T, Trouble>>>);

/// An answer that is given once its group is safe.
pub(super) type Answer = Box<dyn FnOnce() + Send>;

impl<T: Send + 'static> Reply<T> {
    pub(super) fn new() -> (Self, oneshot::Receiver<Result<T, Trouble>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }

    fn drop(&mut self) {
        self.0 = None;
    }

    /// Makes the answer; until it is given, nothing is told.
    pub(super) fn with(&mut self, value: Result<T, Trouble>) -> Answer {
        let sender = self.0.take();
        // Whoever does not wait any more does not want to know.
        Box::new(move || drop(sender.map(|sender| sender.send(value))))
    }
}

/// Something to be committed that somebody waits for.
pub(super) enum Job {
    Put {
        drafts: Vec<Draft>,
        reply: Reply<Vec<Kept>>,
    },
    Cancel {
        number: u64,
        reply: Reply<Cancel>,
    },
    Revive {
        number: u64,
        reply: Reply<bool>,
    },
    Purge {
        number: u64,
        reply: Reply<bool>,
    },
    Append {
        shard: Shard,
        payloads: Vec<Bytes>,
        reply: Reply<u64>,
    },
    Trim {
        shard: Shard,
        before: Moment,
        reply: Reply<()>,
    },
    Swap {
        key: String,
        revision: Option<u64>,
        value: Bytes,
        reply: Reply<Option<u64>>,
    },
    Remove {
        key: String,
        reply: Reply<()>,
    },
    /// Answers when every verdict that was given before is safe.
    Flush {
        reply: Reply<()>,
    },
    /// Takes back what came to disk although that was answered with an error.
    Undo {
        numbers: Vec<u64>,
    },
}

impl Job {
    /// Returns what is to be put.
    pub(super) fn drafts(&self) -> Option<&[Draft]> {
        match self {
            Self::Put { drafts, .. } => Some(drafts),
            _ => None,
        }
    }

    /// Returns what is to be taken back.
    pub(super) fn undone(&self) -> Option<&[u64]> {
        match self {
            Self::Undo { numbers } => Some(numbers),
            _ => None,
        }
    }

    /// Has whoever waits hear that it will not be.
    pub(super) fn refuse(&mut self) {
        match self {
            Self::Put { reply, .. } => reply.drop(),
            Self::Cancel { reply, .. } => reply.drop(),
            Self::Revive { reply, .. } | Self::Purge { reply, .. } => reply.drop(),
            Self::Append { reply, .. } => reply.drop(),
            Self::Swap { reply, .. } => reply.drop(),
            Self::Trim { reply, .. } | Self::Remove { reply, .. } | Self::Flush { reply } => reply.drop(),
            Self::Undo { .. } => {}
        }
    }

    /// Tells whether it has to see what the verdicts before it did.
    fn needs_verdicts(&self) -> bool {
        matches!(self, Self::Cancel { .. } | Self::Revive { .. } | Self::Purge { .. } | Self::Flush { .. })
    }
}

/// A verdict that was given, and answered.
pub(super) struct Settled {
    pub(super) number: u64,
    pub(super) channel: u32,
    pub(super) place: Place,
    pub(super) stand: Stand,
    pub(super) at: Moment,
    pub(super) verdict: Verdict,
    pub(super) then: Vec<Draft>,
}

impl Settled {
    /// Returns what it keeps in memory.
    fn size(&self) -> usize {
        let said = match &self.verdict {
            Verdict::Done { summary } => summary.len(),
            Verdict::Again { notes, .. } | Verdict::Dead { notes } => notes.len(),
        };
        said + self.then.iter().map(|draft| draft.payload.len()).sum::<usize>()
    }
}

/// What is committed together: all of it or nothing.
#[derive(Default)]
pub(super) struct Group {
    pub(super) jobs: Vec<Job>,
    pub(super) settled: Vec<Settled>,
}

/// What came back as the disk refused it; it stands before all that waits.
#[derive(Default)]
struct Back {
    settled: Vec<Settled>,
    undo: Vec<u64>,
}

/// What waits to be committed.
#[derive(Default)]
pub(super) struct Queue {
    held: Mutex<Held>,
    called: Condvar,
    /// Verdicts went to disk, or will not.
    pub(super) moved: Notify,
}

#[derive(Default)]
struct Held {
    back: Back,
    jobs: VecDeque<Job>,
    settled: VecDeque<Settled>,
    /// What the verdicts keep in memory.
    bytes: usize,
    /// When the verdicts are to be committed at the latest.
    until: Option<Instant>,
    /// How many jobs the committer waits for.
    wanted: usize,
    trouble: bool,
    closing: bool,
    ended: bool,
    closers: Vec<oneshot::Sender<()>>,
}

impl Queue {
    /// Adds what somebody waits for.
    pub(super) fn push(&self, job: Job) -> Result<(), Trouble> {
        let is_enough = {
            let mut held = self.held.lock();
            if held.closing {
                return Err(Trouble::Closed);
            }
            held.jobs.push_back(job);
            held.jobs.len() >= held.wanted
        };
        if is_enough {
            self.called.notify_one();
        }
        Ok(())
    }

    /// Tells whether there is room for one more verdict; trouble if it will not come soon.
    pub(super) fn has_room(&self) -> Result<bool, Trouble> {
        let held = self.held.lock();
        if held.closing {
            return Err(Trouble::Closed);
        }
        let pending = held.back.settled.len() + held.settled.len();
        let has_room = pending < MOST_PENDING && held.bytes < MOST_PENDING_BYTES;
        if !has_room && held.trouble {
            return Err(Trouble::Failed(format!(
                "the disk refuses, and {pending} endings wait for it; make room on it, or check it"
            )));
        }
        Ok(has_room)
    }

    /// Adds a verdict; a hasty one does not wait for company.
    pub(super) fn settle(&self, settled: Settled, is_hasty: bool) {
        let now = Instant::now();
        let is_call = {
            let mut held = self.held.lock();
            held.bytes += settled.size();
            held.settled.push_back(settled);
            let until = if is_hasty && !held.trouble { now } else { now + PATIENCE };
            let is_call = held.until.is_none_or(|known| until < known) && !held.trouble;
            if is_call {
                held.until = Some(until);
            }
            is_call
        };
        if is_call {
            self.called.notify_one();
        }
    }

    /// Puts back what could not be committed; it is tried again soon, or with the next job.
    pub(super) fn put_back(&self, settled: Vec<Settled>, undo: Vec<u64>) {
        let mut held = self.held.lock();
        held.back.settled.splice(..0, settled);
        held.weigh();
        held.back.undo.extend(undo);
        held.trouble = true;
        held.until = Some(Instant::now() + PAUSE);
        drop(held);
        self.moved.notify_waiters();
    }

    /// Notes that the disk takes what it is given.
    pub(super) fn is_well(&self) {
        let mut held = self.held.lock();
        if std::mem::take(&mut held.trouble) {
            held.until = held.has_verdicts().then(Instant::now);
        }
        drop(held);
        self.moved.notify_waiters();
    }

    /// Waits for the next group; none when all is done and it closes.
    pub(super) fn next(&self, last: usize) -> Option<Group> {
        let mut held = self.held.lock();
        self.wait(&mut held);
        if last > 1 && !held.closing && !held.jobs.is_empty() {
            self.gather(&mut held, last);
        }
        if held.closing && held.jobs.is_empty() && !held.has_verdicts() {
            return None;
        }
        Some(held.take())
    }

    /// Puts what came back in front of a group that was taken before.
    pub(super) fn rejoin(&self, group: &mut Group) {
        let mut held = self.held.lock();
        std::mem::take(&mut held.back).join(group);
        held.weigh();
    }

    fn wait(&self, held: &mut MutexGuard<'_, Held>) {
        held.wanted = 1;
        while held.jobs.is_empty() && !held.closing {
            match held.until {
                None => self.called.wait(held),
                Some(until) if until <= Instant::now() => return,
                Some(until) => drop(self.called.wait_until(held, until)),
            }
        }
    }

    /// Those that were answered just now come back at once.
    fn gather(&self, held: &mut MutexGuard<'_, Held>, last: usize) {
        held.wanted = last.min(MOST_JOBS);
        let until = Instant::now() + GATHER;
        while held.jobs.len() < held.wanted && !held.closing {
            if self.called.wait_until(held, until).timed_out() {
                return;
            }
        }
    }

    /// Takes nothing more; the answer comes when all is done.
    pub(super) fn close(&self) -> oneshot::Receiver<()> {
        let (closer, closed) = oneshot::channel();
        {
            let mut held = self.held.lock();
            held.closing = true;
            if !held.ended {
                held.closers.push(closer);
            }
        }
        self.called.notify_one();
        self.moved.notify_waiters();
        closed
    }

    pub(super) fn is_closing(&self) -> bool {
        self.held.lock().closing
    }

    /// Answers who waits for the end.
    pub(super) fn end(&self) {
        let closers = {
            let mut held = self.held.lock();
            (held.closing, held.ended) = (true, true);
            held.jobs.clear();
            std::mem::take(&mut held.closers)
        };
        for closer in closers {
            // Whoever does not wait any more does not want to know.
            let _ = closer.send(());
        }
    }
}

impl Back {
    fn join(self, group: &mut Group) {
        group.settled.splice(..0, self.settled);
        if !self.undo.is_empty() {
            group.jobs.insert(0, Job::Undo { numbers: self.undo });
        }
    }
}

impl Held {
    /// Tells whether there is something that nobody waits for.
    fn has_verdicts(&self) -> bool {
        !(self.settled.is_empty() && self.back.settled.is_empty() && self.back.undo.is_empty())
    }

    fn take(&mut self) -> Group {
        let jobs: Vec<_> = self.jobs.drain(..self.jobs.len().min(MOST_JOBS)).collect();
        let takes_all = self.closing || jobs.iter().any(Job::needs_verdicts);
        // What is put now comes behind what follows from a verdict that was answered.
        let follows = self.settled.iter().rposition(|settled| !settled.then.is_empty());
        let most = if takes_all { usize::MAX } else { follows.map_or(0, |at| at + 1).max(MOST_SETTLED) };
        let settled = self.settled.drain(..self.settled.len().min(most)).collect();
        if !self.trouble {
            self.until = (!self.settled.is_empty()).then(Instant::now);
        }
        let mut group = Group { jobs, settled };
        std::mem::take(&mut self.back).join(&mut group);
        self.weigh();
        group
    }

    fn weigh(&mut self) {
        self.bytes = self.back.settled.iter().chain(&self.settled).map(Settled::size).sum();
    }
}
