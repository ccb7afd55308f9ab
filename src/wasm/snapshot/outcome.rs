//! What became of a deployment's snapshot.

use std::fmt;
use std::time::Duration;

/// What became of a deployment's snapshot; `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Snapshot {
    /// None was asked for: no init, no sample, or [`Init::PerGuest`](crate::Init::PerGuest).
    None,
    /// Every sandbox starts from it.
    #[non_exhaustive]
    Taken {
        /// How long init took when the snapshot was taken; none if only samples ran.
        init: Option<Duration>,
        /// It was taken by an earlier deployment and lay in the cache folder, so init did not run this time.
        remembered: bool,
    },
    /// None could be taken; init runs in each sandbox, and samples warm none.
    #[non_exhaustive]
    Refused {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no snapshot"),
            Self::Taken { remembered: true, .. } => f.write_str("snapshot from the cache folder"),
            Self::Taken { init: Some(init), .. } => write!(f, "snapshot taken after an init of {init:.1?}"),
            Self::Taken { init: None, .. } => f.write_str("snapshot taken after the samples"),
            Self::Refused { reason } => write!(f, "no snapshot: {reason}"),
        }
    }
}
