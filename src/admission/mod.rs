//! May this start now: bounds that are waited for in order of arrival.

mod gate;

pub(crate) use self::gate::{Amount, Gate, Refused, Ticket};
