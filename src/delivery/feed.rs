//! Brings the messages of a channel to a function, in batches or one by one.

use std::collections::HashSet;
use std::sync::Arc;

use crate::broker::{Channel, Lease, Trouble};
use crate::context::Context;
use crate::delivery::batch::{self, Body, Verdicts};
use crate::delivery::deliver::Ending;
use crate::delivery::retry::{Fault, fault_in, fault_of};
use crate::delivery::stride::Stride;
use crate::delivery::{Batch, Death, Delivery, History, Load, PAUSE, Parcel, Policy};
use crate::error::Error;
use crate::event::Response;

/// How the messages of one channel reach a function.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    pub(crate) channel: Channel,
    /// As it was written; resolved anew for each batch.
    pub(crate) target: String,
    /// The name in the target.
    pub(crate) function: String,
    /// None for one event at a time, as it came.
    pub(crate) batch: Option<Batch>,
    /// What the source of a batch is.
    pub(crate) source: String,
    pub(crate) policy: Policy,
}

/// Takes the messages of one channel.
pub(super) struct Feeder {
    pub(super) delivery: Arc<Delivery>,
    pub(super) feed: Arc<Feed>,
    pub(super) load: Arc<Load>,
    pub(super) stride: Stride,
}

/// A message with what it says.
struct Piece {
    lease: Lease,
    parcel: Parcel,
}

impl Feeder {
    pub(super) async fn run(self) {
        loop {
            if !self.is_served() && self.delivery.leave(&self.feed.channel, || self.is_served()) {
                return;
            }
            self.load.room(|| self.feed.policy.concurrency).await;
            match self.collect().await {
                Ok(leases) if self.is_served() => self.hand_over(leases).await,
                // What was taken for a function that is gone by now is given back.
                Ok(_) => {}
                Err(Trouble::Closed) => return,
                Err(trouble) => {
                    tracing::warn!(
                        ?trouble,
                        channel = self.feed.channel.as_str(),
                        "messages cannot be taken; it is tried again"
                    );
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn is_served(&self) -> bool {
        self.delivery.host().is_some_and(|host| host.policy(&self.feed.function).is_some())
    }

    /// Waits for a message, and then for more, until there are enough or the window is over.
    async fn collect(&self) -> Result<Vec<Lease>, Trouble> {
        let store = &self.delivery.store;
        let Some(batch) = self.feed.batch else { return store.pull(&self.feed.channel, 1).await };
        let mut leases = store.pull(&self.feed.channel, self.stride.next(batch, (0, 0))).await?;
        let mut bytes = self.stride.note(&leases);
        let until = tokio::time::Instant::now() + batch.window;
        while leases.len() < batch.most && bytes < batch.bytes && !batch.window.is_zero() {
            let most = self.stride.next(batch, (leases.len(), bytes));
            let Ok(more) = tokio::time::timeout_at(until, store.pull(&self.feed.channel, most)).await else {
                break;
            };
            let more = more?;
            bytes += self.stride.note(&more);
            leases.extend(more);
        }
        Ok(leases)
    }

    async fn hand_over(&self, leases: Vec<Lease>) {
        let Ok(permit) = Arc::clone(&self.delivery.room).acquire_owned().await else { return };
        let running = (self.load.run(), self.delivery.load.run(), permit);
        let (delivery, feed) = (Arc::clone(&self.delivery), Arc::clone(&self.feed));
        let deliver = async move {
            delivery.deliver_fed(&feed, leases).await;
            drop(running);
        };
        drop(self.delivery.spawn(deliver));
    }
}

impl Delivery {
    /// Delivers what came together, to one tenant after another, as no sandbox serves two.
    async fn deliver_fed(&self, feed: &Feed, leases: Vec<Lease>) {
        let mut pieces = self.sort_out(feed, leases).await;
        while let Some(first) = pieces.first() {
            let tenant = first.parcel.tenant.clone();
            let (same, others) = pieces.into_iter().partition(|piece: &Piece| piece.parcel.tenant == tenant);
            pieces = others;
            let Some(batch) = feed.batch else {
                self.deliver_single(feed, same).await;
                continue;
            };
            // What has failed in a batch comes alone: if it is to blame, the others go free.
            let (fresh, failed): (Vec<_>, Vec<_>) =
                same.into_iter().partition(|piece| piece.lease.attempt == 0);
            for piece in failed {
                self.deliver_batch(feed, batch, vec![piece]).await;
            }
            if !fresh.is_empty() {
                self.deliver_batch(feed, batch, fresh).await;
            }
        }
    }

    /// Buries what cannot be delivered.
    async fn sort_out(&self, feed: &Feed, leases: Vec<Lease>) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(leases.len());
        for mut lease in leases {
            // Whoever published it did not say who is to get it.
            let named = |parcel| Parcel { target: feed.target.clone(), ..parcel };
            let parcel = Parcel::decode(&lease.payload).map(named);
            let death = match &parcel {
                None => Some(Death::Unreadable),
                Some(parcel) => self.too_late(parcel, &lease, &feed.policy),
            };
            match (parcel, death) {
                (Some(parcel), None) => pieces.push(Piece { lease, parcel }),
                (parcel, death) => {
                    let history = History::decode(&lease.notes);
                    let ending =
                        self.bury(history, death.unwrap_or(Death::Unreadable), parcel.as_ref(), &feed.policy);
                    self.settle(&mut lease, ending).await;
                }
            }
        }
        pieces
    }

    async fn deliver_single(&self, feed: &Feed, pieces: Vec<Piece>) {
        for mut piece in pieces {
            self.deliver_parcel(&mut piece.lease, &piece.parcel, &feed.policy).await;
        }
    }

    /// Delivers events of one tenant as one; what does not fit is given back, and comes in the next batch.
    async fn deliver_batch(&self, feed: &Feed, batch: Batch, mut pieces: Vec<Piece>) {
        let mut body = Body::new(batch.bytes);
        let fitting = pieces.iter().take_while(|piece| body.add(&piece.parcel.event)).count();
        pieces.truncate(fitting);
        let Some(host) = self.host() else { return };
        let answered = host.invoke(&feed.target, batch_context(&pieces), body.into_event(&feed.source)).await;
        match answered {
            Ok(response) => self.settle_answered(feed, batch, pieces, &response).await,
            Err(error) if self.gives_back(&error) => {}
            Err(error) => self.settle_failed(feed, pieces, &error).await,
        }
    }

    async fn settle_answered(&self, feed: &Feed, batch: Batch, pieces: Vec<Piece>, response: &Response) {
        // A set, as the function chooses how many ids it names.
        let known: HashSet<&str> = pieces.iter().map(|piece| piece.parcel.event.id()).collect();
        let is_known = |id: &str| known.contains(id);
        let (failed, fault, said): (Option<_>, _, _) = match fault_in(response) {
            Some((fault, said)) => (None, fault, ("http-status", said)),
            None if !batch.partial => (Some(Default::default()), Fault::Function, ("", String::new())),
            None => match batch::read(response.bytes(), is_known) {
                Verdicts::AllDone => (Some(Default::default()), Fault::Function, ("", String::new())),
                Verdicts::Failed(ids) => {
                    (Some(ids), Fault::Function, ("batch-item-failure", "named in batchItemFailures".into()))
                }
                Verdicts::AllFailed(reason) => (None, Fault::Function, ("invalid-answer", reason)),
            },
        };
        let fault = of_each(fault, pieces.len());
        for Piece { mut lease, parcel } in pieces {
            let has_failed = failed.as_ref().is_none_or(|ids| ids.contains(parcel.event.id()));
            let ending = if has_failed {
                let mut history = History::decode(&lease.notes);
                history.note(
                    lease.attempt + 1,
                    self.wall.now(),
                    (said.0, said.1.clone()),
                    Some(response.report()),
                );
                self.next(&lease, (history, &parcel), &feed.policy, (fault, None))
            } else {
                self.done(&lease, &parcel, &feed.policy, response)
            };
            self.settle(&mut lease, ending).await;
        }
    }

    async fn settle_failed(&self, feed: &Feed, pieces: Vec<Piece>, error: &Error) {
        let fault = of_each(fault_of(error), pieces.len());
        for Piece { mut lease, parcel } in pieces {
            let mut history = History::decode(&lease.notes);
            history.note_error(lease.attempt + 1, self.wall.now(), error);
            let ending: Ending =
                self.next(&lease, (history, &parcel), &feed.policy, (fault, error.retry_after()));
            self.settle(&mut lease, ending).await;
        }
    }
}

/// Tells what the fault of a batch means for each of its events: that it failed for good says nothing of a single one,
/// unless that was alone.
fn of_each(fault: Fault, events: usize) -> Fault {
    match fault {
        Fault::Final if events > 1 => Fault::Function,
        fault => fault,
    }
}

/// Makes the context of a batch: its tenant, and the longest of its lineages.
fn batch_context(pieces: &[Piece]) -> Context {
    let attempt = pieces.iter().map(|piece| piece.lease.attempt).max().unwrap_or_default() + 1;
    let lineage = pieces.iter().map(|piece| piece.parcel.onwards()).max_by_key(|lineage| lineage.len());
    let id = crate::context::RequestId::new();
    let context = Context::of_attempt(id, attempt, lineage.unwrap_or_default());
    match pieces.first().and_then(|piece| piece.parcel.tenant.clone()) {
        Some(tenant) => context.with_tenant(tenant),
        None => context,
    }
}
