//! Keeps messages.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::kv::{CreateErrorKind, Store as Bucket, UpdateErrorKind};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::oneshot;

use crate::broker::nats::core::Core;
use crate::broker::nats::link::{whole, whole_of};
use crate::broker::nats::names::{self, Lane, NO_KEY};
use crate::broker::nats::press::Order;
use crate::broker::nats::records::{self, OnceKey};
use crate::broker::nats::vet::{DUE, MESSAGE_ID, ONCE};
use crate::broker::{Channel, Draft, Kept, MOST_BYTES, Once, Trouble};
use crate::context::RequestId;
use crate::wall::Moment;

/// What is due later than that, and has no key, stands apart.
const LATER: Duration = Duration::from_secs(2);
/// What a server counts besides the payload.
const HEADERS: usize = 4096;

impl Core {
    /// Keeps one message if there is nothing to be asked about it; none if it is to be put by the longer way.
    pub(super) async fn put_plainly(&self, drafts: &[Draft]) -> Option<Kept> {
        let [draft @ Draft { once: None, .. }] = drafts else { return None };
        let bytes = draft.payload.len() as i64;
        let is_plain = !self.is_closed()
            && self.link.is_connected()
            && self.check_size(draft.payload.len()).is_ok()
            && self.announced.lock().contains(&draft.channel)
            && self.has_room(1, bytes);
        if !is_plain {
            return None;
        }
        self.reserve(1, bytes);
        let (kept, number) = oneshot::channel();
        let (subject, headers) = (self.subject(draft), self.due_header(draft));
        let order = Order { subject, payload: draft.payload.clone(), headers, kept };
        let number = match self.press.send(order) {
            Ok(()) => number.await.ok(),
            Err(_) => None,
        };
        if number.is_none() {
            self.reserve(-1, -bytes);
        }
        number.map(|number| Kept { id: names::id(&draft.channel, number), known: false })
    }

    /// Keeps messages: when some cannot be kept, those that were are taken back.
    pub(super) async fn put(self: Arc<Self>, drafts: Vec<Draft>) -> Result<Vec<Kept>, Trouble> {
        self.check_open()?;
        self.make_room(&drafts).await?;
        let channels: Vec<_> = drafts.iter().map(|draft| draft.channel.clone()).collect();
        let kept = self.put_each(drafts, None).await;
        if kept.iter().all(Result::is_ok) {
            return kept.into_iter().collect();
        }
        for (kept, channel) in kept.iter().zip(channels) {
            if let Ok(Kept { id, known: false }) = kept {
                let number = names::parse(id).map_or(0, |(_, number)| number);
                let key = names::message_key(&channel, number);
                self.write(&self.stock.cancelled, &key, Bytes::new()).await?;
                self.link.delete(&self.stock.work, number).await?;
            }
        }
        kept.into_iter().collect()
    }

    /// Keeps messages, whatever room there is; those of a cause have names, so that they are kept once if this is done
    /// twice.
    pub(super) async fn put_each(
        &self,
        drafts: Vec<Draft>,
        cause: Option<&str>,
    ) -> Vec<Result<Kept, Trouble>> {
        let is_ordered = drafts.len() > 1 && drafts.iter().any(|draft| draft.key.is_some());
        let named = drafts.into_iter().enumerate().map(|(nth, draft)| {
            let name = cause.map(|cause| format!("{cause}.{nth}"));
            self.put_one(draft, name)
        });
        if !is_ordered {
            return join_all(named).await;
        }
        let mut kept = Vec::new();
        for one in named {
            kept.push(one.await);
        }
        kept
    }

    async fn put_one(&self, draft: Draft, name: Option<String>) -> Result<Kept, Trouble> {
        self.check_size(draft.payload.len())?;
        self.announce(&draft.channel).await?;
        if let Some(once) = draft.once.clone() {
            return self.put_once(&draft, &once).await;
        }
        let message = self.message(&draft);
        let message = match name {
            Some(name) => message.header(MESSAGE_ID, name),
            None => message,
        };
        let (number, _) = self.link.publish(&self.subject(&draft), message).await?;
        Ok(Kept { id: names::id(&draft.channel, number), known: false })
    }

    /// Returns how large a payload may be.
    pub(super) fn most_payload(&self) -> usize {
        self.link.client.max_payload().saturating_sub(HEADERS).min(MOST_BYTES)
    }

    /// Refuses what the servers would refuse again and again.
    pub(super) fn check_size(&self, size: usize) -> Result<(), Trouble> {
        let limit = self.most_payload();
        if size > limit { Err(Trouble::TooLarge { limit, size }) } else { Ok(()) }
    }

    fn is_later(&self, draft: &Draft) -> bool {
        draft.key.is_none() && draft.due > self.now().plus(LATER)
    }

    fn subject(&self, draft: &Draft) -> String {
        let lane = if self.is_later(draft) { Lane::Later } else { Lane::Now };
        match &draft.key {
            Some(key) => self.names.work(&draft.channel, lane, &names::key_token(key)),
            None => self.names.work(&draft.channel, lane, NO_KEY),
        }
    }

    fn message(&self, draft: &Draft) -> PublishMessage {
        let message = PublishMessage::build().payload(draft.payload.clone());
        match self.due_header(draft) {
            Some(headers) => message.headers(headers),
            None => message,
        }
    }

    /// Says when a message is due; most have no headers at all, which cost a fifth of the rate.
    fn due_header(&self, draft: &Draft) -> Option<HeaderMap> {
        let mut headers = (draft.due > self.now()).then(HeaderMap::new)?;
        headers.insert(DUE, draft.due.0.to_string());
        Some(headers)
    }

    /// Reserves a once key, puts the message, and notes it; whoever finds a key that is only reserved does the rest.
    async fn put_once(&self, draft: &Draft, once: &Once) -> Result<Kept, Trouble> {
        let key = names::hashed(&once.key);
        let keep = self.stock.keep_once_keys(&self.link.context, once.window).await;
        keep.map_err(|error| self.link.trouble("keep a key", error))?;
        loop {
            let now = self.now();
            let known = self.record::<OnceKey>(&self.stock.once, &key).await?;
            let revision = known.as_ref().map(|(_, revision)| *revision);
            let known = known.map(|(known, _)| known).filter(|known| Moment(known.until) > now);
            if let Some(OnceKey { kept: Some((channel, number)), .. }) = &known {
                return Ok(Kept { id: names::id(&Channel::new(channel.as_str()), *number), known: true });
            }
            let (known, is_new) = match known {
                Some(known) => (known, false),
                None => {
                    let message = format!("once.{:032x}", RequestId::new().as_u128());
                    (OnceKey { message, until: now.plus(once.window).0, kept: None }, true)
                }
            };
            if is_new && !self.swap_record(&self.stock.once, &key, revision, &known).await? {
                continue;
            }
            let message =
                self.message(draft).header(MESSAGE_ID, known.message.as_str()).header(ONCE, key.as_str());
            let (number, was_there) = self.link.publish(&self.subject(draft), message).await?;
            let mine = OnceKey { kept: Some((draft.channel.as_str().to_owned(), number)), ..known };
            if let Some((now_known, revision)) = self.record::<OnceKey>(&self.stock.once, &key).await?
                && now_known.message == mine.message
                && now_known.kept.is_none()
                && self.swap_record(&self.stock.once, &key, Some(revision), &mine).await?
            {
                return Ok(Kept { id: names::id(&draft.channel, number), known: was_there });
            }
            // Another has noted it, perhaps this very message.
            if is_new && !was_there && self.is_kept_as(&key, &mine).await? {
                return Ok(Kept { id: names::id(&draft.channel, number), known: false });
            }
        }
    }

    async fn is_kept_as(&self, key: &str, mine: &OnceKey) -> Result<bool, Trouble> {
        let known = self.record::<OnceKey>(&self.stock.once, key).await?;
        Ok(known.is_some_and(|(known, _)| known.message == mine.message && known.kept == mine.kept))
    }

    /// Writes a record if its revision is that one still.
    pub(super) async fn swap_record(
        &self,
        bucket: &Bucket,
        key: &str,
        revision: Option<u64>,
        record: &(impl serde::Serialize + Sync),
    ) -> Result<bool, Trouble> {
        Ok(self.swap(bucket, key, (revision, records::encode(record))).await?.is_some())
    }

    /// Writes a value if its revision is that one still; answers the new one.
    pub(super) async fn swap(
        &self,
        bucket: &Bucket,
        key: &str,
        (revision, value): (Option<u64>, Bytes),
    ) -> Result<Option<u64>, Trouble> {
        self.check_size(value.len())?;
        let swap = || {
            let value = value.clone();
            async move {
                match revision {
                    Some(revision) => match bucket.update(key, value, revision).await {
                        Ok(revision) => Ok(Some(revision)),
                        Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(None),
                        // Servers before 2.10 have another code for the same.
                        Err(error) if whole_of(&error).contains("wrong last sequence") => Ok(None),
                        Err(error) => Err(whole(error)),
                    },
                    None => match bucket.create(key, value).await {
                        Ok(revision) => Ok(Some(revision)),
                        Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(None),
                        Err(error) if whole_of(&error).contains("wrong last sequence") => Ok(None),
                        Err(error) => Err(whole(error)),
                    },
                }
            }
        };
        self.link.steady("write a value", swap).await
    }

    /// Makes known that a channel may hold messages.
    pub(super) async fn announce(&self, channel: &Channel) -> Result<(), Trouble> {
        if self.announced.lock().contains(channel) {
            return Ok(());
        }
        self.swap(&self.stock.channels, &names::token(channel), (None, Bytes::new())).await?;
        self.announced.lock().insert(channel.clone());
        Ok(())
    }

    /// Sees that there is room, about which the servers are asked when it gets scarce.
    async fn make_room(&self, drafts: &[Draft]) -> Result<(), Trouble> {
        let events = drafts.len() as i64;
        let bytes = drafts.iter().map(|draft| draft.payload.len() as i64).sum::<i64>();
        if !self.has_room(events, bytes) {
            self.measure().await?;
            if !self.has_room(events, bytes) {
                return Err(Trouble::Full(self.bounds));
            }
        }
        self.reserve(events, bytes);
        Ok(())
    }

    fn reserve(&self, events: i64, bytes: i64) {
        self.events.fetch_add(events, SeqCst);
        self.bytes.fetch_add(bytes, SeqCst);
    }

    fn has_room(&self, events: i64, bytes: i64) -> bool {
        let fits = |have: i64, more: i64, most: u64| have + more <= i64::try_from(most).unwrap_or(i64::MAX);
        fits(self.events.load(SeqCst), events, self.bounds.events)
            && fits(self.bytes.load(SeqCst), bytes, self.bounds.bytes)
    }

    /// Asks how much there is.
    pub(super) async fn measure(&self) -> Result<(), Trouble> {
        let (mut events, mut bytes) = (0, 0);
        for stream in [&self.stock.work, &self.stock.dead] {
            let info = || async move { stream.get_info().await.map_err(whole) };
            let state = self.link.steady("read a stream", info).await?.state;
            events += state.messages as i64;
            bytes += state.bytes as i64;
        }
        self.events.store(events, SeqCst);
        self.bytes.store(bytes, SeqCst);
        Ok(())
    }
}
