//! Settles what became of an event, however long the store takes for it.

use std::time::Duration;

use crate::broker::{Lease, Trouble};
use crate::delivery::Delivery;
use crate::delivery::deliver::Ending;
use crate::delivery::sequel::Sequel;

/// Between attempts to settle; doubled up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

impl Delivery {
    /// Settles a message; while the store has trouble, the message is held, as it would only run again.
    pub(super) async fn settle(&self, lease: &mut Lease, ending: Ending) {
        let (mut pause, mut refusals) = (FIRST, 0);
        loop {
            let then = ending.then.after(refusals).to_vec();
            let trouble = match lease.settle(ending.verdict.clone(), then).await {
                Ok(()) => return self.tally.note(&ending.verdict),
                Err(Trouble::Closed) => return,
                Err(trouble) => trouble,
            };
            tracing::warn!(?trouble, id = %lease.id, "an ending cannot be kept; it is tried again");
            refusals = Sequel::count(refusals, &trouble);
            if !ending.then.is_cut_after(refusals) {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST);
            }
        }
    }
}
