//! The right of one request to be served beside others of its route.

use std::sync::Arc;

use crate::admission::{Amount, Gate, Ticket};

/// The right of one request to be served; dropping it lets another one in.
pub(crate) struct Permit(Arc<Gate>);

impl Permit {
    /// Takes one if there is one; nobody waits.
    pub(crate) fn take(gate: &Arc<Gate>) -> Option<Self> {
        gate.try_take(Amount::one()).map(Ticket::keep)?;
        Some(Self(Arc::clone(gate)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.give_back(Amount::one());
    }
}
