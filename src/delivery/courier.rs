//! Takes the messages of one function's channel and has each delivered.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::{Channel, Lease, Trouble};
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
    /// Has the events of a function delivered, if there may be any and it is deployed.
    pub(super) fn serve(&self, channel: &Channel) {
        let Some(function) = channel.as_str().strip_prefix(FUNCTION) else { return };
        let Some(me) = self.me.upgrade() else { return };
        let Some(host) = self.host() else { return };
        let mut posts = self.posts.lock();
        let is_due = posts.known.contains(channel) && !posts.taken.contains_key(channel);
        if self.is_stopped() || !is_due || host.policy(function).is_none() {
            return;
        }
        let courier = Courier {
            delivery: me,
            channel: channel.clone(),
            function: function.into(),
            load: Arc::default(),
        };
        if let Some(post) = self.spawn(courier.run()) {
            posts.taken.insert(channel.clone(), post);
        }
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
            if self.policy().is_none() && self.leave() {
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

    /// Gives up the post, unless the function is there again.
    fn leave(&self) -> bool {
        let mut posts = self.delivery.posts.lock();
        // Whoever deploys looks at the posts after the function is there: so either we see it or they see no post.
        if self.policy().is_some() {
            return false;
        }
        posts.taken.remove(&self.channel);
        true
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
