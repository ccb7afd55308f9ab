//! What stands on disk: one file with a table for each thing.

use redb::{StorageError, TableDefinition};
use serde::{Deserialize, Serialize};

/// A message by its number: a [`Head`], then the payload. It stands until the message is done.
pub(super) const MESSAGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("messages");
/// What was added to a message since it was put: a [`Tries`], then the notes.
pub(super) const TRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("tries");
/// What may be handed out, by channel, due and number; of each key the first alone. Leases are not kept, so that what
/// was handed out stands here too.
pub(super) const READY: TableDefinition<'_, (u32, u64, u64), Size> = TableDefinition::new("ready");
/// What has a key and is neither done nor dead, by channel, key and turn: its number and due.
pub(super) const KEYED: TableDefinition<'_, (u32, &str, u64), (u64, u64, Size)> =
    TableDefinition::new("keyed");
/// Dead letters in the order in which they died: number, channel, size.
pub(super) const DEAD: TableDefinition<'_, u64, (u64, u32, u32)> = TableDefinition::new("dead");
/// Endings in their order: an [`End`], then the summary.
pub(super) const ENDED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("ended");
/// Once keys in the order of their messages, as random keys would touch a page each: until when, and the key's hash.
pub(super) const ONCE: TableDefinition<'_, u64, (u64, u128)> = TableDefinition::new("once");
pub(super) const CHANNELS: TableDefinition<'_, u32, &str> = TableDefinition::new("channels");
/// Shards by stream and number: what their items are kept under, last sequence, last moment, bytes.
pub(super) const SHARDS: TableDefinition<'_, (&str, u32), (u32, u64, u64, u64)> =
    TableDefinition::new("shards");
/// Items of streams: the moment in eight bytes, then the payload.
pub(super) const ITEMS: TableDefinition<'_, (u32, u64), &[u8]> = TableDefinition::new("items");
/// Values: the revision in eight bytes, then the value.
pub(super) const VALUES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("values");
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// Which group was committed last.
pub(super) const GROUP: &str = "group";
/// Numbers below it may have been given.
pub(super) const RESERVED: &str = "reserved";
/// What version of these tables it is.
pub(super) const FORMAT: &str = "format";
pub(super) const CURRENT: u64 = 1;

/// When a message was put, how often it failed, and how large its payload is.
pub(super) type Size = (u64, u32, u32);

/// What is known of a message when it is put.
#[derive(Serialize, Deserialize)]
pub(super) struct Head<'a> {
    pub(super) channel: u32,
    pub(super) put: u64,
    pub(super) due: u64,
    pub(super) key: Option<&'a str>,
}

/// What is known of a message that was tried, is dead, or was.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Tries {
    pub(super) attempt: u32,
    pub(super) put: u64,
    pub(super) due: u64,
    /// Where it stands among those of its key.
    pub(super) turn: u64,
    /// Its place among the dead, and when it died.
    pub(super) grave: Option<(u64, u64)>,
}

/// How a message ended.
#[derive(Serialize, Deserialize)]
pub(super) struct End {
    pub(super) number: u64,
    pub(super) at: u64,
    pub(super) is_cancelled: bool,
}

impl Tries {
    pub(super) fn none(number: u64, head: &Head<'_>) -> Self {
        Self { attempt: 0, put: head.put, due: head.due, turn: number, grave: None }
    }
}

/// Writes what is known of something before its bytes.
pub(super) fn pack(known: &impl Serialize, bytes: &[u8]) -> Vec<u8> {
    let room = Vec::with_capacity(64 + bytes.len());
    let mut packed = postcard::to_extend(known, room).expect("plain values are written to memory");
    packed.extend_from_slice(bytes);
    packed
}

pub(super) fn unpack<'a, T: Deserialize<'a>>(packed: &'a [u8]) -> Result<(T, &'a [u8]), StorageError> {
    postcard::take_from_bytes(packed).map_err(|error| StorageError::Corrupted(format!("a row: {error}")))
}

/// Writes a number before bytes.
pub(super) fn pack_number(number: u64, bytes: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], bytes].concat()
}

pub(super) fn unpack_number(packed: &[u8]) -> Result<(u64, &[u8]), StorageError> {
    let (number, bytes) = packed
        .split_first_chunk::<8>()
        .ok_or_else(|| StorageError::Corrupted("a row: shorter than its number".into()))?;
    Ok((u64::from_be_bytes(*number), bytes))
}
