//! What a file is found by.

use std::fmt;

/// How the names of all files end; what is called otherwise is none of ours, and never touched.
pub(super) const ENDING: &str = ".fnhost";

/// What a file is found by: a hash of all that it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// Makes the key of something of this kind that was made from these parts.
    pub(crate) fn of(kind: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(kind);
        for part in parts {
            // With its length, so that no two lists of parts come to the same bytes.
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(ENDING)
    }
}
