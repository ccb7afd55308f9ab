//! Every message with what is known of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use crate::broker::lease::Handed;
use crate::broker::memory::channel::{Line, Place};
use crate::broker::memory::ended::Ended;
use crate::broker::{
    Bounds, Cancel, Channel, Depth, Draft, Kept, Letter, State, SubmissionId, Token, Trouble, Verdict,
};
use crate::wall::Moment;

/// How many keys of [`Once`](crate::broker::Once) are known at most.
const MOST_ONCE: usize = 1_000_000;

/// Every message with what is known of it; a change is whole or not at all.
pub(super) struct Shelf {
    bounds: Bounds,
    next: u64,
    messages: HashMap<u64, Message>,
    bytes: u64,
    lines: HashMap<Channel, Line>,
    leased: HashMap<Token, u64>,
    once: HashMap<Arc<str>, (u64, Moment)>,
    once_until: BTreeMap<(Moment, Arc<str>), ()>,
    /// In the order in which they died.
    dead: BTreeMap<u64, u64>,
    ended: Ended,
    /// Channels that nobody was told of yet.
    fresh: Vec<Channel>,
    closed: bool,
}

struct Message {
    channel: Channel,
    payload: Bytes,
    place: Place,
    put: Moment,
    attempt: u32,
    notes: Bytes,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Running,
    Dead { order: u64, at: Moment },
}

impl Shelf {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            next: 1,
            messages: HashMap::new(),
            bytes: 0,
            lines: HashMap::new(),
            leased: HashMap::new(),
            once: HashMap::new(),
            once_until: BTreeMap::new(),
            dead: BTreeMap::new(),
            ended: Ended::new(bounds.remember),
            fresh: Vec::new(),
            closed: false,
        }
    }

    pub(super) fn take_fresh(&mut self) -> Vec<Channel> {
        std::mem::take(&mut self.fresh)
    }

    pub(super) fn channels(&self) -> Vec<Channel> {
        self.lines.keys().cloned().collect()
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn put(&mut self, drafts: Vec<Draft>, now: Moment) -> Result<Vec<Kept>, Trouble> {
        if self.closed {
            return Err(Trouble::Closed);
        }
        self.forget_once(now);
        let more = drafts.iter().map(|draft| draft.payload.len() as u64).sum::<u64>();
        let events = self.messages.len() as u64 + drafts.len() as u64;
        let keys = drafts.iter().filter(|draft| draft.once.is_some()).count();
        let is_over = keys > 0 && self.once.len() + keys > MOST_ONCE;
        if events > self.bounds.events || self.bytes + more > self.bounds.bytes || is_over {
            return Err(Trouble::Full(self.bounds));
        }
        Ok(drafts.into_iter().map(|draft| self.add(draft, now)).collect())
    }

    fn add(&mut self, draft: Draft, now: Moment) -> Kept {
        if let Some(number) = draft.once.as_ref().and_then(|once| self.once.get(&once.key)).map(|(n, _)| *n) {
            return Kept { id: id(number), known: true };
        }
        let number = self.number();
        if let Some(once) = draft.once {
            let until = now.plus(once.window);
            self.once.insert(Arc::clone(&once.key), (number, until));
            self.once_until.insert((until, once.key), ());
        }
        let place = Place { number, key: draft.key, due: draft.due };
        self.line(&draft.channel).join(&place);
        self.bytes += draft.payload.len() as u64;
        let message = Message {
            channel: draft.channel,
            payload: draft.payload,
            place,
            put: now,
            attempt: 0,
            notes: Bytes::new(),
            stage: Stage::Waiting,
        };
        self.messages.insert(number, message);
        Kept { id: id(number), known: false }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn line(&mut self, channel: &Channel) -> &mut Line {
        if !self.lines.contains_key(channel) {
            self.fresh.push(channel.clone());
        }
        self.lines.entry(channel.clone()).or_default()
    }

    fn forget_once(&mut self, now: Moment) {
        while let Some(((until, _), ())) = self.once_until.first_key_value() {
            if *until > now {
                return;
            }
            if let Some(((_, key), ())) = self.once_until.pop_first() {
                self.once.remove(&key);
            }
        }
    }

    /// Has keys known as those of messages.
    #[cfg(test)]
    pub(super) fn know_keys(&mut self, keys: impl Iterator<Item = Arc<str>>, until: Moment) {
        self.once.extend(keys.map(|key| (key, (0, until))));
    }

    /// Hands out what is due; if nothing is, says when something will be.
    #[expect(clippy::type_complexity, reason = "both halves are used once")]
    pub(super) fn hand_out(
        &mut self,
        channel: &Channel,
        most: usize,
        now: Moment,
    ) -> Result<(Vec<(Token, Handed)>, Option<Moment>), Trouble> {
        if self.closed {
            return Err(Trouble::Closed);
        }
        let Some(line) = self.lines.get_mut(channel) else { return Ok((Vec::new(), None)) };
        let numbers: Vec<_> = std::iter::from_fn(|| line.next(now)).take(most).collect();
        let next = line.next_due();
        Ok((numbers.into_iter().map(|number| self.hand(number)).collect(), next))
    }

    fn hand(&mut self, number: u64) -> (Token, Handed) {
        let token = Token(self.number());
        self.leased.insert(token, number);
        let message = self.messages.get_mut(&number).expect("what stands in a line is there");
        message.stage = Stage::Running;
        let handed = Handed {
            id: id(number),
            payload: message.payload.clone(),
            attempt: message.attempt,
            notes: message.notes.clone(),
            put: message.put,
        };
        (token, handed)
    }

    pub(super) fn give_back(&mut self, token: Token, now: Moment) {
        let Some(number) = self.leased.remove(&token) else { return };
        let message = self.messages.get_mut(&number).expect("what is leased is there");
        message.stage = Stage::Waiting;
        message.place.due = message.place.due.min(now);
        let line = self.lines.get_mut(&message.channel).expect("a message has a line");
        line.rejoin(&message.place);
    }

    pub(super) fn settle(
        &mut self,
        token: Token,
        verdict: Verdict,
        then: Vec<Draft>,
        now: Moment,
    ) -> Result<(), Trouble> {
        if self.closed {
            return Err(Trouble::Closed);
        }
        let Some(number) = self.leased.remove(&token) else { return Ok(()) };
        self.forget_once(now);
        match verdict {
            Verdict::Done { summary } => self.end(number, State::Done { summary }, now),
            Verdict::Again { due, attempt, notes } => self.again(number, due, (attempt, notes)),
            Verdict::Dead { notes } => self.bury(number, notes, now),
        }
        then.into_iter().for_each(|draft| drop(self.add(draft, now)));
        Ok(())
    }

    fn end(&mut self, number: u64, state: State, now: Moment) {
        let message = self.messages.remove(&number).expect("what ends is there");
        self.bytes -= message.payload.len() as u64;
        self.line(&message.channel).leave(&message.place);
        self.ended.note(number, state, now);
    }

    fn again(&mut self, number: u64, due: Moment, (attempt, notes): (u32, Bytes)) {
        let message = self.messages.get_mut(&number).expect("what is leased is there");
        (message.attempt, message.notes, message.stage) = (attempt, notes, Stage::Waiting);
        message.place.due = due;
        let line = self.lines.get_mut(&message.channel).expect("a message has a line");
        line.rejoin(&message.place);
    }

    fn bury(&mut self, number: u64, notes: Bytes, now: Moment) {
        let order = self.number();
        let message = self.messages.get_mut(&number).expect("what is leased is there");
        (message.notes, message.stage) = (notes, Stage::Dead { order, at: now });
        self.dead.insert(order, number);
        let line = self.lines.get_mut(&message.channel).expect("a message has a line");
        line.leave(&message.place);
    }

    pub(super) fn state(&mut self, id: &SubmissionId, now: Moment) -> Option<State> {
        let number = number(id)?;
        let Some(message) = self.messages.get(&number) else { return self.ended.get(number, now) };
        let (attempt, notes) = (message.attempt, message.notes.clone());
        Some(match message.stage {
            Stage::Waiting => State::Waiting { due: message.place.due, attempt, notes },
            Stage::Running => State::Running { attempt },
            Stage::Dead { .. } => State::Dead { notes },
        })
    }

    pub(super) fn cancel(&mut self, id: &SubmissionId, now: Moment) -> Cancel {
        let Some(number) = number(id) else { return Cancel::Unknown };
        match self.messages.get(&number).map(|message| message.stage) {
            Some(Stage::Waiting) => {
                self.end(number, State::Cancelled, now);
                Cancel::Cancelled
            }
            Some(Stage::Running) => Cancel::Running,
            Some(Stage::Dead { .. }) => Cancel::Over,
            None => match self.ended.get(number, now) {
                Some(State::Cancelled) => Cancel::Cancelled,
                Some(_) => Cancel::Over,
                None => Cancel::Unknown,
            },
        }
    }

    fn dead(&self, id: &SubmissionId) -> Option<(u64, &Message)> {
        let message = self.messages.get(&number(id)?)?;
        match message.stage {
            Stage::Dead { order, .. } => Some((order, message)),
            Stage::Waiting | Stage::Running => None,
        }
    }

    pub(super) fn letters(&self, channel: Option<&Channel>, after: u64, most: usize) -> Vec<Letter> {
        let messages =
            self.dead.range(after.saturating_add(1)..).filter_map(|(_, number)| self.messages.get(number));
        let fitting = messages.filter(|message| channel.is_none_or(|wanted| *wanted == message.channel));
        fitting.take(most).map(to_letter).collect()
    }

    pub(super) fn letter(&self, id: &SubmissionId) -> Option<Letter> {
        self.dead(id).map(|(_, message)| to_letter(message))
    }

    pub(super) fn revive(&mut self, id: &SubmissionId, now: Moment) -> bool {
        let Some((order, message)) = self.dead(id) else { return false };
        let number = message.place.number;
        self.dead.remove(&order);
        let message = self.messages.get_mut(&number).expect("it was found before");
        (message.attempt, message.notes, message.stage) = (0, Bytes::new(), Stage::Waiting);
        (message.place.due, message.put) = (now, now);
        let line = self.lines.get_mut(&message.channel).expect("a message has a line");
        line.join(&message.place);
        true
    }

    pub(super) fn purge(&mut self, id: &SubmissionId) -> bool {
        let Some((order, message)) = self.dead(id) else { return false };
        let number = message.place.number;
        self.bytes -= message.payload.len() as u64;
        self.dead.remove(&order);
        self.messages.remove(&number);
        true
    }

    pub(super) fn depth(&self, channel: &Channel) -> Depth {
        let Some(line) = self.lines.get(channel) else { return Depth::default() };
        let failed = |number: &u64| self.messages.get(number).is_some_and(|message| message.attempt > 0);
        let dead = self.dead.values().filter_map(|number| self.messages.get(number));
        Depth {
            retrying: line.waiting().filter(failed).count() as u64,
            dead: dead.filter(|message| message.channel == *channel).count() as u64,
            oldest: line.waiting().filter_map(|number| Some(self.messages.get(&number)?.put)).min(),
            ..line.depth()
        }
    }
}

fn to_letter(message: &Message) -> Letter {
    let (order, died) = match message.stage {
        Stage::Dead { order, at } => (order, at),
        Stage::Waiting | Stage::Running => (0, message.put),
    };
    Letter {
        id: id(message.place.number),
        channel: message.channel.clone(),
        payload: message.payload.clone(),
        notes: message.notes.clone(),
        died,
        order,
    }
}

fn id(number: u64) -> SubmissionId {
    SubmissionId::new(format!("m-{number}"))
}

fn number(id: &SubmissionId) -> Option<u64> {
    id.as_str().strip_prefix("m-")?.parse().ok()
}
