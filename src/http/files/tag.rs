//! What tells one state of a file from another: its entity tag and its time of change.

use std::fs::Metadata;
use std::time::{Duration, SystemTime};

use http::HeaderValue;

/// File systems tell times no finer than their clock's tick, some only to two seconds.
const SETTLED: Duration = Duration::from_secs(2);

/// One state of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// With its quotes.
    tag: String,
    is_strong: bool,
    /// To whole seconds, as headers tell it.
    modified: SystemTime,
}

impl State {
    pub(super) fn new(metadata: &Metadata, now: SystemTime) -> Self {
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let since_epoch = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut facts = [0; 32];
        facts[..8].copy_from_slice(&inode(metadata).to_le_bytes());
        facts[8..16].copy_from_slice(&metadata.len().to_le_bytes());
        facts[16..].copy_from_slice(&since_epoch.as_nanos().to_le_bytes());
        // Hashed, as an inode is nobody's business.
        let hash = blake3::hash(&facts).to_hex();
        Self {
            tag: format!("\"{}\"", &hash[..24]),
            is_strong: now.duration_since(modified).is_ok_and(|age| age >= SETTLED),
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch.min(until(now)).as_secs()),
        }
    }

    /// Tells whether a tag of a client is this one's, where a weak one will do.
    pub(super) fn matches_weakly(&self, tag: &str) -> bool {
        tag.strip_prefix("W/").unwrap_or(tag) == self.tag
    }

    /// Tells whether a tag of a client is this one's, to the byte.
    pub(super) fn matches_strongly(&self, tag: &str) -> bool {
        self.is_strong && tag == self.tag
    }

    /// Tells whether a date of a client is the very time of change, and says it to the byte.
    pub(super) fn is_of(&self, date: SystemTime) -> bool {
        self.is_strong && date == self.modified
    }

    pub(super) fn modified(&self) -> SystemTime {
        self.modified
    }

    pub(super) fn etag(&self) -> HeaderValue {
        let tag = if self.is_strong { self.tag.clone() } else { format!("W/{}", self.tag) };
        HeaderValue::try_from(tag).expect("quotes and digits are fine in a header")
    }

    pub(super) fn last_modified(&self) -> HeaderValue {
        HeaderValue::try_from(httpdate::fmt_http_date(self.modified)).expect("a date is fine in a header")
    }
}

/// A file from the future was last changed now.
fn until(now: SystemTime) -> Duration {
    now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}
