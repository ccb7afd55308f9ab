//! A table that takes long to compute, and the digests that are made with it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Length of the table in bytes.
const LENGTH: usize = 64 << 10;
/// How often each word of the table is mixed: about 50 ms of a guest's time.
const ROUNDS: u64 = 1_300;
/// How many words of the table go into one digest.
const LOOKUPS: usize = 64;

static EVENTS: AtomicU64 = AtomicU64::new(0);

/// Computes the table.
pub fn table() -> Vec<u8> {
    (0..LENGTH as u64 / 8).flat_map(|index| word(index).to_le_bytes()).collect()
}

fn word(index: u64) -> u64 {
    (0..ROUNDS).fold(index, |word, round| mix(word ^ round))
}

/// One step of splitmix64.
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// Answers an event: a digest of its body that depends on the table, and how many events this guest has answered.
pub fn answer(table: &[u8], body: &[u8]) -> String {
    let events = EVENTS.fetch_add(1, Ordering::Relaxed) + 1;
    format!("{:016x} {events}", digest(table, body))
}

fn digest(table: &[u8], body: &[u8]) -> u64 {
    let seed = body.iter().fold(0, |seed, byte| mix(seed ^ u64::from(*byte)));
    let words = table.as_chunks::<8>().0;
    (0..LOOKUPS)
        .fold(seed, |digest, _| mix(digest ^ u64::from_le_bytes(words[digest as usize % words.len()])))
}
