//! What a commit changes of what is known in memory, once it is safe.

use crate::broker::embedded::line::{Place, Stand};
use crate::wall::Moment;

/// One change.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    /// The disk knows the channel.
    Named {
        channel: u32,
    },
    /// A message waits that did not.
    Joined {
        channel: u32,
        place: Place,
        stand: Stand,
        is_ready: bool,
    },
    /// A message that waits may be handed out.
    Shown {
        channel: u32,
        place: Place,
        stand: Stand,
    },
    /// What was said of a message stands on disk.
    Changed {
        number: u64,
    },
    /// A message waits no more.
    Left {
        channel: u32,
        place: Place,
        stand: Stand,
    },
    /// A dead letter is none any more.
    Raised {
        channel: u32,
    },
    Released {
        events: u64,
        bytes: u64,
    },
    Ended {
        order: u64,
        number: u64,
        at: Moment,
    },
    /// Endings up to there are known no more.
    Forgotten {
        order: u64,
    },
}

impl Effect {
    /// Returns the channel in which it may let something be handed out.
    pub(super) fn shows(&self) -> Option<u32> {
        match self {
            Self::Joined { channel, is_ready: true, .. } | Self::Shown { channel, .. } => Some(*channel),
            _ => None,
        }
    }
}
