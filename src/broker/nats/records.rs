//! What is written into buckets and messages.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What is known of a message that failed or was sent again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Failed {
    pub(super) due: u64,
    pub(super) attempt: u32,
    pub(super) notes: Vec<u8>,
    /// Where it stands now, if it was put anew.
    pub(super) at: Option<u64>,
}

/// A once key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OnceKey {
    /// What the message is called that may be put for it.
    pub(super) message: String,
    pub(super) until: u64,
    /// The message that was put, if that is known.
    pub(super) kept: Option<(String, u64)>,
}

/// A dead letter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Grave {
    pub(super) sequence: u64,
    pub(super) key: String,
    pub(super) notes: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

/// Endings of messages: their numbers and summaries.
pub(super) type Endings = Vec<(u64, Vec<u8>)>;

pub(super) fn encode(record: &impl Serialize) -> Bytes {
    postcard::to_allocvec(record).expect("records of plain fields can be written").into()
}

/// Reads what was written; none for what another version wrote.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}
