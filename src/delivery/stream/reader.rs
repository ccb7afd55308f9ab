//! Reads one shard, whenever it is this runtime's.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::broker::{Shard, Trouble};
use crate::context::RequestId;
use crate::delivery::stream::checkpoint::Checkpoint;
use crate::delivery::stream::claim::{Claim, Taken};
use crate::delivery::stream::collect::Ahead;
use crate::delivery::stream::consumers::Stop;
use crate::delivery::stream::{Consumer, Journal};
use crate::delivery::{Delivery, PAUSE};

/// Between two attempts to have a shard that is somebody else's, or a stream that is not there.
pub(super) const TRY: Duration = Duration::from_secs(3);
/// How long a runtime that cancels what it is sent is left alone.
const CALM: Duration = Duration::from_secs(1);

/// Reads one shard for a trigger.
pub(super) struct Reader {
    pub(super) delivery: Arc<Delivery>,
    pub(super) consumer: Arc<Consumer>,
    pub(super) journal: Journal,
    pub(super) shard: Shard,
    pub(super) stop: Stop,
    owner: String,
}

/// Why a shard is not read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The trigger or the runtime ends.
    Stopped,
    /// The store has ended.
    Closed,
    /// The function is not deployed any more.
    Unserved,
    /// What was sent was cancelled, which is no fault of the records.
    Cancelled,
    /// Another has the shard.
    Lost,
}

impl Reader {
    pub(super) fn new(
        delivery: &Arc<Delivery>,
        consumer: &Arc<Consumer>,
        (journal, number): (&Journal, u32),
        stop: Stop,
    ) -> Self {
        Self {
            delivery: Arc::clone(delivery),
            consumer: Arc::clone(consumer),
            journal: journal.clone(),
            shard: journal.shard(number),
            stop,
            owner: RequestId::new().to_string(),
        }
    }

    pub(super) async fn run(self) {
        loop {
            match self.turn().await {
                Left::Stopped | Left::Closed => return,
                Left::Unserved | Left::Lost => {}
                Left::Cancelled => {
                    let calm = self.delivery.wall.until(self.delivery.wall.now().plus(CALM));
                    if self.stop.or(calm).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Waits for the shard, and reads it as long as it is ours.
    async fn turn(&self) -> Left {
        let claim = match self.stop.or(self.claim()).await {
            Ok(Ok(claim)) => claim,
            Ok(Err(left)) | Err(left) => return left,
        };
        // Whoever ends waits until the shard is given back.
        let held = self.delivery.held.run();
        let left = self.hold(claim).await;
        drop(held);
        left
    }

    async fn claim(&self) -> Result<Claim, Left> {
        loop {
            self.until_served().await;
            let (store, now) = (&*self.delivery.store, self.delivery.wall.now());
            let names = || (self.key("lease"), self.owner.clone());
            let take = || Claim::take(store, names(), self.consumer.lease, now);
            match self.insist(take).await? {
                Taken::Ours(claim) => return Ok(claim),
                Taken::Theirs(until) => self.delivery.wall.until(until.min(now.plus(TRY))).await,
            }
        }
    }

    /// Reads until something ends that, and gives the shard back if it is ours still.
    async fn hold(&self, mut claim: Claim) -> Left {
        let left = {
            let (consumed, kept) = (pin!(self.consume()), pin!(self.keep(&mut claim)));
            match select(consumed, kept).await {
                Either::Left((Err(left), _)) | Either::Right((left, _)) => left,
            }
        };
        if !matches!(left, Left::Lost | Left::Closed) {
            claim.release(&*self.delivery.store).await;
        }
        left
    }

    /// Renews the claim until it is lost, or there is nothing to read for.
    async fn keep(&self, claim: &mut Claim) -> Left {
        let wall = &self.delivery.wall;
        loop {
            wall.until(claim.renewal()).await;
            if !self.is_served() {
                return Left::Unserved;
            }
            let last = claim.until().max(wall.now().plus(CALM));
            let renewed = match select(pin!(self.renew(claim)), pin!(wall.until(last))).await {
                Either::Left((renewed, _)) => renewed,
                Either::Right(_) => false,
            };
            if !renewed {
                tracing::warn!(shard = ?self.shard, trigger = self.consumer.name, "a shard was lost to another runtime");
                return Left::Lost;
            }
        }
    }

    async fn renew(&self, claim: &mut Claim) -> bool {
        loop {
            match claim.renew(&*self.delivery.store, &self.delivery.wall).await {
                Ok(renewed) => return renewed,
                Err(trouble) => {
                    tracing::warn!(?trouble, "a shard's lease cannot be renewed; it is tried again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Delivers one batch after another.
    async fn consume(&self) -> Result<std::convert::Infallible, Left> {
        let mut place = self.place().await?;
        let mut ahead = Ahead::new(place.next());
        loop {
            self.delivery.trim(&self.journal, &self.shard).await;
            let batch = self.stop.or(self.collect(&mut ahead)).await??;
            self.work_off(batch, &mut place).await?;
        }
    }

    async fn place(&self) -> Result<Checkpoint, Left> {
        let (store, start) = (&*self.delivery.store, self.consumer.start);
        let key = self.key("checkpoint");
        let take = || Checkpoint::take(store, (&key, &self.owner), &self.shard, start);
        // Whoever was faster had the claim before or has it by now; the next renewal tells.
        self.insist(take).await?.ok_or(Left::Lost)
    }

    /// Moves the checkpoint on.
    pub(super) async fn advance(&self, place: &mut Checkpoint, next: u64) -> Result<(), Left> {
        loop {
            match place.advance(&*self.delivery.store, next).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(Left::Lost),
                Err(trouble) => self.wait_out(trouble).await?,
            }
        }
    }

    /// Tries something until the store has no trouble with it.
    pub(super) async fn insist<T, F>(&self, step: impl Fn() -> F) -> Result<T, Left>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        loop {
            match step().await {
                Ok(done) => return Ok(done),
                Err(trouble) => self.wait_out(trouble).await?,
            }
        }
    }

    pub(super) async fn wait_out(&self, trouble: Trouble) -> Result<(), Left> {
        if trouble == Trouble::Closed {
            return Err(Left::Closed);
        }
        tracing::warn!(?trouble, shard = ?self.shard, "the store has trouble with a shard; it is tried again");
        self.stop.or(tokio::time::sleep(PAUSE)).await
    }

    pub(super) fn is_served(&self) -> bool {
        self.delivery.host().is_some_and(|host| host.policy(&self.consumer.function).is_some())
    }

    async fn until_served(&self) {
        loop {
            let changed = self.delivery.consumers.changed.notified();
            if self.is_served() {
                return;
            }
            changed.await;
        }
    }

    /// Returns the key of a value that this shard has.
    fn key(&self, what: &str) -> String {
        format!("{what}.{}.{}", self.consumer.name, self.shard.number)
    }
}
