//! Writes what is to be committed into one transaction.

use parking_lot::Mutex;
use redb::{ReadableTable, Table, WriteTransaction};

use crate::broker::embedded::board::{Board, room_of};
use crate::broker::embedded::effect::Effect;
use crate::broker::embedded::line::{Place, Stand};
use crate::broker::embedded::once::Keys;
use crate::broker::embedded::queue::{Answer, Group, Job};
use crate::broker::embedded::tables::{
    CHANNELS, DEAD, ENDED, GROUP, Head, ITEMS, KEYED, MESSAGES, META, ONCE, READY, RESERVED, SHARDS, Size,
    TRIES, Tries, VALUES, pack, unpack,
};
use crate::broker::{Draft, Kept, SubmissionId, Trouble, Versioned};
use crate::wall::Moment;

/// How many numbers are reserved at a time, so that the disk need not know each.
const BLOCK: u64 = 1 << 20;

pub(super) type Outcome<T> = Result<T, redb::Error>;

/// What the committer alone knows and changes.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) next: u64,
    pub(super) reserved: u64,
    pub(super) group: u64,
    pub(super) keys: Keys,
    /// What the items of all streams take.
    pub(super) log_bytes: u64,
}

impl Ledger {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

/// What comes of a group; nothing of it is told before the group is safe.
#[derive(Default)]
pub(super) struct Work {
    pub(super) effects: Vec<Effect>,
    pub(super) answers: Vec<Answer>,
    pub(super) values: Vec<(String, Option<Versioned>)>,
    pub(super) appended: bool,
    /// What was put and is to be taken back if that is answered with an error.
    pub(super) put: Vec<u64>,
    pub(super) keys: Vec<(u128, u64)>,
    /// What must not be handed out meanwhile.
    pub(super) held: Vec<u64>,
    pub(super) undo: Vec<u64>,
    pub(super) log_bytes: Option<u64>,
    pub(super) reserved: Option<u64>,
}

/// Writes into one transaction.
pub(super) struct Pen<'a> {
    pub(super) messages: Table<'a, u64, &'static [u8]>,
    pub(super) tries: Table<'a, u64, &'static [u8]>,
    pub(super) ready: Table<'a, (u32, u64, u64), Size>,
    pub(super) keyed: Table<'a, (u32, &'static str, u64), (u64, u64, Size)>,
    pub(super) dead: Table<'a, u64, (u64, u32, u32)>,
    pub(super) ended: Table<'a, u64, &'static [u8]>,
    pub(super) once: Table<'a, u64, (u64, u128)>,
    pub(super) channels: Table<'a, u32, &'static str>,
    pub(super) shards: Table<'a, (&'static str, u32), (u32, u64, u64, u64)>,
    pub(super) items: Table<'a, (u32, u64), &'static [u8]>,
    pub(super) values: Table<'a, &'static str, &'static [u8]>,
    meta: Table<'a, &'static str, u64>,
    pub(super) board: &'a Mutex<Board>,
    pub(super) ledger: &'a mut Ledger,
    pub(super) work: &'a mut Work,
    pub(super) now: Moment,
}

impl<'a> Pen<'a> {
    pub(super) fn new(
        txn: &'a WriteTransaction,
        (board, ledger): (&'a Mutex<Board>, &'a mut Ledger),
        work: &'a mut Work,
        now: Moment,
    ) -> Outcome<Self> {
        Ok(Self {
            messages: txn.open_table(MESSAGES)?,
            tries: txn.open_table(TRIES)?,
            ready: txn.open_table(READY)?,
            keyed: txn.open_table(KEYED)?,
            dead: txn.open_table(DEAD)?,
            ended: txn.open_table(ENDED)?,
            once: txn.open_table(ONCE)?,
            channels: txn.open_table(CHANNELS)?,
            shards: txn.open_table(SHARDS)?,
            items: txn.open_table(ITEMS)?,
            values: txn.open_table(VALUES)?,
            meta: txn.open_table(META)?,
            board,
            ledger,
            work,
            now,
        })
    }

    /// Writes a group: what is taken back first, then verdicts, as they were answered, then what was not answered yet.
    pub(super) fn write(&mut self, group: &mut Group) -> Outcome<()> {
        let is_undo = |job: &Job| matches!(job, Job::Undo { .. });
        group.jobs.iter_mut().filter(|job| is_undo(job)).try_for_each(|job| self.job(job))?;
        group.settled.iter().try_for_each(|settled| self.settle(settled))?;
        group.jobs.iter_mut().filter(|job| !is_undo(job)).try_for_each(|job| self.job(job))?;
        self.forget()?;
        self.meta.insert(GROUP, self.ledger.group)?;
        if self.ledger.next > self.ledger.reserved {
            let reserved = self.ledger.next + BLOCK;
            self.meta.insert(RESERVED, reserved)?;
            self.work.reserved = Some(reserved);
        }
        Ok(())
    }

    fn job(&mut self, job: &mut Job) -> Outcome<()> {
        let answer = match job {
            Job::Put { drafts, reply } => reply.with(self.put(drafts)?),
            Job::Cancel { number, reply } => reply.with(Ok(self.cancel(*number)?)),
            Job::Revive { number, reply } => reply.with(Ok(self.revive(*number)?)),
            Job::Purge { number, reply } => reply.with(Ok(self.purge(*number)?)),
            Job::Append { shard, payloads, reply } => reply.with(self.append(shard, payloads)?),
            Job::Trim { shard, before, reply } => {
                self.trim(shard, *before)?;
                reply.with(Ok(()))
            }
            Job::Swap { key, revision, value, reply } => reply.with(Ok(self.swap(key, *revision, value)?)),
            Job::Remove { key, reply } => {
                self.remove(key)?;
                reply.with(Ok(()))
            }
            Job::Flush { reply } => reply.with(Ok(())),
            Job::Undo { numbers } => return self.undo(numbers),
        };
        self.work.answers.push(answer);
        Ok(())
    }

    fn put(&mut self, drafts: &[Draft]) -> Outcome<Result<Vec<Kept>, Trouble>> {
        let (events, bytes) = room_of(drafts);
        if self.ledger.keys.is_full() && drafts.iter().any(|draft| draft.once.is_some()) {
            self.work.effects.push(Effect::Released { events, bytes });
            return Ok(Err(Trouble::Full(self.board.lock().bounds())));
        }
        let mut kept = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let (number, known) = self.add(draft)?;
            if !known {
                self.work.put.push(number);
            }
            kept.push(Kept { id: id(number), known });
        }
        Ok(Ok(kept))
    }

    /// Adds a message, unless it is there by its once key.
    pub(super) fn add(&mut self, draft: &Draft) -> Outcome<(u64, bool)> {
        let size = draft.payload.len() as u32;
        let hash = draft.once.as_ref().map(|once| Keys::hash(&once.key));
        if let Some(number) = hash.and_then(|hash| self.ledger.keys.get(hash, self.now)) {
            self.work.effects.push(Effect::Released { events: 1, bytes: u64::from(size) });
            return Ok((number, true));
        }
        let (channel, number) = (self.channel(draft)?, self.number());
        if let (Some(once), Some(hash)) = (&draft.once, hash) {
            let until = self.now.plus(once.window);
            self.once.insert(number, (until.0, hash))?;
            self.ledger.keys.insert(hash, number, until);
            self.work.keys.push((hash, number));
        }
        let head = Head { channel, put: self.now.0, due: draft.due.0, key: draft.key.as_deref() };
        self.messages.insert(number, pack(&head, &draft.payload).as_slice())?;
        self.join((number, size), &head, &Tries::none(number, &head))?;
        Ok((number, false))
    }

    pub(super) fn number(&mut self) -> u64 {
        self.ledger.number()
    }

    fn channel(&mut self, draft: &Draft) -> Outcome<u32> {
        let (channel, is_kept) = {
            let mut board = self.board.lock();
            let channel = board.id(&draft.channel);
            (channel, board.line(channel).is_kept)
        };
        if !is_kept {
            self.channels.insert(channel, draft.channel.as_str())?;
            self.work.effects.push(Effect::Named { channel });
        }
        Ok(channel)
    }

    /// Has a message stand in its channel, and with it if it has a key.
    pub(super) fn join(&mut self, (number, size): (u64, u32), head: &Head<'_>, tries: &Tries) -> Outcome<()> {
        let stand = Stand { put: tries.put, attempt: tries.attempt, size };
        let (channel, place) = (head.channel, (tries.due, number));
        let is_ready = match head.key {
            None => true,
            Some(key) => {
                let is_first = self.first_of(channel, key)?.is_none();
                self.keyed.insert((channel, key, tries.turn), (number, tries.due, stand.into()))?;
                is_first
            }
        };
        if is_ready {
            self.ready.insert((channel, place.0, place.1), Size::from(stand))?;
        }
        self.work.effects.push(Effect::Joined { channel, place, stand, is_ready });
        Ok(())
    }

    /// Returns the first of a key: its turn, place and stand.
    fn first_of(&self, channel: u32, key: &str) -> Outcome<Option<(u64, Place, Stand)>> {
        let mut range = self.keyed.range((channel, key, 0)..=(channel, key, u64::MAX))?;
        let Some(first) = range.next().transpose()? else { return Ok(None) };
        let (number, due, size) = first.1.value();
        Ok(Some((first.0.value().2, (due, number), size.into())))
    }

    /// Has a message stand in its channel no more, and makes way for the next of its key.
    pub(super) fn unqueue(&mut self, number: u64, head: &Head<'_>, tries: &Tries) -> Outcome<()> {
        let channel = head.channel;
        let Some(key) = head.key else {
            self.ready.remove((channel, tries.due, number))?;
            return Ok(());
        };
        let was_first = self.first_of(channel, key)?.is_some_and(|(turn, ..)| turn == tries.turn);
        self.keyed.remove((channel, key, tries.turn))?;
        if !was_first {
            return Ok(());
        }
        self.ready.remove((channel, tries.due, number))?;
        if let Some((_, place, stand)) = self.first_of(channel, key)? {
            self.ready.insert((channel, place.0, place.1), Size::from(stand))?;
            self.work.effects.push(Effect::Shown { channel, place, stand });
        }
        Ok(())
    }

    fn undo(&mut self, numbers: &[u64]) -> Outcome<()> {
        for number in numbers {
            self.work.undo.push(*number);
            self.discard(*number)?;
            if let Some(row) = self.once.remove(number)? {
                self.ledger.keys.remove(row.value().1, *number);
            }
            self.work.effects.push(Effect::Changed { number: *number });
        }
        Ok(())
    }

    /// Takes out a message that waits.
    fn discard(&mut self, number: u64) -> Outcome<()> {
        let Some(row) = self.messages.remove(number)? else { return Ok(()) };
        let packed = row.value().to_vec();
        drop(row);
        let (head, payload) = unpack::<Head<'_>>(&packed)?;
        let tries = Tries::none(number, &head);
        self.unqueue(number, &head, &tries)?;
        let stand = Stand { put: tries.put, attempt: 0, size: payload.len() as u32 };
        let (channel, place) = (head.channel, (tries.due, number));
        self.work.effects.push(Effect::Left { channel, place, stand });
        self.work.effects.push(Effect::Released { events: 1, bytes: payload.len() as u64 });
        Ok(())
    }

    /// Forgets what need not be known any more.
    fn forget(&mut self) -> Outcome<()> {
        for number in self.ledger.keys.forget(self.now) {
            self.once.remove(number)?;
        }
        let order = self.board.lock().forgettable(self.now);
        if let Some(order) = order {
            self.ended.retain_in(..=order, |_, _| false)?;
            self.work.effects.push(Effect::Forgotten { order });
        }
        Ok(())
    }
}

/// Returns the id of a message.
pub(super) fn id(number: u64) -> SubmissionId {
    SubmissionId::new(format!("m-{number}"))
}

/// Reads the id of a message.
pub(super) fn number_of(id: &SubmissionId) -> Option<u64> {
    id.as_str().strip_prefix("m-")?.parse().ok()
}
