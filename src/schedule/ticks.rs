//! The ticks of a time that has passed, and their names.

use std::iter::successors;

use jiff::Timestamp;

use super::Schedule;

impl Schedule {
    /// Returns the ticks behind `from` up to and with `to`, the oldest first, and no more than `most`.
    pub(crate) fn ticks_between(&self, from: i64, to: i64, most: usize) -> impl Iterator<Item = i64> {
        let upto = move |tick: &i64| *tick <= to;
        successors(self.next_after(from).filter(upto), move |tick| self.next_after(*tick).filter(upto))
            .take(most)
    }

    /// Returns the newest of the ticks behind `from` up to and with `to`, without looking at each.
    pub(crate) fn last_between(&self, from: i64, to: i64) -> Option<i64> {
        let has_tick = |after: i64| self.next_after(after).is_some_and(|tick| tick <= to);
        if !has_tick(from) {
            return None;
        }
        // Behind `early` there is a tick, behind `late` there is none any more.
        let (mut early, mut late) = (from, to);
        while late.saturating_sub(early) > 1 {
            let middle = early.midpoint(late);
            if has_tick(middle) { early = middle } else { late = middle }
        }
        Some(late)
    }
}

/// Names a tick, the same on every machine: `nightly@2026-11-25T03:00:00Z`.
pub(crate) fn tick_name(trigger: &str, tick: i64) -> String {
    match Timestamp::from_millisecond(tick) {
        Ok(time) => format!("{trigger}@{time}"),
        // Outside the years that can be told, where no cron expression has ticks.
        Err(_) => format!("{trigger}@{tick}ms"),
    }
}
