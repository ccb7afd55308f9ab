//! May this start now: bounds that are waited for in order of arrival, and rates that nobody waits for.

mod gate;
#[cfg(feature = "http")]
mod rate;

pub(crate) use self::gate::{Amount, Gate, Refused, Ticket};
#[cfg(feature = "http")]
pub(crate) use self::rate::Bucket;
#[cfg(feature = "http")]
pub use self::rate::Rate;
