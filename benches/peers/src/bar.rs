//! What the table must show: how much faster than extism an echo of 256 bytes is, at the least.

use std::fmt;

use crate::measure::{Spread, Times};
use crate::work::{Life, SMALL_ECHO, Work};

/// The least ratio, and the one that was measured.
pub(crate) struct Bar {
    life: Life,
    least: f64,
    ratio: Option<Spread>,
}

pub(crate) fn all() -> [Bar; 2] {
    [(Life::Fresh, 15.0), (Life::Live, 8.0)].map(|(life, least)| Bar { life, least, ratio: None })
}

impl Bar {
    /// Takes the row that it is about: on one thread.
    pub(crate) fn see(&mut self, work: &Work, life: Life, threads: usize, times: &Times) {
        if (work.title, life, threads) == (SMALL_ECHO, self.life, 1) {
            self.ratio = Some(times.ratio);
        }
    }

    pub(crate) fn holds(&self) -> bool {
        self.ratio.is_some_and(|ratio| ratio.median >= self.least)
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.holds() { "yes" } else { "no" };
        let measured = self.ratio.map_or(f64::NAN, |ratio| ratio.median);
        write!(
            f,
            "holds: {verdict}: {SMALL_ECHO}, {}: at least {} times faster than extism, measured {measured:.1}",
            self.life, self.least
        )
    }
}
