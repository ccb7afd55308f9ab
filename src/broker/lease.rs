//! Exclusive use of one message.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::broker::{Draft, Store, SubmissionId, Trouble, Verdict};
use crate::wall::Moment;

/// What a store knows a lease by; never given twice by one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Token(pub(crate) u64);

/// Exclusive use of one message; dropping it gives the message back.
#[must_use]
pub(crate) struct Lease {
    pub(crate) id: SubmissionId,
    pub(crate) payload: Bytes,
    /// How often it failed before.
    pub(crate) attempt: u32,
    /// What was noted then.
    pub(crate) notes: Bytes,
    /// When it was put.
    pub(crate) put: Moment,
    held: Option<Held>,
}

struct Held {
    store: Arc<dyn Store>,
    token: Token,
}

/// What a store says of a message that it hands out.
pub(crate) struct Handed {
    pub(crate) id: SubmissionId,
    pub(crate) payload: Bytes,
    pub(crate) attempt: u32,
    pub(crate) notes: Bytes,
    pub(crate) put: Moment,
}

impl Lease {
    pub(crate) fn new(store: Arc<dyn Store>, token: Token, handed: Handed) -> Self {
        let Handed { id, payload, attempt, notes, put } = handed;
        Self { id, payload, attempt, notes, put, held: Some(Held { store, token }) }
    }

    /// Ends the lease, and keeps what follows from it in the same step; on trouble it is held still, and may be
    /// settled again.
    ///
    /// # Cancel safety
    ///
    /// When it is dropped midway, the message may be settled or given back.
    pub(crate) async fn settle(&mut self, verdict: Verdict, then: Vec<Draft>) -> Result<(), Trouble> {
        let held = self.held.as_ref().expect("a lease is settled once");
        held.store.settle(held.token, verdict, then).await?;
        self.held = None;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            held.store.give_back(held.token);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("id", &self.id).field("attempt", &self.attempt).finish_non_exhaustive()
    }
}
