//! Reads messages, dead letters and what became of the others.

use bytes::Bytes;
use redb::ReadTransaction;

use crate::broker::embedded::board::{Board, Out};
use crate::broker::embedded::line::{Edge, Place, Stand};
use crate::broker::embedded::pen::{Outcome, id};
use crate::broker::embedded::tables::{DEAD, ENDED, End, Head, MESSAGES, READY, TRIES, Tries, unpack};
use crate::broker::lease::Handed;
use crate::broker::{Channel, Letter, State};
use crate::wall::Moment;

/// How many messages of a channel are read ahead.
const AHEAD: usize = 256;

/// Reads what comes next in a channel behind a place, and up to where that reaches.
pub(super) fn next(
    txn: &ReadTransaction,
    channel: u32,
    (due, number): Place,
) -> Outcome<(Vec<(Place, Stand)>, Edge)> {
    let mut read = Vec::new();
    let range = (channel, due, number + 1)..=(channel, u64::MAX, u64::MAX);
    for row in txn.open_table(READY)?.range(range)?.take(AHEAD) {
        let row = row?;
        let (_, due, number) = row.0.value();
        read.push(((due, number), row.1.value().into()));
    }
    let is_end = read.len() < AHEAD;
    let edge = match read.last() {
        Some((place, _)) if !is_end => Edge::Behind(*place),
        _ => Edge::End,
    };
    Ok((read, edge))
}

/// Reads messages that are handed out.
pub(super) fn handed(txn: &ReadTransaction, out: &[Out]) -> Outcome<Vec<Handed>> {
    let (messages, tries) = (txn.open_table(MESSAGES)?, txn.open_table(TRIES)?);
    let mut handed = Vec::with_capacity(out.len());
    for Out { number, stand, .. } in out {
        let lost =
            || redb::Error::Corrupted(format!("message {} stands in line and is not there", id(*number)));
        let row = messages.get(number)?.ok_or_else(lost)?;
        let (_, payload) = unpack::<Head<'_>>(row.value())?;
        let notes = tries.get(number)?.map(|row| notes_of(row.value())).transpose()?;
        handed.push(Handed {
            id: id(*number),
            payload: Bytes::copy_from_slice(payload),
            attempt: stand.attempt,
            notes: notes.unwrap_or_default(),
            put: Moment(stand.put),
        });
    }
    Ok(handed)
}

fn notes_of(packed: &[u8]) -> Outcome<Bytes> {
    Ok(Bytes::copy_from_slice(unpack::<Tries>(packed)?.1))
}

/// Reads what is known of a message that is not handed out.
pub(super) fn state(
    txn: &ReadTransaction,
    number: u64,
    (board, now): (&Board, Moment),
) -> Outcome<Option<State>> {
    let Some(row) = txn.open_table(MESSAGES)?.get(number)? else {
        // It was held to be cancelled, and that is on disk by now.
        if board.changing(number).is_some() {
            return Ok(Some(State::Cancelled));
        }
        return board.ending(number).map_or(Ok(None), |order| ended(txn, order, (board, now)));
    };
    let (head, _) = unpack::<Head<'_>>(row.value())?;
    let Some(row) = txn.open_table(TRIES)?.get(number)? else {
        return Ok(Some(State::Waiting { due: Moment(head.due), attempt: 0, notes: Bytes::new() }));
    };
    let (tries, notes) = unpack::<Tries>(row.value())?;
    let notes = Bytes::copy_from_slice(notes);
    Ok(Some(match tries.grave {
        Some(_) => State::Dead { notes },
        None => State::Waiting { due: Moment(tries.due), attempt: tries.attempt, notes },
    }))
}

fn ended(txn: &ReadTransaction, order: u64, (board, now): (&Board, Moment)) -> Outcome<Option<State>> {
    let Some(row) = txn.open_table(ENDED)?.get(order)? else { return Ok(None) };
    let (end, summary) = unpack::<End>(row.value())?;
    if !board.remembers(Moment(end.at), now) {
        return Ok(None);
    }
    Ok(Some(match end.is_cancelled {
        true => State::Cancelled,
        false => State::Done { summary: Bytes::copy_from_slice(summary) },
    }))
}

/// Reads dead letters in their order.
pub(super) fn letters(
    txn: &ReadTransaction,
    (channel, after): (Option<u32>, u64),
    (most, names): (usize, &[Channel]),
) -> Outcome<Vec<Letter>> {
    let mut letters = Vec::new();
    for row in txn.open_table(DEAD)?.range(after.saturating_add(1)..)? {
        if letters.len() >= most {
            break;
        }
        let row = row?;
        let (number, id, _) = row.1.value();
        if channel.is_none_or(|wanted| wanted == id) {
            letters.extend(letter(txn, number, names)?);
        }
    }
    Ok(letters)
}

/// Reads one dead letter; none if it is none.
pub(super) fn letter(txn: &ReadTransaction, number: u64, names: &[Channel]) -> Outcome<Option<Letter>> {
    let Some(row) = txn.open_table(TRIES)?.get(number)? else { return Ok(None) };
    let (tries, notes) = unpack::<Tries>(row.value())?;
    let Some((order, died)) = tries.grave else { return Ok(None) };
    let Some(row) = txn.open_table(MESSAGES)?.get(number)? else { return Ok(None) };
    let (head, payload) = unpack::<Head<'_>>(row.value())?;
    let Some(channel) = names.get(head.channel as usize) else { return Ok(None) };
    Ok(Some(Letter {
        id: id(number),
        channel: channel.clone(),
        payload: Bytes::copy_from_slice(payload),
        notes: Bytes::copy_from_slice(notes),
        died: Moment(died),
        order,
    }))
}
