//! One record of a stream, read.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::broker::Item;
use crate::delivery::deliver::MOST_LINEAGE;
use crate::delivery::stream::trial::Trial;
use crate::delivery::{Death, Parcel};
use crate::wall::Moment;

/// The extension attributes that an event of a batch has more.
const SHARD: &str = "shard";
const SEQUENCE: &str = "sequence";

/// One record of a stream.
pub(super) struct Record {
    pub(super) sequence: u64,
    /// When it was appended.
    pub(super) at: Moment,
    /// None if it cannot be read.
    pub(super) parcel: Option<Parcel>,
    /// The event as it stands in a batch.
    pub(super) json: Bytes,
    /// Why it is not even tried.
    pub(super) death: Option<Death>,
}

impl Record {
    /// Reads an item for a target.
    pub(super) fn read(item: &Item, shard: u32, target: &str) -> Self {
        let (sequence, at) = (item.sequence, item.at);
        let Some(mut parcel) = Parcel::decode(&item.payload) else {
            return Self { sequence, at, parcel: None, json: Bytes::new(), death: Some(Death::Unreadable) };
        };
        parcel.target = target.into();
        let event = parcel.event.clone();
        let event =
            event.with_extension(SHARD, shard.to_string()).with_extension(SEQUENCE, sequence.to_string());
        let json = serde_json::to_vec(&event).expect("a kept event was checked").into();
        let death = (parcel.lineage.len() > MOST_LINEAGE).then_some(Death::RecursiveInvocation);
        Self { sequence, at, parcel: Some(parcel), json, death }
    }

    pub(super) fn tenant(&self) -> Option<&Arc<str>> {
        self.parcel.as_ref()?.tenant.as_ref()
    }

    /// Tells whether a batch may have both.
    fn goes_with(&self, other: &Self) -> bool {
        self.death.is_none() && other.death.is_none() && self.tenant() == other.tenant()
    }

    /// Tells whether an answer means this one: by its sequence, or by the event's id as in a queue.
    fn is_named(&self, identifiers: &HashSet<String>) -> bool {
        identifiers.contains(&self.sequence.to_string())
            || self.parcel.as_ref().is_some_and(|parcel| identifiers.contains(parcel.event.id()))
    }
}

/// Returns how many of the first records go into one batch.
pub(super) fn together<'a>(
    records: impl Iterator<Item = &'a Record> + Clone,
    (most, bytes): (usize, usize),
) -> usize {
    let Some(first) = records.clone().next() else { return 0 };
    // The brackets; each event brings a comma but the first.
    let mut size = 1;
    let fits = |(at, record): &(usize, &Record)| {
        size += record.json.len() + 1;
        *at == 0 || (record.goes_with(first) && size <= bytes)
    };
    records.take(most).enumerate().take_while(fits).count()
}

impl Trial {
    /// Returns the first record that one of the identifiers names; those that name none mean nothing.
    pub(super) fn lowest(&self, identifiers: &HashSet<String>) -> Option<usize> {
        self.records.iter().position(|record| record.is_named(identifiers))
    }
}
