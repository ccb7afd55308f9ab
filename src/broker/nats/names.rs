//! How streams, subjects, buckets and submissions are called on the servers.

use std::sync::Arc;

use crate::broker::{Channel, Shard, SubmissionId};

/// The token of messages that have no key.
pub(super) const NO_KEY: &str = "-";

/// What a channel is made of.
const MOST_NAMES: usize = 3;
const LONGEST_NAME: usize = 64;

/// The names within one namespace.
#[derive(Clone)]
pub(super) struct Names(pub(super) Arc<str>);

/// What a channel has two of, so that what is due much later does not stand in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Now,
    Later,
}

impl Lane {
    pub(super) const BOTH: [Self; 2] = [Self::Now, Self::Later];

    fn token(self) -> &'static str {
        match self {
            Self::Now => "n",
            Self::Later => "l",
        }
    }
}

impl Names {
    /// Returns the name of a stream or a bucket.
    pub(super) fn of(&self, what: &str) -> String {
        format!("{}_{what}", self.0)
    }

    pub(super) fn all(&self, what: &str) -> String {
        format!("{}.{what}.>", self.0)
    }

    pub(super) fn work(&self, channel: &Channel, lane: Lane, key: &str) -> String {
        format!("{}.work.{}.{}.{key}", self.0, token(channel), lane.token())
    }

    /// Returns the subjects of a channel's waiting messages.
    pub(super) fn waiting(&self, channel: &Channel) -> String {
        format!("{}.work.{}.>", self.0, token(channel))
    }

    pub(super) fn consumer(&self, channel: &Channel, lane: Lane) -> String {
        format!("{}={}", lane.token(), token(channel))
    }

    pub(super) fn dead(&self, channel: &Channel, number: u64) -> String {
        format!("{}.dead.{}.{number}", self.0, token(channel))
    }

    pub(super) fn letters(&self, channel: Option<&Channel>) -> String {
        match channel {
            Some(channel) => format!("{}.dead.{}.>", self.0, token(channel)),
            None => self.all("dead"),
        }
    }

    /// Returns where the endings of 128 messages stand together; each look at one may read them all.
    pub(super) fn ended(&self, number: u64) -> String {
        format!("{}.ended.{}", self.0, number >> 7)
    }

    pub(super) fn log(&self, shard: &Shard) -> String {
        format!("{}.log.{}.{}", self.0, shard.stream.replace('.', "="), shard.number)
    }

    /// Returns the subject on which runtimes ask each other.
    pub(super) fn ask(&self) -> String {
        format!("{}.ask", self.0)
    }
}

/// Returns a channel as one token of a subject.
pub(super) fn token(channel: &Channel) -> String {
    channel.as_str().replace('.', "=")
}

/// Returns the channel of a token.
pub(super) fn channel(token: &str) -> Channel {
    Channel::new(token.replace('=', "."))
}

/// Returns the token of an ordering key; few enough that a server can hold them all, so keys may share one.
pub(super) fn key_token(key: &str) -> String {
    let hash = blake3::hash(key.as_bytes());
    let bytes = hash.as_bytes();
    format!("k{:02x}{:02x}", bytes[0], bytes[1])
}

/// Returns the name of something that may have any characters.
pub(super) fn hashed(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}

/// Returns what a bucket knows a message by.
pub(super) fn message_key(channel: &Channel, number: u64) -> String {
    format!("{}.{number}", token(channel))
}

pub(super) fn id(channel: &Channel, number: u64) -> SubmissionId {
    SubmissionId::new(format!("{number}.{}", channel.as_str()))
}

/// Takes an id apart; none if it is not one of ours.
pub(super) fn parse(id: &SubmissionId) -> Option<(Channel, u64)> {
    let (number, channel) = id.as_str().split_once('.')?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    // Anybody may ask for any id, and a server ends the connection for a subject that is too long.
    let is_name = |name: &str| matches!(name.len(), 1..=LONGEST_NAME) && name.chars().all(is_plain);
    let is_channel = channel.split('.').count() <= MOST_NAMES && channel.split('.').all(is_name);
    is_channel.then(|| Some((Channel::new(channel), number.parse().ok()?)))?
}

/// Tells whether a subject of a waiting message is one of a channel.
pub(super) fn belongs(subject: &str, channel: &Channel) -> bool {
    subject.split('.').nth(2) == Some(token(channel).as_str())
}
