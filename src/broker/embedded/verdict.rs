//! What becomes of messages: verdicts, cancelling, dead letters that are sent again or forgotten.

use redb::ReadableTable;

use crate::broker::embedded::effect::Effect;
use crate::broker::embedded::line::Stand;
use crate::broker::embedded::pen::{Outcome, Pen};
use crate::broker::embedded::queue::Settled;
use crate::broker::embedded::tables::{End, Head, Size, Tries, pack, unpack};
use crate::broker::{Cancel, State, Verdict};
use crate::wall::Moment;

/// A message that was read to be changed.
struct Found {
    channel: u32,
    key: Option<String>,
    put: u64,
    due: u64,
    size: u32,
    tries: Tries,
}

impl Found {
    fn head(&self) -> Head<'_> {
        Head { channel: self.channel, put: self.put, due: self.due, key: self.key.as_deref() }
    }

    fn stand(&self) -> Stand {
        Stand { put: self.tries.put, attempt: self.tries.attempt, size: self.size }
    }
}

impl Pen<'_> {
    fn find(&self, number: u64) -> Outcome<Option<Found>> {
        let Some(row) = self.messages.get(number)? else { return Ok(None) };
        let (head, payload) = unpack::<Head<'_>>(row.value())?;
        let tries = match self.tries.get(number)? {
            Some(row) => unpack::<Tries>(row.value())?.0,
            None => Tries::none(number, &head),
        };
        Ok(Some(Found {
            channel: head.channel,
            key: head.key.map(String::from),
            put: head.put,
            due: head.due,
            size: payload.len() as u32,
            tries,
        }))
    }

    /// Writes what became of a message that was handed out.
    pub(super) fn settle(&mut self, settled: &Settled) -> Outcome<()> {
        match &settled.verdict {
            Verdict::Done { summary } => self.finish(settled, summary)?,
            Verdict::Again { due, attempt, notes } => self.retry(settled, (*due, *attempt), notes)?,
            Verdict::Dead { notes } => self.bury(settled, notes)?,
        }
        for draft in &settled.then {
            self.add(draft)?;
        }
        Ok(())
    }

    fn finish(&mut self, settled: &Settled, summary: &[u8]) -> Outcome<()> {
        let number = settled.number;
        if let Some(found) = self.find(number)? {
            self.unqueue(number, &found.head(), &found.tries)?;
            self.erase(number)?;
            self.end((number, false), settled.at, summary)?;
        }
        self.work.effects.push(Effect::Changed { number });
        Ok(())
    }

    fn erase(&mut self, number: u64) -> Outcome<()> {
        self.messages.remove(number)?;
        self.tries.remove(number)?;
        Ok(())
    }

    fn end(&mut self, (number, is_cancelled): (u64, bool), at: Moment, summary: &[u8]) -> Outcome<()> {
        let order = self.number();
        let end = End { number, at: at.0, is_cancelled };
        self.ended.insert(order, pack(&end, summary).as_slice())?;
        self.work.effects.push(Effect::Ended { order, number, at });
        Ok(())
    }

    fn retry(&mut self, settled: &Settled, (due, attempt): (Moment, u32), notes: &[u8]) -> Outcome<()> {
        let Settled { number, channel, place, stand, .. } = *settled;
        let turn = match self.tries.get(number)? {
            Some(row) => unpack::<Tries>(row.value())?.0.turn,
            None => number,
        };
        let stand = Stand { attempt, ..stand };
        let tries = Tries { attempt, put: stand.put, due: due.0, turn, grave: None };
        self.ready.remove((channel, place.0, number))?;
        self.ready.insert((channel, due.0, number), Size::from(stand))?;
        self.tries.insert(number, pack(&tries, notes).as_slice())?;
        self.work.effects.push(Effect::Changed { number });
        self.work.effects.push(Effect::Shown { channel, place: (due.0, number), stand });
        Ok(())
    }

    fn bury(&mut self, settled: &Settled, notes: &[u8]) -> Outcome<()> {
        let number = settled.number;
        if let Some(found) = self.find(number)? {
            self.unqueue(number, &found.head(), &found.tries)?;
            let order = self.number();
            let tries = Tries { grave: Some((order, settled.at.0)), ..found.tries };
            self.tries.insert(number, pack(&tries, notes).as_slice())?;
            self.dead.insert(order, (number, found.channel, found.size))?;
        }
        self.work.effects.push(Effect::Changed { number });
        Ok(())
    }

    pub(super) fn cancel(&mut self, number: u64) -> Outcome<Cancel> {
        {
            let mut board = self.board.lock();
            // Given while this group was being written: to this group, it is handed out still.
            let is_settled_since =
                matches!(board.changing(number), Some(Some(_))) && !self.is_settled(number);
            if board.attempt(number).is_some() || is_settled_since {
                return Ok(Cancel::Running);
            }
            // From here on it is not handed out.
            board.hold(number);
        }
        self.work.held.push(number);
        let cancelled = self.cancel_held(number)?;
        self.work.effects.push(Effect::Changed { number });
        Ok(cancelled)
    }

    /// Tells whether the verdict of a message is in this group.
    fn is_settled(&self, number: u64) -> bool {
        let is_its =
            |effect: &Effect| matches!(effect, Effect::Changed { number: known } if *known == number);
        self.work.effects.iter().any(is_its)
    }

    fn cancel_held(&mut self, number: u64) -> Outcome<Cancel> {
        let Some(found) = self.find(number)? else { return self.ended_as(number) };
        if found.tries.grave.is_some() {
            return Ok(Cancel::Over);
        }
        self.unqueue(number, &found.head(), &found.tries)?;
        self.erase(number)?;
        let (channel, stand) = (found.channel, found.stand());
        self.work.effects.push(Effect::Left { channel, place: (found.tries.due, number), stand });
        self.work.effects.push(Effect::Released { events: 1, bytes: u64::from(stand.size) });
        self.end((number, true), self.now, b"")?;
        Ok(Cancel::Cancelled)
    }

    fn ended_as(&self, number: u64) -> Outcome<Cancel> {
        let order = {
            let board = self.board.lock();
            match board.changing(number) {
                Some(Some(State::Cancelled)) => return Ok(Cancel::Cancelled),
                Some(Some(_)) => return Ok(Cancel::Over),
                Some(None) | None => board.ending(number),
            }
        };
        let Some(order) = order else { return Ok(Cancel::Unknown) };
        let Some(row) = self.ended.get(order)? else { return Ok(Cancel::Unknown) };
        let (end, _) = unpack::<End>(row.value())?;
        Ok(match end {
            _ if !self.board.lock().remembers(Moment(end.at), self.now) => Cancel::Unknown,
            End { is_cancelled: true, .. } => Cancel::Cancelled,
            End { .. } => Cancel::Over,
        })
    }

    fn find_dead(&self, number: u64) -> Outcome<Option<(u64, Found)>> {
        let found = self.find(number)?;
        Ok(found.and_then(|found| Some((found.tries.grave?.0, found))))
    }

    pub(super) fn revive(&mut self, number: u64) -> Outcome<bool> {
        let Some((order, found)) = self.find_dead(number)? else { return Ok(false) };
        self.dead.remove(order)?;
        // Others of its key went on meanwhile, so that it stands behind them.
        let turn = self.number();
        let tries = Tries { attempt: 0, put: self.now.0, due: self.now.0, turn, grave: None };
        self.tries.insert(number, pack(&tries, b"").as_slice())?;
        // It must not be met on disk before it is counted here.
        self.board.lock().hold(number);
        self.work.held.push(number);
        self.work.effects.push(Effect::Changed { number });
        self.work.effects.push(Effect::Raised { channel: found.channel });
        self.join((number, found.size), &found.head(), &tries)?;
        Ok(true)
    }

    pub(super) fn purge(&mut self, number: u64) -> Outcome<bool> {
        let Some((order, found)) = self.find_dead(number)? else { return Ok(false) };
        self.dead.remove(order)?;
        self.erase(number)?;
        self.work.effects.push(Effect::Raised { channel: found.channel });
        self.work.effects.push(Effect::Released { events: 1, bytes: u64::from(found.size) });
        Ok(true)
    }
}
