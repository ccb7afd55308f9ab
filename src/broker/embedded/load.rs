//! Counts what a folder holds when it is opened.

use redb::{ReadTransaction, ReadableTable};

use crate::broker::Channel;
use crate::broker::embedded::board::Board;
use crate::broker::embedded::line::Stand;
use crate::broker::embedded::logs;
use crate::broker::embedded::pen::{Ledger, Outcome};
use crate::broker::embedded::tables::{
    CHANNELS, DEAD, ENDED, End, GROUP, KEYED, META, ONCE, READY, RESERVED, unpack,
};
use crate::wall::Moment;

/// Counts what there is; payloads are not read.
pub(super) fn count(txn: &ReadTransaction, board: &mut Board) -> Outcome<()> {
    for row in txn.open_table(CHANNELS)?.iter()? {
        let row = row?;
        board.name(row.0.value(), &Channel::new(row.1.value()));
    }
    for row in txn.open_table(READY)?.iter()? {
        let row = row?;
        wait(board, row.0.value().0, row.1.value().into());
    }
    count_keyed(txn, board)?;
    for row in txn.open_table(DEAD)?.iter()? {
        let (_, channel, size) = row?.1.value();
        board.line(channel).counts().dead += 1;
        board.occupy(1, u64::from(size));
    }
    for row in txn.open_table(ENDED)?.iter()? {
        let row = row?;
        let (end, _) = unpack::<End>(row.1.value())?;
        board.note_ending(row.0.value(), end.number, Moment(end.at));
    }
    Ok(())
}

fn wait(board: &mut Board, channel: u32, stand: Stand) {
    board.line(channel).count_waiting(stand);
    board.occupy(1, u64::from(stand.size));
}

/// Of each key, the first was counted among those that are ready.
fn count_keyed(txn: &ReadTransaction, board: &mut Board) -> Outcome<()> {
    let mut last: Option<(u32, String)> = None;
    for row in txn.open_table(KEYED)?.iter()? {
        let row = row?;
        let (channel, key, _) = row.0.value();
        if last.as_ref().is_some_and(|(id, known)| *id == channel && known == key) {
            wait(board, channel, row.1.value().2.into());
        } else {
            last = Some((channel, key.to_owned()));
        }
    }
    Ok(())
}

/// Reads what the committer has to know.
pub(super) fn ledger(txn: &ReadTransaction) -> Outcome<Ledger> {
    let meta = txn.open_table(META)?;
    let reserved = meta.get(RESERVED)?.map_or(1, |row| row.value());
    let group = meta.get(GROUP)?.map_or(0, |row| row.value());
    let log_bytes = logs::bytes(txn)?;
    let mut ledger = Ledger { next: reserved, reserved, group, log_bytes, ..Ledger::default() };
    for row in txn.open_table(ONCE)?.iter()? {
        let row = row?;
        let (until, hash) = row.1.value();
        ledger.keys.insert(hash, row.0.value(), Moment(until));
    }
    Ok(ledger)
}
