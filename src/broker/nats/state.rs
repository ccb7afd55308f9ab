//! What is known of a message, and cancelling it.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Message;
use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout};

use crate::broker::nats::core::Core;
use crate::broker::nats::desk::{Held, Stage};
use crate::broker::nats::link::whole;
use crate::broker::nats::names::{self, Lane};
use crate::broker::nats::records::{self, Failed};
use crate::broker::nats::vet::{DUE, header, moment};
use crate::broker::{Cancel, Channel, State, SubmissionId, Trouble};
use crate::wall::Moment;

/// How long other runtimes have to say that they run a message.
const REPLY: Duration = Duration::from_millis(150);
/// How long an ending is waited for that is being written.
const WRITTEN: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(5);

/// What runtimes ask each other.
#[derive(Debug, Serialize, Deserialize)]
struct Question {
    channel: String,
    number: u64,
    cancel: bool,
}

impl Core {
    pub(super) async fn state(self: Arc<Self>, id: SubmissionId) -> Result<Option<State>, Trouble> {
        let Some((channel, number)) = names::parse(&id) else { return Ok(None) };
        if let Some(attempt) = self.runs_here(number).await {
            return Ok(Some(State::Running { attempt }));
        }
        let key = names::message_key(&channel, number);
        let failed = self.record::<Failed>(&self.stock.failed, &key).await?.map(|(failed, _)| failed);
        let failed = failed.unwrap_or_default();
        let at = failed.at.unwrap_or(number);
        let message = self.link.get(&self.stock.work, at).await?;
        // What is over may be there still after a server was killed.
        if (message.is_none() || self.is_doubtful(at))
            && let Some(summary) = self.ending(number).await?
        {
            return Ok(Some(State::Done { summary }));
        }
        if let Some((letter, _)) = self.find_letter(&id).await? {
            return Ok(Some(State::Dead { notes: letter.notes }));
        }
        if self.read(&self.stock.cancelled, &key).await?.is_some() {
            return Ok(Some(State::Cancelled));
        }
        let Some(message) = message.filter(|message| names::belongs(&message.subject, &channel)) else {
            return Ok(None);
        };
        if let Some(attempt) = self.runs_elsewhere(&channel, (number, at), false).await? {
            return Ok(Some(State::Running { attempt }));
        }
        let put = moment(message.time).0;
        let due = header(Some(&message.headers), DUE).and_then(|due| due.parse().ok()).unwrap_or(put);
        let due = Moment(if failed.due > 0 { failed.due } else { due });
        Ok(Some(State::Waiting { due, attempt: failed.attempt, notes: failed.notes.into() }))
    }

    fn held(&self, number: u64) -> Option<Held> {
        let desk = self.desk.lock();
        desk.get(number).or_else(|| desk.all().find(|held| held.place.number == number)).cloned()
    }

    /// Tells at which attempt a message is that runs here, once its ending is written if it has one.
    async fn runs_here(&self, number: u64) -> Option<u32> {
        let until = Instant::now() + WRITTEN;
        loop {
            let held = self.held(number)?;
            match held.stage {
                Stage::Out(_) => return Some(held.attempt),
                Stage::Ending if Instant::now() < until => sleep(LOOK).await,
                Stage::Ending | Stage::Looked | Stage::Ready => return None,
            }
        }
    }

    /// Asks the other runtimes whether a message runs there, if it was handed out at all.
    async fn runs_elsewhere(
        &self,
        channel: &Channel,
        (number, at): (u64, u64),
        cancel: bool,
    ) -> Result<Option<u32>, Trouble> {
        if !cancel && !self.was_handed_out(channel, at).await {
            return Ok(None);
        }
        let question = Question { channel: channel.as_str().into(), number, cancel };
        let ask = async {
            let inbox = self.link.client.new_inbox();
            let mut replies = self.link.client.subscribe(inbox.clone()).await.map_err(whole)?;
            let payload = records::encode(&question);
            self.link.client.publish_with_reply(self.names.ask(), inbox, payload).await.map_err(whole)?;
            let reply = timeout(REPLY, replies.next()).await.ok().flatten();
            Ok::<_, String>(reply.and_then(|reply| records::decode(&reply.payload)))
        };
        ask.await.map_err(|error| self.link.trouble("ask other runtimes", error))
    }

    async fn was_handed_out(&self, channel: &Channel, sequence: u64) -> bool {
        for lane in Lane::BOTH {
            let name = self.names.consumer(channel, lane);
            // None was made if nobody has pulled yet.
            if let Ok(info) = self.stock.work.consumer_info(name).await
                && info.delivered.stream_sequence >= sequence
            {
                return true;
            }
        }
        false
    }

    /// Answers what other runtimes ask.
    pub(super) async fn answer_questions(self: Arc<Self>) {
        loop {
            match self.link.client.subscribe(self.names.ask()).await {
                // It is subscribed anew by itself after each connection.
                Ok(mut questions) => {
                    while let Some(question) = questions.next().await {
                        self.answer(question).await;
                    }
                }
                Err(error) => tracing::warn!(%error, "other runtimes cannot ask this one"),
            }
            sleep(REPLY).await;
        }
    }

    async fn answer(self: &Arc<Self>, message: Message) {
        let Some(question) = records::decode::<Question>(&message.payload) else { return };
        let held = self.held(question.number);
        let running = held.as_ref().filter(|held| matches!(held.stage, Stage::Out(_) | Stage::Ending));
        match (running, message.reply) {
            (Some(held), Some(inbox)) => self.link.send(inbox, records::encode(&held.attempt)).await,
            (None, _) if question.cancel => self.forget_cancelled(question.number, held),
            (_, _) => {}
        }
    }

    /// Lets go what is here of a message that is cancelled.
    fn forget_cancelled(self: &Arc<Self>, number: u64, held: Option<Held>) {
        self.cancelled.lock().insert(number, Instant::now());
        if let Some(held) = held.filter(|held| held.stage == Stage::Ready) {
            // It may have been handed out just now.
            let mut desk = self.desk.lock();
            let is_ready = desk.get(held.place.sequence).is_some_and(|held| held.stage == Stage::Ready);
            if is_ready {
                desk.release(held.place.sequence);
            }
            drop(desk);
            if let Some(post) = self.posts.lock().get(&held.place.channel).filter(|_| is_ready) {
                post.remove(held.place.sequence);
            }
        }
        self.call_all();
    }

    pub(super) async fn cancel(self: Arc<Self>, id: SubmissionId) -> Result<Cancel, Trouble> {
        match Arc::clone(&self).state(id.clone()).await? {
            None => return Ok(Cancel::Unknown),
            Some(State::Running { .. }) => return Ok(Cancel::Running),
            Some(State::Done { .. } | State::Dead { .. }) => return Ok(Cancel::Over),
            Some(State::Cancelled) => return Ok(Cancel::Cancelled),
            Some(State::Waiting { .. }) => {}
        }
        let Some((channel, number)) = names::parse(&id) else { return Ok(Cancel::Unknown) };
        let key = names::message_key(&channel, number);
        let failed = self.record::<Failed>(&self.stock.failed, &key).await?;
        let at = failed.as_ref().and_then(|(failed, _)| failed.at).unwrap_or(number);
        self.write(&self.stock.cancelled, &key, Bytes::new()).await?;
        let running = match self.was_handed_out(&channel, at).await {
            true => self.runs_elsewhere(&channel, (number, at), true).await?,
            false => None,
        };
        let is_gone = running.is_none() && !self.link.delete(&self.stock.work, at).await?;
        if running.is_some() || is_gone {
            self.cancelled.lock().remove(&number);
            self.remove(&self.stock.cancelled, &key).await?;
            return Ok(if is_gone { Cancel::Over } else { Cancel::Running });
        }
        if failed.is_some() {
            self.erase(&self.stock.failed, &key).await?;
        }
        self.forget_cancelled(number, self.held(number));
        Ok(Cancel::Cancelled)
    }
}
