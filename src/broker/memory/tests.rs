//! What every store promises, in memory.

use std::time::SystemTime;

use bytes::Bytes;

use crate::broker::conformance::{Rig, WHILE, conforms, dead, done};
use crate::broker::memory::logs::Logs;
use crate::broker::memory::shelf::Shelf;
use crate::broker::{Bounds, Channel, Draft, Memory, Once, Shard, Token, Trouble};
use crate::wall::{ManualClock, Moment, Wall};

const START: Moment = Moment(1_000_000);

async fn rig(bounds: Bounds) -> Rig {
    let clock = ManualClock::at(SystemTime::now());
    let wall = Wall::Manual(clock.clone());
    let store = Memory::new(wall.clone(), bounds);
    Rig { store, wall, clock: Some(clock), _ground: Box::new(()) }
}

conforms!(rig);

fn draft(channel: &str, once: Option<&str>) -> Draft {
    let once = once.map(|key| Once { key: key.into(), window: WHILE });
    Draft { channel: Channel::new(channel), payload: Bytes::new(), key: None, due: START, once }
}

/// Puts a message, and takes it.
fn take(shelf: &mut Shelf, channel: &str) -> Token {
    shelf.put(vec![draft(channel, None)], START).unwrap();
    shelf.hand_out(&Channel::new(channel), 1, START).unwrap().0.remove(0).0
}

#[test]
fn what_follows_is_kept_when_its_once_key_is_free_again() {
    let mut shelf = Shelf::new(Bounds::default());
    shelf.put(vec![draft("q.b", Some("k"))], START).unwrap();
    let token = take(&mut shelf, "f.a");
    let later = START.plus(WHILE);
    shelf.settle(token, done(), vec![draft("q.b", Some("k"))], later).unwrap();
    assert_eq!(shelf.depth(&Channel::new("q.b")).waiting, 2);
}

#[test]
fn the_age_of_the_oldest_is_told_although_a_dead_letter_was_sent_again() {
    let mut shelf = Shelf::new(Bounds::default());
    let token = take(&mut shelf, "f.a");
    shelf.settle(token, dead(), Vec::new(), START).unwrap();
    shelf.put(vec![draft("f.a", None)], START).unwrap();
    let letter = shelf.letters(None, 0, 1).remove(0);
    assert!(shelf.revive(&letter.id, START.plus(WHILE)));
    assert_eq!(shelf.depth(&Channel::new("f.a")).oldest, Some(START));
}

#[test]
fn behind_the_last_place_there_are_no_dead_letters() {
    let mut shelf = Shelf::new(Bounds::default());
    let token = take(&mut shelf, "f.a");
    shelf.settle(token, dead(), Vec::new(), START).unwrap();
    assert!(shelf.letters(None, u64::MAX, 1).is_empty());
}

#[test]
fn items_are_found_by_time_although_the_clock_was_set_back() {
    let (mut logs, shard) = (Logs::new(Bounds::default()), Shard { stream: "clicks".into(), number: 0 });
    for at in [100, 10, 20, 30, 200] {
        logs.append(&shard, vec![Bytes::new()], Moment(at)).unwrap();
    }
    assert_eq!(logs.seek(&shard, Moment(50)), 1);
    logs.trim(&shard, Moment(50));
    assert_eq!(logs.read(&shard, 1, (9, 9)).unwrap().len(), 5, "the first came later than that");
}

#[test]
fn a_message_without_a_once_key_is_kept_although_no_more_keys_may_be_known() {
    let mut shelf = Shelf::new(Bounds::default());
    shelf.know_keys((0..1_000_000).map(|nth: u32| nth.to_string().into()), START.plus(WHILE));
    assert!(matches!(shelf.put(vec![draft("f.a", Some("k"))], START), Err(Trouble::Full(_))));
    assert!(shelf.put(vec![draft("f.a", None)], START).is_ok());
}
