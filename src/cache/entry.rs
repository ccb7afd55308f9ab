//! One file: a body, a note about it, and what proves both.
//!
//! The body stands first, as it is mapped; the proof stands last: a mark, both lengths, the key, and the hash of
//! everything before it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use crate::cache::{Key, Unfit};

const MARK: [u8; 8] = *b"fnhost 1";
const HASH: usize = 32;
/// Mark, two lengths, key and hash.
const PROOF: usize = 8 + 8 + 8 + 32 + HASH;
/// A note is small; a larger one is none of ours.
const MOST_NOTE: u64 = 1 << 20;

/// One verified file.
#[derive(Debug)]
pub(crate) struct Entry {
    file: File,
    body: u64,
    note: Vec<u8>,
}

impl Entry {
    /// Verifies the whole file through the descriptor that it then hands out.
    pub(super) fn read(mut file: File, key: &Key) -> Result<Self, Unfit> {
        let size = file.metadata()?.len();
        let before = size.checked_sub(PROOF as u64).ok_or("it is cut")?;
        let mut proof = [0; PROOF];
        file.seek(SeekFrom::Start(before))?;
        file.read_exact(&mut proof)?;
        let (body, note) = lengths(&proof, before, key)?;
        file.rewind()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader((&mut file).take(size - HASH as u64))?;
        check(&hasher, &proof)?;
        let mut text = vec![0; note];
        file.seek(SeekFrom::Start(body))?;
        file.read_exact(&mut text)?;
        Ok(Self { file, body, note: text })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn note(&self) -> &[u8] {
        &self.note
    }

    pub(crate) fn body(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        self.file.rewind()?;
        Read::by_ref(&mut self.file).take(self.body).read_to_end(&mut body)?;
        Ok(body)
    }
}

/// Writes an entry into memory.
pub(crate) fn pack(key: &Key, mut body: Vec<u8>, note: &[u8]) -> Vec<u8> {
    let tail = tail(key, &body, note);
    body.extend_from_slice(&tail);
    body
}

/// Reads an entry out of memory: body and note, if all of it verifies and has the key that the note stands for.
pub(crate) fn unpack(
    bytes: &[u8],
    key: impl FnOnce(&[u8]) -> Option<Key>,
) -> Result<(&[u8], &[u8]), &'static str> {
    let (rest, proof) =
        bytes.split_last_chunk::<PROOF>().ok_or("it is cut, or nothing that this library wrote")?;
    let note = usize::try_from(number(&proof[16..24])).unwrap_or(usize::MAX);
    let (body, note) =
        rest.split_at(rest.len().checked_sub(note).ok_or("it is cut, or nothing that this library wrote")?);
    let key = key(note).ok_or("it is damaged, or nothing that this library wrote")?;
    lengths(proof, rest.len() as u64, &key)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..bytes.len() - HASH]);
    check(&hasher, proof)?;
    Ok((body, note))
}

/// Returns what stands behind the body.
pub(super) fn tail(key: &Key, body: &[u8], note: &[u8]) -> Vec<u8> {
    let mut tail = note.to_vec();
    tail.extend(MARK);
    tail.extend((body.len() as u64).to_le_bytes());
    tail.extend((note.len() as u64).to_le_bytes());
    tail.extend(key.as_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher.update(body).update(&tail);
    tail.extend(hasher.finalize().as_bytes());
    tail
}

/// Checks everything but the hash, and returns how long body and note are.
fn lengths(proof: &[u8; PROOF], before: u64, key: &Key) -> Result<(u64, usize), &'static str> {
    let (body, note) = (number(&proof[8..16]), number(&proof[16..24]));
    if proof[..8] != MARK {
        return Err("it is cut, or none of this library's");
    }
    if proof[24..24 + 32] != *key.as_bytes() {
        return Err(
            "it was made for something else: other code, another version or processor, other settings (fuel)",
        );
    }
    if body.checked_add(note) != Some(before) || note > MOST_NOTE {
        return Err("its lengths are wrong");
    }
    Ok((body, note as usize))
}

fn check(hasher: &blake3::Hasher, proof: &[u8; PROOF]) -> Result<(), &'static str> {
    if hasher.finalize().as_bytes()[..] == proof[PROOF - HASH..] { Ok(()) } else { Err("it is damaged") }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
