//! What is known in memory: what is handed out, what is about to change, and how much there is.
//!
//! It is bounded by what is handed out and by the channels, not by what waits: about 100 bytes for each ending that is
//! remembered, and for each channel a window of what comes next.

use std::collections::{HashMap, VecDeque};

use crate::broker::embedded::effect::Effect;
use crate::broker::embedded::line::{Edge, Line, Place, Stand};
use crate::broker::embedded::queue::Settled;
use crate::broker::{Bounds, Channel, Draft, State, Token, Trouble, Verdict};
use crate::wall::Moment;

/// How many endings are known at most.
const MOST_ENDED: usize = 100_000;
/// How many endings are forgotten in one step.
const MOST_FORGOTTEN: usize = 1_024;

/// A message that is handed out.
#[derive(Clone, Copy)]
pub(super) struct Out {
    pub(super) number: u64,
    pub(super) channel: u32,
    pub(super) place: Place,
    pub(super) stand: Stand,
}

/// An ending that is known.
struct Ending {
    order: u64,
    number: u64,
    at: Moment,
}

/// What is known in memory.
pub(super) struct Board {
    bounds: Bounds,
    events: u64,
    bytes: u64,
    pub(super) lines: Vec<Line>,
    ids: HashMap<Channel, u32>,
    out: HashMap<Token, Out>,
    running: HashMap<u64, u32>,
    next_token: u64,
    /// Messages from this number on are on disk perhaps, but not counted here yet.
    pub(super) horizon: u64,
    /// What is about to change on disk, with what is said of it already. It is not handed out.
    changing: HashMap<u64, Option<State>>,
    endings: VecDeque<Ending>,
    ended: HashMap<u64, u64>,
    pub(super) is_closed: bool,
}

impl Board {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            events: 0,
            bytes: 0,
            lines: Vec::new(),
            ids: HashMap::new(),
            out: HashMap::new(),
            running: HashMap::new(),
            next_token: 1,
            horizon: 0,
            changing: HashMap::new(),
            endings: VecDeque::new(),
            ended: HashMap::new(),
            is_closed: false,
        }
    }

    /// Takes room for what is to be put.
    pub(super) fn reserve(&mut self, drafts: &[Draft]) -> Result<(), Trouble> {
        let (events, bytes) = room_of(drafts);
        let is_over =
            self.events + events > self.bounds.events || self.bytes.saturating_add(bytes) > self.bounds.bytes;
        if is_over {
            return Err(Trouble::Full(self.bounds));
        }
        self.occupy(events, bytes);
        Ok(())
    }

    /// Counts what is kept without a bound.
    pub(super) fn occupy(&mut self, events: u64, bytes: u64) {
        self.events += events;
        self.bytes += bytes;
    }

    pub(super) fn release(&mut self, events: u64, bytes: u64) {
        self.events = self.events.saturating_sub(events);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Returns what a channel is known by here; it gets a number when it is new.
    pub(super) fn id(&mut self, channel: &Channel) -> u32 {
        if let Some(id) = self.ids.get(channel) {
            return *id;
        }
        let id = self.lines.len() as u32;
        self.lines.push(Line::new(channel.clone()));
        self.ids.insert(channel.clone(), id);
        id
    }

    /// Takes over what the disk knows a channel by; numbers are left out that were given to channels never put to.
    pub(super) fn name(&mut self, id: u32, channel: &Channel) {
        self.lines.resize_with(id as usize, || Line::new(Channel::new("")));
        self.lines.push(Line::new(channel.clone()));
        self.line(id).is_kept = true;
        self.ids.insert(channel.clone(), id);
    }

    pub(super) fn known(&self, channel: &Channel) -> Option<u32> {
        self.ids.get(channel).copied()
    }

    pub(super) fn line(&mut self, id: u32) -> &mut Line {
        &mut self.lines[id as usize]
    }

    /// Hands out the first of a channel that is due.
    pub(super) fn hand_out(&mut self, channel: u32, now: Moment) -> Option<(Token, Out)> {
        let (place, stand) = self.next_free(channel, now)?;
        let line = self.line(channel);
        line.discount_waiting(stand);
        line.counts().running += 1;
        let (number, token) = (place.1, Token(self.next_token));
        self.next_token += 1;
        let out = Out { number, channel, place, stand };
        self.running.insert(number, stand.attempt);
        self.out.insert(token, out);
        Some((token, out))
    }

    /// Takes the first of a channel that is due and not held to be cancelled; one that is held goes, or is read anew.
    fn next_free(&mut self, channel: u32, now: Moment) -> Option<(Place, Stand)> {
        loop {
            let next = self.line(channel).next(now)?;
            if !self.changing.contains_key(&next.0.1) {
                return Some(next);
            }
        }
    }

    /// Shows what was read from disk up to an edge.
    pub(super) fn fill(&mut self, channel: u32, read: &[(Place, Stand)], edge: Edge) {
        self.line(channel).reach(edge);
        for (place, stand) in read {
            if place.1 < self.horizon {
                self.show(channel, *place, *stand);
            }
        }
    }

    /// Tells whether nothing is about to change.
    pub(super) fn is_settled(&self) -> bool {
        self.changing.is_empty()
    }

    /// Tells whether it must not be handed out, or is.
    fn is_busy(&self, number: u64) -> bool {
        self.running.contains_key(&number) || self.changing.contains_key(&number)
    }

    pub(super) fn attempt(&self, number: u64) -> Option<u32> {
        self.running.get(&number).copied()
    }

    /// Returns what is said of a message that is about to change.
    pub(super) fn changing(&self, number: u64) -> Option<&Option<State>> {
        self.changing.get(&number)
    }

    /// Keeps a message from being handed out until it has changed.
    pub(super) fn hold(&mut self, number: u64) {
        self.changing.entry(number).or_insert(None);
    }

    fn take_back(&mut self, token: Token) -> Option<Out> {
        let out = self.out.remove(&token)?;
        self.running.remove(&out.number);
        self.line(out.channel).counts().running -= 1;
        Some(out)
    }

    pub(super) fn is_out(&self, token: Token) -> bool {
        self.out.contains_key(&token)
    }

    /// Ends a lease as if it had not been.
    pub(super) fn give_back(&mut self, token: Token) -> Option<u32> {
        let out = self.take_back(token)?;
        let line = self.line(out.channel);
        line.count_waiting(out.stand);
        line.show(out.place, out.stand);
        Some(out.channel)
    }

    /// Ends a lease with a verdict, which is told from now on.
    pub(super) fn settle(
        &mut self,
        token: Token,
        (verdict, then): (Verdict, Vec<Draft>),
        at: Moment,
    ) -> Option<Settled> {
        let out = self.take_back(token)?;
        let line = &mut self.lines[out.channel as usize];
        let state = match verdict.clone() {
            Verdict::Done { summary } => {
                self.release(1, u64::from(out.stand.size));
                State::Done { summary }
            }
            Verdict::Again { due, attempt, notes } => {
                line.count_waiting(Stand { attempt, ..out.stand });
                State::Waiting { due, attempt, notes }
            }
            Verdict::Dead { notes } => {
                line.counts().dead += 1;
                State::Dead { notes }
            }
        };
        self.changing.insert(out.number, Some(state));
        let (events, bytes) = room_of(&then);
        self.occupy(events, bytes);
        let Out { number, channel, place, stand } = out;
        Some(Settled { number, channel, place, stand, at, verdict, then })
    }

    /// Makes true here what is true on disk.
    pub(super) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Named { channel } => self.line(*channel).is_kept = true,
            Effect::Joined { channel, place, stand, is_ready } => {
                self.line(*channel).count_waiting(*stand);
                if *is_ready {
                    self.show(*channel, *place, *stand);
                }
            }
            Effect::Shown { channel, place, stand } => self.show(*channel, *place, *stand),
            Effect::Changed { number } => drop(self.changing.remove(number)),
            Effect::Left { channel, place, stand } => {
                let line = self.line(*channel);
                line.hide(*place);
                line.discount_waiting(*stand);
            }
            Effect::Raised { channel } => self.line(*channel).counts().dead -= 1,
            Effect::Released { events, bytes } => self.release(*events, *bytes),
            Effect::Ended { order, number, at } => self.note_ending(*order, *number, *at),
            Effect::Forgotten { order } => self.forget(*order),
        }
    }

    fn show(&mut self, channel: u32, place: Place, stand: Stand) {
        // It may have been met on disk and handed out before it was told of here.
        if !self.is_busy(place.1) {
            self.line(channel).show(place, stand);
        }
    }

    pub(super) fn note_ending(&mut self, order: u64, number: u64, at: Moment) {
        self.endings.push_back(Ending { order, number, at });
        self.ended.insert(number, order);
    }

    fn forget(&mut self, order: u64) {
        while self.endings.front().is_some_and(|ending| ending.order <= order) {
            if let Some(ending) = self.endings.pop_front() {
                self.ended.remove(&ending.number);
            }
        }
    }

    /// Returns the last ending that need not be known any more.
    pub(super) fn forgettable(&self, now: Moment) -> Option<u64> {
        let over = self.endings.len().saturating_sub(MOST_ENDED);
        let old = self.endings.iter().take(MOST_FORGOTTEN).enumerate();
        let old = old.take_while(|(nth, ending)| *nth < over || now.since(ending.at) >= self.bounds.remember);
        old.last().map(|(_, ending)| ending.order)
    }

    /// Returns where it is written how a message ended.
    pub(super) fn ending(&self, number: u64) -> Option<u64> {
        self.ended.get(&number).copied()
    }

    pub(super) fn remembers(&self, at: Moment, now: Moment) -> bool {
        now.since(at) < self.bounds.remember
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Forgets what comes next in each channel, as it is to be read anew.
    pub(super) fn reset(&mut self) {
        self.lines.iter_mut().for_each(Line::reset);
    }

    /// Lets a message be handed out again that did not change.
    pub(super) fn let_go(&mut self, number: u64) {
        if let Some(None) = self.changing.get(&number) {
            self.changing.remove(&number);
        }
    }
}

/// Returns how many events and bytes drafts are.
pub(super) fn room_of(drafts: &[Draft]) -> (u64, u64) {
    (drafts.len() as u64, drafts.iter().map(|draft| draft.payload.len() as u64).sum())
}
