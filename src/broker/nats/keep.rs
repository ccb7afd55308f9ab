//! What is done every now and then: saying what is held, leaving to others what nobody wants, sweeping.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use async_nats::jetstream::consumer::Config;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::broker::nats::core::Core;
use crate::broker::nats::names::Lane;
use crate::broker::{Channel, Trouble};

const STEP: Duration = Duration::from_millis(250);
/// Every so many steps the servers are asked how much there is, and those that wait for others are looked at.
const LOOK: u32 = 4;
/// Every so many steps what the servers kept of acknowledged messages is deleted.
const SWEEP: u32 = 240;
/// How many are deleted in one go.
const MOST_SWEPT: usize = 10_000;

/// For how long the servers take it that a message is held, unless they hear of it again.
pub(super) struct Hold {
    /// What this runtime was told.
    pub(super) ack_wait: Duration,
    /// The shortest of all consumers, in milliseconds: who made one has decided for all.
    shortest: AtomicU64,
    shortened: Notify,
}

impl Hold {
    pub(super) fn new(ack_wait: Duration) -> Self {
        let shortest = u64::try_from(ack_wait.as_millis()).unwrap_or(u64::MAX);
        Self { ack_wait, shortest: AtomicU64::new(shortest), shortened: Notify::new() }
    }

    /// Takes note of the ack wait of a consumer.
    pub(super) fn heed(&self, ack_wait: Duration) {
        let wait = u64::try_from(ack_wait.as_millis()).unwrap_or(u64::MAX);
        if self.shortest.fetch_min(wait, SeqCst) > wait {
            self.shortened.notify_one();
        }
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(self.shortest.load(SeqCst) / 3)
    }
}

impl Core {
    /// Says again and again what is held.
    pub(super) async fn keep_hold(self: Arc<Self>) {
        loop {
            // Either way it is time.
            let _ = timeout(self.hold.pause(), self.hold.shortened.notified()).await;
            self.hold().await;
        }
    }

    pub(super) async fn keep_house(self: Arc<Self>) {
        let mut tick = interval(STEP);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut steps, mut connects) = (0_u32, self.link.connects());
        loop {
            tick.tick().await;
            steps = steps.wrapping_add(1);
            self.leave_stale().await;
            if !self.link.is_connected() || !steps.is_multiple_of(LOOK) {
                continue;
            }
            self.call_all();
            // It is asked again when that matters.
            let _ = self.measure().await;
            self.forget_cancellations();
            if steps.is_multiple_of(SWEEP) || connects != self.link.connects() {
                connects = self.link.connects();
                if let Err(trouble) = self.sweep().await {
                    tracing::debug!(?trouble, "what is acknowledged cannot be swept; it is tried again");
                }
            }
        }
    }

    async fn leave_stale(&self) {
        let posts: Vec<_> = self.posts.lock().values().cloned().collect();
        for post in posts {
            for sequence in post.take_stale() {
                self.put_off(sequence, Duration::ZERO).await;
            }
        }
    }

    fn forget_cancellations(&self) {
        let age = self.bounds.remember.max(Duration::from_secs(3600));
        self.cancelled.lock().retain(|_, at| at.elapsed() < age);
    }

    /// Deletes messages that a killed server has kept, though they were acknowledged and will not be handed out.
    async fn sweep(&self) -> Result<(), Trouble> {
        let channels: Vec<_> = self.channels.lock().0.iter().cloned().collect();
        for channel in channels {
            for lane in Lane::BOTH {
                self.sweep_lane(&channel, lane).await?;
            }
        }
        Ok(())
    }

    async fn sweep_lane(&self, channel: &Channel, lane: Lane) -> Result<(), Trouble> {
        let name = self.names.consumer(channel, lane);
        // None was made if nobody has pulled yet.
        let Ok(consumer) = self.stock.work.get_consumer::<Config>(&name).await else { return Ok(()) };
        let floor = consumer.cached_info().ack_floor.stream_sequence;
        let subject = self.names.work(channel, lane, ">");
        let mut from = 1;
        for _ in 0..MOST_SWEPT {
            let Some(message) = self.link.next(&self.stock.work, &subject, from).await? else { break };
            if message.sequence > floor {
                break;
            }
            if self.desk.lock().get(message.sequence).is_none() {
                self.link.delete(&self.stock.work, message.sequence).await?;
            }
            from = message.sequence + 1;
        }
        Ok(())
    }
}
