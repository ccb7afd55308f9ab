//! Events that were given up: to be looked at, sent again, or forgotten.

use std::collections::HashSet;
use std::fmt;
use std::time::SystemTime;

use crate::broker::{Channel, Letter, Store, SubmissionId};
#[cfg(feature = "http")]
use crate::delivery::webhook_channel;
use crate::delivery::{
    Attempt, Death, Delivery, History, Parcel, channel_of, queue_channel, subscription_channel,
};
use crate::error::Error;
use crate::event::Event;
use crate::runtime::Runtime;

/// How many letters are looked at in one step of a change of all.
const PAGE: usize = 100;

/// An event that was given up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The id under which it was submitted.
    pub id: SubmissionId,
    /// The event as it came; none if it cannot be read.
    pub event: Option<Event>,
    /// The function it was submitted to, as that was written (`resize`, `resize:3`); `q.NAME` if it was published to a
    /// queue, `t.TOPIC.SUBSCRIPTION` if to a topic; for a webhook the URL. Of what cannot be read, the channel:
    /// `f.NAME` for a function, `w.NAME` for its webhooks.
    pub target: String,
    /// Whose event it was.
    pub tenant: Option<String>,
    /// Why it was given up.
    pub death: Death,
    /// What went wrong.
    pub attempts: Vec<Attempt>,
    /// When it was given up.
    pub died: SystemTime,
    /// Where it stands among all, for [`DeadLetters::list`].
    pub position: u64,
}

/// The dead letters of a runtime's broker; see [`Runtime::dead_letters`].
///
/// They are of everything unless one of `of_function`, `of_queue`, `of_subscription` and `of_webhook` is called, of
/// which the last one counts.
///
/// ```
/// # use fnhost::Runtime;
/// # let runtime = Runtime::new()?;
/// # runtime.block_on(async {
/// let letters = runtime.dead_letters().of_function("resize");
/// for letter in letters.list(0, 20).await? {
///     println!("{}: {} after {} attempts", letter.id, letter.death, letter.attempts.len());
/// }
/// println!("{} sent again", letters.send_all_again().await?);
/// # Ok::<(), fnhost::Error>(())
/// # })?;
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone)]
pub struct DeadLetters {
    delivery: std::sync::Arc<Delivery>,
    channel: Option<Channel>,
}

impl Runtime {
    /// Returns the dead letters, of everything that this runtime's broker keeps.
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters { delivery: std::sync::Arc::clone(&self.core().delivery), channel: None }
    }
}

impl DeadLetters {
    /// Keeps to those that were submitted to one function; what a queue or topic brought to it is of that one.
    #[must_use]
    pub fn of_function(mut self, name: &str) -> Self {
        self.channel = Some(channel_of(name));
        self
    }

    /// Keeps to those that were published to one queue.
    #[must_use]
    pub fn of_queue(mut self, name: &str) -> Self {
        self.channel = Some(queue_channel(name));
        self
    }

    /// Keeps to those that were published to one topic, for one subscription.
    #[must_use]
    pub fn of_subscription(mut self, topic: &str, subscription: &str) -> Self {
        self.channel = Some(subscription_channel(topic, subscription));
        self
    }

    /// Keeps to what was to be posted to the webhooks of one function, and those of its triggers; the target of each is
    /// its URL.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn of_webhook(mut self, function: &str) -> Self {
        self.channel = Some(webhook_channel(function));
        self
    }

    fn store(&self) -> &dyn Store {
        &*self.delivery.store
    }

    /// Returns up to so many letters that stand behind a position, oldest first; 0 begins with the first.
    ///
    /// # Errors
    ///
    /// Why the broker cannot tell.
    pub async fn list(&self, behind: u64, most: usize) -> Result<Vec<DeadLetter>, Error> {
        let letters = self.store().letters(self.channel.as_ref(), behind, most).await?;
        Ok(letters.into_iter().map(dead_letter).collect())
    }

    /// Returns one letter; none if there is no such one.
    ///
    /// # Errors
    ///
    /// Why the broker cannot tell.
    pub async fn get(&self, id: &SubmissionId) -> Result<Option<DeadLetter>, Error> {
        Ok(self.store().letter(id).await?.map(dead_letter))
    }

    /// Has a letter delivered again, as if it were new, under the same id; false if there is no such one.
    ///
    /// # Errors
    ///
    /// Why the broker cannot do that.
    pub async fn send_again(&self, id: &SubmissionId) -> Result<bool, Error> {
        Ok(self.store().revive(id).await?)
    }

    /// Has all letters delivered again that are there now; answers how many.
    ///
    /// # Errors
    ///
    /// Why the broker cannot do that; some may have been sent again.
    pub async fn send_all_again(&self) -> Result<u64, Error> {
        self.each(async |id| self.send_again(id).await).await
    }

    /// Forgets a letter; false if there is no such one.
    ///
    /// # Errors
    ///
    /// Why the broker cannot do that.
    pub async fn purge(&self, id: &SubmissionId) -> Result<bool, Error> {
        Ok(self.store().purge(id).await?)
    }

    /// Forgets all letters that are there now; answers how many.
    ///
    /// # Errors
    ///
    /// Why the broker cannot do that; some may have been forgotten.
    pub async fn purge_all(&self) -> Result<u64, Error> {
        self.each(async |id| self.purge(id).await).await
    }

    /// Does something with each letter that died until now: one that dies meanwhile, perhaps again, is left.
    async fn each(&self, change: impl AsyncFn(&SubmissionId) -> Result<bool, Error>) -> Result<u64, Error> {
        let until = self.delivery.wall.now();
        let (mut behind, mut changed) = (0, 0);
        // Those that died in this very millisecond, as they may die in it once more.
        let mut last_moment = HashSet::new();
        loop {
            let letters = self.store().letters(self.channel.as_ref(), behind, PAGE).await?;
            let Some(last) = letters.last() else { return Ok(changed) };
            behind = last.order;
            for Letter { id, died, .. } in letters {
                if died < until || (died == until && last_moment.insert(id.clone())) {
                    changed += u64::from(change(&id).await?);
                }
            }
        }
    }
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters").field("channel", &self.channel).finish_non_exhaustive()
    }
}

fn dead_letter(letter: Letter) -> DeadLetter {
    let history = History::decode(&letter.notes);
    let parcel = Parcel::decode(&letter.payload);
    let (event, target, tenant) = match parcel {
        Some(parcel) => (Some(parcel.event), parcel.target, parcel.tenant.as_deref().map(Into::into)),
        None => (None, String::new(), None),
    };
    DeadLetter {
        id: letter.id,
        event,
        target: if target.is_empty() { letter.channel.as_str().into() } else { target },
        tenant,
        death: history.death.unwrap_or(Death::Unreadable),
        attempts: history.into_attempts(),
        died: letter.died.time(),
        position: letter.order,
    }
}
