//! Takes the messages of one function's channel and has each delivered.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::{Channel, Lease, Trouble};
use crate::delivery::feed::Feeder;
use crate::delivery::{Delivery, Load, Policy};

/// What the channels of functions begin with.
const FUNCTION: &str = "f.";
/// How many messages are taken at a time, so that those which wait for a thread are few.
const MOST: usize = 32;
/// How long a store that has trouble is left alone.
const PAUSE: Duration = Duration::from_millis(500);

/// Returns the channel in which the events of a function wait.
pub(crate) fn channel_of(function: &str) -> Channel {
    Channel::new(format!("{FUNCTION}{function}"))
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
        let function =
            feed.as_ref().map(|feed| feed.function.as_str()).or(channel.as_str().strip_prefix(FUNCTION));
        let Some(function) = function.filter(|function| host.policy(function).is_some()) else { return };
        let load = Arc::default();
        let post = match &feed {
            Some(feed) => self.spawn(Feeder { delivery: me, feed: Arc::clone(feed), load }.run()),
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
            let most = || self.policy().map_or(1, |policy| policy.concurrency);
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

    async fn hand_over(&self, leases: Vec<Lease>) {
        for lease in leases {
            // What was taken for a function that is gone by now is given back.
            let Some(policy) = self.policy() else { return };
            let Ok(permit) = Arc::clone(&self.delivery.room).acquire_owned().await else { return };
            let running = (self.load.run(), self.delivery.load.run(), permit);
            let delivery = Arc::clone(&self.delivery);
            let deliver = async move {
                delivery.deliver(lease, &policy).await;
                drop(running);
            };
            drop(self.delivery.spawn(deliver));
        }
    }
}
