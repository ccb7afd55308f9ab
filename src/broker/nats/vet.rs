//! Whether a message that came may be handed out.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;

use crate::broker::lease::Handed;
use crate::broker::nats::core::Core;
use crate::broker::nats::desk::Place;
use crate::broker::nats::names::{self, Lane};
use crate::broker::nats::post::Post;
use crate::broker::nats::records::{Failed, Grave, OnceKey};
use crate::broker::nats::{order, records};
use crate::broker::{Channel, Trouble};
use crate::wall::Moment;

/// When a message is due, in milliseconds since the epoch; at once if it does not say.
pub(super) const DUE: &str = "Fn-Due";
/// The once key of a message.
pub(super) const ONCE: &str = "Fn-Once";
/// The number that a message was put under first, if it was put anew.
pub(super) const NUMBER: &str = "Fn-Number";
pub(super) const MESSAGE_ID: &str = "Nats-Msg-Id";

/// How long a message is left alone that cannot be looked at.
const PAUSE: Duration = Duration::from_millis(500);

/// A message that came.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) place: Place,
    payload: Bytes,
    headers: Option<HeaderMap>,
    delivered: i64,
    put: Moment,
}

/// What is to become of it.
pub(super) enum Fate {
    Ready {
        attempt: u32,
        notes: Bytes,
    },
    /// It was done before, or is not to be done any more.
    Over,
    Later(Duration),
    /// Others of its key stand before it; the first at this sequence.
    Behind(u64),
}

impl Arrived {
    /// Reads a message; none if it is not one of ours.
    pub(super) fn read(message: Message, channel: &Channel, lane: Lane) -> Option<(Self, Subject)> {
        let info = message.info().ok()?;
        let (sequence, delivered, put) = (info.stream_sequence, info.delivered, moment(info.published));
        let key: Arc<str> = message.subject.rsplit('.').next()?.into();
        let message = message.message;
        let mut place = Place { sequence, number: sequence, channel: channel.clone(), lane, key };
        if let Some(number) = header(message.headers.as_ref(), NUMBER) {
            place.number = number.parse().ok()?;
        }
        let (payload, headers) = (message.payload, message.headers);
        Some((Self { place, payload, headers, delivered, put }, message.reply?))
    }

    pub(super) fn handed(self, attempt: u32, notes: Bytes) -> Handed {
        let id = names::id(&self.place.channel, self.place.number);
        Handed { id, payload: self.payload, attempt, notes, put: self.put }
    }

    fn header(&self, name: &str) -> Option<&str> {
        header(self.headers.as_ref(), name)
    }
}

/// Returns one header.
pub(super) fn header<'a>(headers: Option<&'a HeaderMap>, name: &str) -> Option<&'a str> {
    headers?.get(name).map(async_nats::HeaderValue::as_str)
}

/// Returns a server's time.
pub(super) fn moment(time: async_nats::datetime::DateTime) -> Moment {
    Moment(u64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(0))
}

impl Core {
    /// Tells whether there is nothing to be asked about a message.
    pub(super) fn is_plain(self: &Arc<Self>, arrived: &Arrived) -> bool {
        let Place { sequence, number, .. } = arrived.place;
        arrived.headers.is_none()
            && arrived.delivered == 1
            && !arrived.place.is_keyed()
            && !self.is_doubtful(sequence)
            && !self.cancelled.lock().contains_key(&number)
    }

    /// Decides about a message, and does what follows.
    pub(super) async fn look_at(self: Arc<Self>, post: Arc<Post>, arrived: Arrived) {
        if arrived.place.is_keyed() {
            return self.queue_up(post, arrived).await;
        }
        let sequence = arrived.place.sequence;
        match self.fate(&arrived).await {
            Ok(Fate::Ready { attempt, notes }) => self.make_ready(&post, arrived, (attempt, notes)),
            Ok(Fate::Over) => self.acknowledge(sequence).await,
            Ok(Fate::Later(time)) => self.put_off(sequence, time).await,
            Ok(Fate::Behind(_)) => {}
            Err(trouble) => {
                tracing::warn!(?trouble, "a message cannot be looked at; it is tried again");
                self.put_off(sequence, PAUSE).await;
            }
        }
    }

    /// Decides about a message.
    pub(super) async fn fate(self: &Arc<Self>, arrived: &Arrived) -> Result<Fate, Trouble> {
        let place = &arrived.place;
        if self.is_cancelled(place).await? {
            return Ok(Fate::Over);
        }
        let mut due = arrived.header(DUE).and_then(|due| due.parse().ok()).unwrap_or(0);
        let (mut attempt, mut notes) = (0, Bytes::new());
        let is_known = place.number != place.sequence;
        if arrived.delivered > 1 || is_known || self.is_doubtful(place.sequence) {
            let key = names::message_key(&place.channel, place.number);
            if let Some((failed, _)) = self.record::<Failed>(&self.stock.failed, &key).await? {
                match failed.at.unwrap_or(place.number).cmp(&place.sequence) {
                    // It was put anew since.
                    Ordering::Greater => return Ok(Fate::Over),
                    Ordering::Equal => {
                        (due, attempt, notes) = (failed.due, failed.attempt, failed.notes.into());
                    }
                    // Of a life before this one.
                    Ordering::Less => {}
                }
            }
            if self.is_buried(place).await? {
                return Ok(Fate::Over);
            }
        }
        if place.is_keyed() {
            match self.stands(place).await? {
                order::Stand::First => {}
                order::Stand::Over => return Ok(Fate::Over),
                order::Stand::Behind(first) => return Ok(Fate::Behind(first)),
            }
        }
        let early = Moment(due).since(self.now());
        if !early.is_zero() {
            return Ok(Fate::Later(early));
        }
        if self.is_stray(arrived).await? {
            return Ok(Fate::Over);
        }
        Ok(Fate::Ready { attempt, notes })
    }

    pub(super) async fn is_cancelled(&self, place: &Place) -> Result<bool, Trouble> {
        if !self.cancelled.lock().contains_key(&place.number) {
            return Ok(false);
        }
        let key = names::message_key(&place.channel, place.number);
        Ok(self.read(&self.stock.cancelled, &key).await?.is_some())
    }

    /// Tells whether a message became a dead letter before the servers heard that it is over.
    async fn is_buried(&self, place: &Place) -> Result<bool, Trouble> {
        let subject = self.names.dead(&place.channel, place.number);
        let letter = self.link.next(&self.stock.dead, &subject, 1).await?;
        let grave = letter.and_then(|letter| records::decode::<Grave>(&letter.payload));
        Ok(grave.is_some_and(|grave| grave.sequence == place.sequence))
    }

    /// Tells whether another message was kept for the once key of this one; if none was, this one is.
    async fn is_stray(&self, arrived: &Arrived) -> Result<bool, Trouble> {
        let (Some(key), Some(message)) = (arrived.header(ONCE), arrived.header(MESSAGE_ID)) else {
            return Ok(false);
        };
        let mine = (arrived.place.channel.as_str().to_owned(), arrived.place.sequence);
        loop {
            let Some((known, revision)) = self.record::<OnceKey>(&self.stock.once, key).await? else {
                return Ok(false);
            };
            if known.message != message {
                return Ok(false);
            }
            match known.kept {
                Some(kept) => return Ok(kept != mine),
                None => {
                    let known = OnceKey { kept: Some(mine.clone()), ..known };
                    if self.swap_record(&self.stock.once, key, Some(revision), &known).await? {
                        return Ok(false);
                    }
                }
            }
        }
    }
}
