//! How much a channel holds.

use std::collections::HashSet;
use std::sync::Arc;

use async_nats::jetstream::consumer::Config;
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;

use crate::broker::nats::core::Core;
use crate::broker::nats::desk::Stage;
use crate::broker::nats::link::whole;
use crate::broker::nats::names::{self, Lane};
use crate::broker::nats::vet::moment;
use crate::broker::{Channel, Depth, Trouble};
use crate::wall::Moment;

impl Core {
    /// Counts; what runs in other runtimes is counted among what waits.
    pub(super) async fn depth(self: Arc<Self>, channel: Channel) -> Result<Depth, Trouble> {
        let (total, floor) = self.outstanding(&channel).await?;
        let (mut running, mut retried, mut ending, mut out) = (0, 0, 0, HashSet::new());
        for held in self.desk.lock().all().filter(|held| held.place.channel == channel) {
            match held.stage {
                Stage::Out(_) => {
                    running += 1;
                    retried += u64::from(held.attempt > 0);
                    out.insert(held.place.sequence);
                }
                Stage::Ending => {
                    ending += 1;
                    out.insert(held.place.sequence);
                }
                Stage::Looked | Stage::Ready => {}
            }
        }
        let waiting = total.saturating_sub(running + ending);
        let failed = format!("{}{}.*", self.stock.failed.prefix, names::token(&channel));
        let failed = self.count(&self.stock.failed.stream, &failed).await?;
        Ok(Depth {
            waiting,
            retrying: failed.saturating_sub(retried).min(waiting),
            running,
            dead: self.count(&self.stock.dead, &self.names.letters(Some(&channel))).await?,
            oldest: if waiting > 0 { self.oldest(&channel, floor, &out).await? } else { None },
        })
    }

    /// Counts what is not acknowledged, and says up to where everything is.
    async fn outstanding(&self, channel: &Channel) -> Result<(u64, u64), Trouble> {
        let (mut total, mut floor) = (0, u64::MAX);
        for lane in Lane::BOTH {
            let name = self.names.consumer(channel, lane);
            match self.stock.work.get_consumer::<Config>(&name).await {
                Ok(consumer) => {
                    let info = consumer.cached_info();
                    total += info.num_pending + info.num_ack_pending as u64;
                    floor = floor.min(info.ack_floor.stream_sequence);
                }
                // Nobody has pulled yet.
                Err(_) => {
                    total += self.count(&self.stock.work, &self.names.work(channel, lane, ">")).await?;
                    floor = 0;
                }
            }
        }
        Ok((total, floor))
    }

    /// Counts the messages of subjects.
    async fn count(&self, stream: &Stream, subjects: &str) -> Result<u64, Trouble> {
        let count = || async move {
            let mut found = stream.info_with_subjects(subjects).await.map_err(whole)?;
            let mut sum = 0;
            while let Some(subject) = found.next().await {
                sum += subject.map_err(whole)?.1 as u64;
            }
            Ok::<_, String>(sum)
        };
        self.link.steady("count messages", count).await
    }

    async fn oldest(
        &self,
        channel: &Channel,
        floor: u64,
        out: &HashSet<u64>,
    ) -> Result<Option<Moment>, Trouble> {
        let subject = self.names.waiting(channel);
        let mut from = floor + 1;
        while let Some(message) = self.link.next(&self.stock.work, &subject, from).await? {
            if !out.contains(&message.sequence) {
                return Ok(Some(moment(message.time)));
            }
            from = message.sequence + 1;
        }
        Ok(None)
    }
}
