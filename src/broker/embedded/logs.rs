//! Streams and values.

use bytes::Bytes;
use redb::{ReadTransaction, ReadableTable};

use crate::broker::embedded::pen::{Outcome, Pen};
use crate::broker::embedded::tables::{ITEMS, SHARDS, VALUES, pack_number, unpack_number};
use crate::broker::{Item, Shard, Trouble, Versioned};
use crate::wall::Moment;

/// What an item is taken to cost beside its payload.
const ITEM: u64 = 64;

/// What is known of a shard.
#[derive(Clone, Copy)]
struct Log {
    id: u32,
    last: u64,
    last_at: u64,
    bytes: u64,
}

impl From<(u32, u64, u64, u64)> for Log {
    fn from((id, last, last_at, bytes): (u32, u64, u64, u64)) -> Self {
        Self { id, last, last_at, bytes }
    }
}

impl Pen<'_> {
    pub(super) fn append(&mut self, shard: &Shard, payloads: &[Bytes]) -> Outcome<Result<u64, Trouble>> {
        let more = payloads.iter().map(|payload| payload.len() as u64 + ITEM).sum::<u64>();
        let bounds = self.board.lock().bounds();
        let taken = self.work.log_bytes.unwrap_or(self.ledger.log_bytes);
        if taken.saturating_add(more) > bounds.bytes {
            return Ok(Err(Trouble::Full(bounds)));
        }
        let mut log = self.log(shard)?;
        // The moments never go back, so that they can be searched.
        log.last_at = log.last_at.max(self.now.0);
        for payload in payloads {
            log.last += 1;
            self.items.insert((log.id, log.last), pack_number(log.last_at, payload).as_slice())?;
        }
        log.bytes += more;
        self.work.log_bytes = Some(taken + more);
        self.work.appended = true;
        self.note(shard, log)?;
        Ok(Ok(log.last))
    }

    fn log(&self, shard: &Shard) -> Outcome<Log> {
        let known = self.shards.get((&*shard.stream, shard.number))?.map(|row| Log::from(row.value()));
        Ok(match known {
            Some(log) => log,
            // None is ever removed.
            None => {
                let id = redb::ReadableTableMetadata::len(&self.shards)? as u32;
                Log { id, last: 0, last_at: 0, bytes: 0 }
            }
        })
    }

    fn note(&mut self, shard: &Shard, log: Log) -> Outcome<()> {
        let row = (log.id, log.last, log.last_at, log.bytes);
        self.shards.insert((&*shard.stream, shard.number), row)?;
        Ok(())
    }

    pub(super) fn trim(&mut self, shard: &Shard, before: Moment) -> Outcome<()> {
        let mut log = self.log(shard)?;
        let first = first_at(&self.items, log, before)?;
        let mut gone = 0;
        if first > 0 {
            for row in self.items.extract_from_if((log.id, 0)..(log.id, first), |_, _| true)? {
                gone += row?.1.value().len() as u64 - 8 + ITEM;
            }
        }
        log.bytes -= gone.min(log.bytes);
        let taken = self.work.log_bytes.unwrap_or(self.ledger.log_bytes);
        self.work.log_bytes = Some(taken - gone.min(taken));
        if log.last > 0 {
            self.note(shard, log)?;
        }
        Ok(())
    }

    pub(super) fn swap(&mut self, key: &str, revision: Option<u64>, value: &Bytes) -> Outcome<Option<u64>> {
        let known = match self.values.get(key)? {
            Some(row) => Some(unpack_number(row.value())?.0),
            None => None,
        };
        if known != revision {
            return Ok(None);
        }
        let revision = self.number();
        self.values.insert(key, pack_number(revision, value).as_slice())?;
        let versioned = Versioned { value: value.clone(), revision };
        self.work.values.push((key.into(), Some(versioned)));
        Ok(Some(revision))
    }

    pub(super) fn remove(&mut self, key: &str) -> Outcome<()> {
        if self.values.remove(key)?.is_some() {
            self.work.values.push((key.into(), None));
        }
        Ok(())
    }
}

/// Returns the first sequence whose item came at that moment or later; one behind the last if there is none.
fn first_at(items: &impl ReadableTable<(u32, u64), &'static [u8]>, log: Log, at: Moment) -> Outcome<u64> {
    let first = items.range((log.id, 0)..=(log.id, u64::MAX))?.next().transpose()?;
    let (mut low, mut high) = (first.map_or(log.last + 1, |row| row.0.value().1), log.last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let row = items.get((log.id, middle))?;
        let is_before =
            row.map(|row| unpack_number(row.value()).map(|(known, _)| known < at.0)).transpose()?;
        match is_before {
            Some(true) => low = middle + 1,
            Some(false) | None => high = middle,
        }
    }
    Ok(low)
}

fn find(txn: &ReadTransaction, shard: &Shard) -> Outcome<Option<Log>> {
    let shards = txn.open_table(SHARDS)?;
    Ok(shards.get((&*shard.stream, shard.number))?.map(|row| row.value().into()))
}

pub(super) fn read(
    txn: &ReadTransaction,
    (shard, from): (&Shard, u64),
    (most, bytes): (usize, usize),
) -> Outcome<Vec<Item>> {
    let Some(log) = find(txn, shard)? else { return Ok(Vec::new()) };
    let (mut read, mut room) = (Vec::new(), bytes);
    for row in txn.open_table(ITEMS)?.range((log.id, from)..=(log.id, u64::MAX))?.take(most.max(1)) {
        let row = row?;
        let (at, payload) = unpack_number(row.1.value())?;
        if !read.is_empty() && payload.len() > room {
            break;
        }
        room = room.saturating_sub(payload.len().max(1));
        let (sequence, payload) = (row.0.value().1, Bytes::copy_from_slice(payload));
        read.push(Item { sequence, at: Moment(at), payload });
    }
    Ok(read)
}

pub(super) fn end(txn: &ReadTransaction, shard: &Shard) -> Outcome<u64> {
    Ok(find(txn, shard)?.map_or(1, |log| log.last + 1))
}

pub(super) fn seek(txn: &ReadTransaction, shard: &Shard, at: Moment) -> Outcome<u64> {
    let Some(log) = find(txn, shard)? else { return Ok(1) };
    first_at(&txn.open_table(ITEMS)?, log, at)
}

/// Reads every value.
pub(super) fn values(txn: &ReadTransaction) -> Outcome<Vec<(String, Versioned)>> {
    let mut values = Vec::new();
    for row in txn.open_table(VALUES)?.iter()? {
        let row = row?;
        let (revision, value) = unpack_number(row.1.value())?;
        let versioned = Versioned { value: Bytes::copy_from_slice(value), revision };
        values.push((row.0.value().to_owned(), versioned));
    }
    Ok(values)
}

/// Returns what the items of all streams take.
pub(super) fn bytes(txn: &ReadTransaction) -> Outcome<u64> {
    let mut bytes = 0;
    for row in txn.open_table(SHARDS)?.iter()? {
        bytes += row?.1.value().3;
    }
    Ok(bytes)
}
