//! The names of queues, topics, subscriptions and streams, and of the channels that they stand for.

use std::fmt;

use crate::broker::Channel;

/// Longest name.
const MOST: usize = 64;

/// A name that was checked: `[a-zA-Z0-9-_]{1,64}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name(String);

impl Name {
    /// Checks a name; `what` it names stands in the error.
    pub(crate) fn parse(what: &str, name: &str) -> Result<Self, String> {
        let allowed = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if allowed && (1..=MOST).contains(&name.len()) {
            return Ok(Self(name.into()));
        }
        Err(format!(
            "{what} name {name:?} is refused; use 1 to {MOST} letters, digits, hyphens and underscores"
        ))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the channel of a queue.
pub(crate) fn queue_channel(queue: &str) -> Channel {
    Channel::new(format!("q.{queue}"))
}

/// What the channels of webhooks begin with.
#[cfg(feature = "http")]
const WEBHOOKS: &str = "w.";

/// Returns the channel of what is posted to the webhooks of a function.
#[cfg(feature = "http")]
pub(crate) fn webhook_channel(function: &str) -> Channel {
    Channel::new(format!("{WEBHOOKS}{function}"))
}

/// Returns the function whose webhooks a channel is for.
#[cfg(feature = "http")]
pub(super) fn webhooks_of(channel: &Channel) -> Option<&str> {
    channel.as_str().strip_prefix(WEBHOOKS)
}

/// Returns the channel of a subscription to a topic.
pub(crate) fn subscription_channel(topic: &str, subscription: &str) -> Channel {
    Channel::new(format!("t.{topic}.{subscription}"))
}

/// Returns the key under which a store keeps how a stream is laid out.
pub(crate) fn stream_key(stream: &str) -> String {
    format!("stream.{stream}")
}

/// Returns the key under which a store keeps a subscription, or what the keys of a topic begin with.
pub(crate) fn subscription_key(topic: &str, subscription: &str) -> String {
    format!("topic.{topic}.{subscription}")
}
