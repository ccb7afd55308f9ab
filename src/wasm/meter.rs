//! What a guest's memories and tables may grow to, and how long it may run.

use std::fmt;
use std::time::Instant;

use crate::admission::{Amount, Gate};
use crate::block_on::is_blocked;
use crate::clock::Cut;
use crate::error::{ErrorKind, MemoryScope};
use crate::limits::PAGE;
use crate::wasm::state::State;

/// How many guests make way for one growth at most: others may be made as fast as they go.
const MOST_MADE_WAY: u32 = 100;

/// Meters one guest.
pub(crate) struct Meter {
    memory_limit: u64,
    table_limit: u64,
    /// The sum over all memories now.
    memory: u64,
    peak: u64,
    /// What the guest's place came with, and what was taken from the runtime's room beyond it.
    granted: u64,
    grown: u64,
    /// The last request that was refused: engines and guests turn it into all sorts of traps and aborts.
    refused: Option<Refusal>,
    lifted: bool,
}

/// Where memory comes from.
pub(crate) struct Room<'a> {
    pub(crate) gate: &'a Gate,
    /// Discards a guest that serves nobody; tells whether there was one.
    pub(crate) make_way: &'a dyn Fn() -> bool,
}

#[derive(Clone, Copy, Debug)]
enum Refusal {
    Memory { scope: MemoryScope, limit: u64, asked: u64 },
    Table { limit: u64, asked: u64 },
}

impl Meter {
    /// `granted` is how many pages came with the guest's place.
    pub(crate) fn new(memory_limit: u64, table_limit: u32, granted: u64) -> Self {
        Self {
            memory_limit,
            table_limit: table_limit.into(),
            memory: 0,
            peak: 0,
            granted,
            grown: 0,
            refused: None,
            lifted: false,
        }
    }

    pub(crate) fn pages(&self) -> u64 {
        self.memory.div_ceil(PAGE)
    }

    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }

    /// Notes that what the place came with beyond the present need was given back.
    pub(crate) fn settle(&mut self) {
        self.granted = self.granted.min(self.pages());
    }

    /// Lets memories grow from now on; what they grow by is not counted.
    pub(crate) fn lift(&mut self) {
        self.lifted = true;
    }

    /// Begins a new event: the peak is the event's own.
    pub(crate) fn begin(&mut self) {
        self.peak = self.memory;
        self.refused = None;
    }

    /// Answers what was refused, as the error that it is.
    pub(crate) fn refusal(&self) -> Option<ErrorKind> {
        self.refused.map(|refusal| match refusal {
            Refusal::Memory { scope, limit, asked } => ErrorKind::MemoryExceeded { scope, limit, asked },
            Refusal::Table { limit, asked } => ErrorKind::TableExceeded { limit, asked },
        })
    }

    fn grow(&mut self, room: &Room<'_>, more: u64) -> Result<(), Refusal> {
        let asked = self.memory.saturating_add(more);
        if asked > self.memory_limit {
            return Err(Refusal::Memory { scope: MemoryScope::Function, limit: self.memory_limit, asked });
        }
        let pages = asked.div_ceil(PAGE).saturating_sub(self.granted + self.grown);
        let mut made_way = 0;
        while pages > 0 && !room.gate.grow(Amount::new(0, pages)) {
            // One that runs is worth more than one that stands idle or ready.
            if made_way < MOST_MADE_WAY && (room.make_way)() {
                made_way += 1;
                continue;
            }
            let limit = room.gate.total().pages() * PAGE;
            let asked = (room.gate.out().pages() + pages) * PAGE;
            return Err(Refusal::Memory { scope: MemoryScope::Runtime, limit, asked });
        }
        self.grown += pages;
        self.memory = asked;
        self.peak = self.peak.max(asked);
        Ok(())
    }

    /// Gives back what was taken beyond the place; the guest is going.
    pub(crate) fn give_back(&mut self, room: &Gate) {
        if self.grown > 0 {
            room.give_back(Amount::new(0, std::mem::take(&mut self.grown)));
        }
    }

    /// Judges one memory's wish; each call tells of one memory, the limit is over the sum of all.
    pub(crate) fn memory(
        &mut self,
        room: &Room<'_>,
        current: usize,
        desired: usize,
        most: Option<usize>,
    ) -> bool {
        if self.lifted {
            return true;
        }
        // What the memory's own type forbids is the guest's affair, and no limit of ours.
        if most.is_some_and(|most| desired > most) {
            return false;
        }
        let grown = self.grow(room, desired.saturating_sub(current) as u64);
        self.judge(grown)
    }

    /// Judges one table's wish.
    pub(crate) fn table(&mut self, desired: usize, most: Option<usize>) -> bool {
        if most.is_some_and(|most| desired > most) {
            return false;
        }
        let (asked, limit) = (desired as u64, self.table_limit);
        self.judge(if asked <= limit { Ok(()) } else { Err(Refusal::Table { limit, asked }) })
    }

    fn judge(&mut self, asked: Result<(), Refusal>) -> bool {
        self.refused = asked.err().or(self.refused);
        asked.is_ok()
    }
}

/// Stops a guest from inside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop(pub(crate) Cut);

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Cut::Deadline => "the deadline passed",
            Cut::Cancelled => "the runtime cancels what is left",
        })
    }
}

impl std::error::Error for Stop {}

/// Runs at each tick of the clock inside a guest that spins: stops it at its own deadline, and lets others run
/// before that.
#[expect(clippy::needless_pass_by_value, reason = "the shape that the engine wants")]
pub(crate) fn on_tick(
    store: wasmtime::StoreContextMut<'_, State>,
) -> wasmtime::Result<wasmtime::UpdateDeadline> {
    let state = store.data();
    if state.linked.face.is_cancelled() {
        return Err(Stop(Cut::Cancelled).into());
    }
    if Instant::now() >= state.deadline {
        return Err(Stop(Cut::Deadline).into());
    }
    if is_blocked() {
        return Ok(wasmtime::UpdateDeadline::Yield(1));
    }
    // A plain yield goes straight back on a tokio worker's own slot and starves its other tasks.
    Ok(wasmtime::UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MIB;

    const MIB_: usize = MIB as usize;

    fn room(pages: u64) -> Gate {
        Gate::new(Amount::new(1, pages), 1)
    }

    fn alone(gate: &Gate) -> Room<'_> {
        Room { gate, make_way: &|| false }
    }

    #[test]
    fn the_limit_is_over_the_sum_of_all_memories() {
        let (room, mut meter) = (room(1000), Meter::new(4 * MIB, 10, 0));
        for _ in 0..4 {
            assert!(meter.memory(&alone(&room), 0, MIB_, None));
        }
        assert!(!meter.memory(&alone(&room), 0, MIB_, None));
        let refusal = meter.refusal().unwrap();
        let expected =
            ErrorKind::MemoryExceeded { scope: MemoryScope::Function, limit: 4 * MIB, asked: 5 * MIB };
        assert_eq!(format!("{refusal:?}"), format!("{expected:?}"));
    }

    #[test]
    fn what_exceeds_the_place_is_taken_from_the_room_and_given_back() {
        let (room, mut meter) = (room(20), Meter::new(100 * MIB, 10, 16));
        let page = PAGE as usize;
        assert!(meter.memory(&alone(&room), 0, 18 * page, None));
        assert_eq!(room.out().pages(), 2);
        assert!(!meter.memory(&alone(&room), 18 * page, 60 * page, None));
        assert!(matches!(
            meter.refusal(),
            Some(ErrorKind::MemoryExceeded { scope: MemoryScope::Runtime, .. })
        ));
        meter.give_back(&room);
        assert!(room.is_idle());
    }

    #[test]
    fn guests_that_serve_nobody_make_way_for_one_that_grows() {
        let (gate, mut meter) = (room(20), Meter::new(100 * MIB, 10, 0));
        let idle = std::cell::Cell::new(3);
        (0..3).for_each(|_| assert!(gate.grow(Amount::new(0, 5))));
        let make_way = || {
            let left = idle.get();
            if left > 0 {
                idle.set(left - 1);
                gate.give_back(Amount::new(0, 5));
            }
            left > 0
        };
        let room = Room { gate: &gate, make_way: &make_way };
        assert!(meter.memory(&room, 0, 12 * PAGE as usize, None));
        assert_eq!(idle.get(), 1, "no more than needed");
        assert!(!meter.memory(&room, 12 * PAGE as usize, 30 * PAGE as usize, None));
        assert_eq!(idle.get(), 0);
    }

    #[test]
    fn a_memory_at_its_own_maximum_is_no_refusal_of_ours() {
        let (room, mut meter) = (room(1000), Meter::new(MIB, 10, 0));
        assert!(!meter.memory(&alone(&room), 0, 2 * MIB_, Some(MIB_)));
        assert!(meter.refusal().is_none());
    }

    #[test]
    fn a_table_has_its_limit() {
        let mut meter = Meter::new(MIB, 10, 0);
        assert!(meter.table(10, None));
        assert!(!meter.table(11, None));
        assert!(matches!(meter.refusal(), Some(ErrorKind::TableExceeded { limit: 10, asked: 11 })));
    }
}
