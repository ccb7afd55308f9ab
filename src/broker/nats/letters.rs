//! Dead letters.

use std::sync::Arc;

use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::message::StreamMessage;

use crate::broker::nats::core::Core;
use crate::broker::nats::names::{self, Lane};
use crate::broker::nats::records::{self, Failed, Grave};
use crate::broker::nats::vet::{MESSAGE_ID, NUMBER, moment};
use crate::broker::{Channel, Letter, SubmissionId, Trouble};

impl Core {
    pub(super) async fn letters(
        self: Arc<Self>,
        channel: Option<Channel>,
        after: u64,
        most: usize,
    ) -> Result<Vec<Letter>, Trouble> {
        let subject = self.names.letters(channel.as_ref());
        let (mut letters, mut from) = (Vec::new(), after + 1);
        while letters.len() < most {
            let Some(message) = self.link.next(&self.stock.dead, &subject, from).await? else { break };
            from = message.sequence + 1;
            letters.extend(to_letter(&message).map(|(letter, _)| letter));
        }
        Ok(letters)
    }

    pub(super) async fn find_letter(&self, id: &SubmissionId) -> Result<Option<(Letter, Grave)>, Trouble> {
        let Some((channel, number)) = names::parse(id) else { return Ok(None) };
        let message = self.link.next(&self.stock.dead, &self.names.dead(&channel, number), 1).await?;
        Ok(message.and_then(|message| to_letter(&message)))
    }

    /// Puts a dead letter anew, under its number.
    pub(super) async fn revive(self: Arc<Self>, id: SubmissionId) -> Result<bool, Trouble> {
        self.check_open()?;
        let Some((letter, grave)) = self.find_letter(&id).await? else { return Ok(false) };
        let Some((channel, number)) = names::parse(&id) else { return Ok(false) };
        let message = PublishMessage::build()
            .payload(letter.payload)
            .header(NUMBER, number.to_string())
            .header(MESSAGE_ID, format!("revive.{}", letter.order));
        let subject = self.names.work(&channel, Lane::Now, &grave.key);
        let (at, _) = self.link.publish(&subject, message).await?;
        // Written before the letter is gone, so that one of both can be found.
        let failed = Failed { at: Some(at), ..Failed::default() };
        let key = names::message_key(&channel, number);
        // Whoever was faster with the message has written more than this.
        if self
            .record::<Failed>(&self.stock.failed, &key)
            .await?
            .is_none_or(|(known, _)| known.at != Some(at))
        {
            self.write(&self.stock.failed, &key, records::encode(&failed)).await?;
        }
        self.link.delete(&self.stock.dead, letter.order).await
    }

    pub(super) async fn purge(self: Arc<Self>, id: SubmissionId) -> Result<bool, Trouble> {
        let Some((letter, _)) = self.find_letter(&id).await? else { return Ok(false) };
        self.link.delete(&self.stock.dead, letter.order).await
    }
}

fn to_letter(message: &StreamMessage) -> Option<(Letter, Grave)> {
    let mut tokens = message.subject.rsplit('.');
    let number = tokens.next()?.parse().ok()?;
    let channel = names::channel(tokens.next()?);
    let mut grave: Grave = records::decode(&message.payload)?;
    let letter = Letter {
        id: names::id(&channel, number),
        channel,
        payload: std::mem::take(&mut grave.payload).into(),
        notes: std::mem::take(&mut grave.notes).into(),
        died: moment(message.time),
        order: message.sequence,
    };
    Some((letter, grave))
}
