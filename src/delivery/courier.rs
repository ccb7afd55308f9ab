//! Takes the messages of one function's channel and has each delivered.

use std::sync::Arc;

use crate::broker::{Channel, Lease, Trouble};
use crate::delivery::feed::Feeder;
#[cfg(feature = "http")]
use crate::delivery::names::webhooks_of;
use crate::delivery::stride::Stride;
use crate::delivery::{Delivery, Load, PAUSE, Policy};

/// What the channels of functions begin with.
const FUNCTION: &str = "f.";
/// How many messages are taken at a time, so that those which wait for a thread are few.
const MOST: usize = 32;
/// How many webhooks of one function are called at once.
#[cfg(feature = "http")]
const MOST_CALLS: usize = 16;

/// Returns the channel in which the events of a function wait.
pub(crate) fn channel_of(function: &str) -> Channel {
    Channel::new(format!("{FUNCTION}{function}"))
}

/// Returns the function that a channel is for, unless a trigger says it.
fn function_of(channel: &Channel) -> Option<&str> {
    let function = channel.as_str().strip_prefix(FUNCTION);
    #[cfg(feature = "http")]
    let function = function.or_else(|| webhooks_of(channel));
    function
}

impl Delivery {
    /// Has the messages of a channel delivered, if there may be any and its function is deployed.
    pub(super) fn serve(&self, channel: &Channel) {
        let Some(me) = self.me.upgrade() else { return };
        let Some(host) = self.host() else { return };
        let mut posts = self.posts.lock();
        if self.is_stopped() || !posts.known.contains(channel) || posts.taken.contains_key(channel) {
            return;
        }
        let feed = posts.feeds.get(channel).map(Arc::clone);
        let function = feed.as_ref().map(|feed| feed.function.as_str()).or_else(|| function_of(channel));
        let Some(function) = function.filter(|function| host.policy(function).is_some()) else { return };
        let load = Arc::default();
        let post = match &feed {
            Some(feed) => {
                let (feed, stride) = (Arc::clone(feed), Stride::default());
                self.spawn(Feeder { delivery: me, feed, load, stride }.run())
            }
            None => {
                let (channel, function) = (channel.clone(), function.into());
                self.spawn(Courier { delivery: me, channel, function, load }.run())
            }
        };
        if let Some(post) = post {
            posts.taken.insert(channel.clone(), post);
        }
    }

    /// Gives up a post, unless it is needed again.
    pub(super) fn leave(&self, channel: &Channel, is_served: impl Fn() -> bool) -> bool {
        let mut posts = self.posts.lock();
        // Whoever deploys looks at the posts after the function is there: so either we see it or they see no post.
        if is_served() {
            return false;
        }
        posts.taken.remove(channel);
        true
    }
}

/// Takes the messages of one function.
struct Courier {
    delivery: Arc<Delivery>,
    channel: Channel,
    function: String,
    load: Arc<Load>,
}

impl Courier {
    async fn run(self) {
        loop {
            if self.policy().is_none() && self.delivery.leave(&self.channel, || self.policy().is_some()) {
                return;
            }
            let most = || self.policy().map_or(1, |policy| self.most(&policy));
            let room = self.load.room(most).await;
            match self.delivery.store.pull(&self.channel, room.min(MOST)).await {
                Ok(leases) => self.hand_over(leases).await,
                Err(Trouble::Closed) => return,
                Err(trouble) => {
                    tracing::warn!(
                        ?trouble,
                        function = self.function,
                        "events cannot be taken; it is tried again"
                    );
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn policy(&self) -> Option<Arc<Policy>> {
        self.delivery.host()?.policy(&self.function)
    }

    /// Returns how many messages may be under way at once.
    fn most(&self, policy: &Policy) -> usize {
        #[cfg(feature = "http")]
        if webhooks_of(&self.channel).is_some() {
            return MOST_CALLS;
        }
        policy.concurrency
    }

    async fn hand_over(&self, leases: Vec<Lease>) {
        for lease in leases {
            // What was taken for a function that is gone by now is given back.
            let Some(policy) = self.policy() else { return };
            let Ok(permit) = Arc::clone(&self.delivery.room).acquire_owned().await else { return };
            let running = (self.load.run(), self.delivery.load.run(), permit);
            let delivery = Arc::clone(&self.delivery);
            #[cfg(feature = "http")]
            if webhooks_of(&self.channel).is_some() {
                let function = self.function.clone();
                let post = async move {
                    delivery.post(&function, lease).await;
                    drop(running);
                };
                drop(self.delivery.spawn(post));
                continue;
            }
            let deliver = async move {
                delivery.deliver(lease, &policy).await;
                drop(running);
            };
            drop(self.delivery.spawn(deliver));
        }
    }
}
