//! Spreads ticks in time, the same way on every machine.

use std::time::Duration;

use super::ticks::tick_name;

/// Keeps these numbers apart from other uses of the hash; changing it moves every tick.
const PURPOSE: &str = "fnhost schedule: jitter of ticks, 1";

/// Spreads ticks in time.
///
/// What starts at the same minute everywhere would come all at once. A tick is put off by a part of the bound that
/// its name alone decides, so that all machines agree and a tick that is looked at again is not moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Jitter {
    bound: Duration,
}

impl Jitter {
    /// Puts ticks off by less than this; a bound of 0 leaves them where they are.
    pub(crate) fn below(bound: Duration) -> Self {
        Self { bound }
    }

    /// Returns the bound.
    pub(crate) fn most(&self) -> Duration {
        self.bound
    }

    /// Returns by how much a tick is put off, in whole milliseconds.
    pub(crate) fn delay(&self, trigger: &str, tick: i64) -> Duration {
        let mut hasher = blake3::Hasher::new_derive_key(PURPOSE);
        hasher.update(tick_name(trigger, tick).as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        // The high part of the product is even over the bound, but for one part in 2^64 of it.
        let part = u128::from(u64::from_le_bytes(first)) * u128::from(self.millis());
        Duration::from_millis(u64::try_from(part >> 64).expect("it is below the bound"))
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.bound.as_millis()).unwrap_or(u64::MAX)
    }
}
