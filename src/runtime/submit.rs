//! Events that nobody waits for: how they are handed over.

use std::time::{Duration, SystemTime};

use crate::broker::{Channel, Draft, Kept, Once, SubmissionId};
use crate::context::Context;
use crate::delivery::{Parcel, channel_of};
use crate::error::{Error, ErrorKind, Payload};
use crate::event::Event;
use crate::invoke::unknown;
use crate::runtime::core::Core;
use crate::runtime::handler::Handler;
use crate::wall::Moment;

/// How long a key of [`Submit::idempotency_key`] holds unless a window is given.
const WINDOW: Duration = Duration::from_secs(24 * 3600);
/// Longest key.
const MAX_KEY: usize = 256;

/// An event to be kept, with what is to be known of its delivery; see [`Handler::submit_with`].
///
/// ```
/// use std::time::Duration;
/// use fnhost::{Context, Event, Submit};
///
/// let submit = Submit::new(Event::new("invoice.due"))
///     .after(Duration::from_secs(3600))
///     .idempotency_key("invoice-7")
///     .ordering_key("customer-3")
///     .context(Context::new().with_tenant("acme"));
/// # drop(submit);
/// ```
#[derive(Debug)]
#[must_use = "it does nothing until it is handed over"]
pub struct Submit {
    event: Event,
    context: Context,
    due: Due,
    once: Option<(String, Duration)>,
    key: Option<String>,
}

#[derive(Debug)]
enum Due {
    Now,
    At(SystemTime),
    After(Duration),
}

impl Submit {
    /// Begins with an event that is delivered as soon as possible.
    pub fn new(event: Event) -> Self {
        Self { event, context: Context::new(), due: Due::Now, once: None, key: None }
    }

    /// Sets when it is delivered at the earliest; at once unless set.
    pub fn at(mut self, time: SystemTime) -> Self {
        self.due = Due::At(time);
        self
    }

    /// Sets after what time it is delivered at the earliest; at once unless set.
    pub fn after(mut self, time: Duration) -> Self {
        self.due = Due::After(time);
        self
    }

    /// Names it, so that a second event of the same name and tenant to the same function is the first one, for 24 hours;
    /// none unless set. At most 256 bytes.
    ///
    /// The key holds whatever became of the first event: it may be done, dead, purged or cancelled, and the second is
    /// not run. Where [`Accepted::is_known`] is true, [`Runtime::submission`](crate::Runtime::submission) tells; to
    /// have it run again, use [`DeadLetters::send_again`](crate::DeadLetters::send_again) or another key.
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.idempotency_key_for(key, WINDOW)
    }

    /// Names it for a time of your choice; see [`idempotency_key`](Self::idempotency_key).
    pub fn idempotency_key_for(mut self, key: impl Into<String>, window: Duration) -> Self {
        self.once = Some((key.into(), window));
        self
    }

    /// Has events of the same key, tenant and function delivered one after another, in the order in which they were kept;
    /// none unless set. At most 256 bytes.
    ///
    /// The next one waits until the one before is done or dead, through all its retries.
    pub fn ordering_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets tenant, trace parent and attributes; none unless set. A deadline belongs to each attempt and is not kept.
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    pub(super) fn into_draft(self, now: Moment, channel: Channel, target: &str) -> Draft {
        let tenant = self.context.tenant();
        let once = self.once.map(|(key, window)| once_in(&channel, &key_of(tenant, &key), window));
        let key = self.key.map(|key| key_of(tenant, &key).into());
        let due = match self.due {
            Due::Now => now,
            Due::At(time) => time.into(),
            Due::After(time) => now.plus(time),
        };
        let parcel = Parcel::new(self.event, target, &self.context);
        let parcel = Parcel { due: (due > now).then_some(due), ..parcel };
        Draft { channel, payload: parcel.encode(), key, due, once }
    }

    /// Makes the same message for each of several channels.
    pub(super) fn into_drafts(self, now: Moment, channels: Vec<Channel>) -> Vec<Draft> {
        let tenant = self.context.tenant();
        let once = self.once.as_ref().map(|(key, window)| (key_of(tenant, key), *window));
        let first = channels.first().cloned().expect("there is at least one channel");
        let draft = self.into_draft(now, first, "");
        let made = channels.into_iter().map(|channel| {
            let once = once.as_ref().map(|(key, window)| once_in(&channel, key, *window));
            Draft { channel, once, ..draft.clone() }
        });
        made.collect()
    }

    pub(super) fn event(&self) -> &Event {
        &self.event
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        self.event.check()?;
        self.context.check::<Error>()?;
        let once = self.once.as_ref().map(|(key, _)| ("idempotency key", key));
        let keys = once.into_iter().chain(self.key.as_ref().map(|key| ("ordering key", key)));
        for (what, key) in keys {
            if !(1..=MAX_KEY).contains(&key.len()) {
                let reason = format!("{} bytes long; give 1 to {MAX_KEY}", key.len());
                return Err(ErrorKind::InvalidEvent { attribute: what.into(), reason }.into());
            }
        }
        Ok(())
    }
}

/// Makes a key that is no other tenant's: what one tenant does must not keep back or replace an event of another.
fn key_of(tenant: Option<&str>, key: &str) -> String {
    match tenant {
        Some(tenant) => format!("{}:{tenant}:{key}", tenant.len()),
        None => format!(":{key}"),
    }
}

/// A key holds in its channel alone.
fn once_in(channel: &Channel, key: &str, window: Duration) -> Once {
    Once { key: format!("{}:{key}", channel.as_str()).into(), window }
}

/// What an event was kept as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    id: SubmissionId,
    known: bool,
}

impl Accepted {
    /// Returns the id, for [`Runtime::submission`](crate::Runtime::submission).
    pub fn id(&self) -> &SubmissionId {
        &self.id
    }

    /// Tells whether an event of the same idempotency key was there before, and this is that one, whatever became of
    /// it.
    pub fn is_known(&self) -> bool {
        self.known
    }
}

impl From<Kept> for Accepted {
    fn from(kept: Kept) -> Self {
        Self { id: kept.id, known: kept.known }
    }
}

impl Handler {
    /// Keeps an event, to be delivered as soon as possible, and returns when it is kept.
    ///
    /// What it was answered is not told; [`Runtime::submission`](crate::Runtime::submission) tells what became of it.
    /// It is delivered at least once, and tried again as [`Function::retry`](crate::Function::retry) says. What many
    /// tasks submit at the same time is kept together, so await many at once rather than one after the other. A
    /// process that has not deployed the function has no handler of it; it may publish to a [`Queue`](crate::Queue) or
    /// [`Topic`](crate::Topic).
    ///
    /// ```
    /// use fnhost::{Context, Event, Function, Response, Runtime};
    ///
    /// let runtime = Runtime::new()?;
    /// runtime.block_on(async {
    ///     let count = async |_: Event, _: Context| Ok(Response::new());
    ///     runtime.deploy(Function::native("count", count)).await?;
    ///     let accepted = runtime.handler("count")?.submit(Event::new("click")).await?;
    ///     println!("kept as {}", accepted.id());
    ///     Ok::<(), fnhost::Error>(())
    /// })?;
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What is wrong with the event, unknown function, throttled when the broker is full, or why the broker
    /// cannot keep it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves open whether the event is kept.
    pub async fn submit(&self, event: Event) -> Result<Accepted, Error> {
        self.submit_with(Submit::new(event)).await
    }

    /// Keeps an event that is delivered at a time, or as soon as possible after it.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub async fn submit_at(&self, event: Event, time: SystemTime) -> Result<Accepted, Error> {
        self.submit_with(Submit::new(event).at(time)).await
    }

    /// Keeps an event that is delivered after some time, or as soon as possible then.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub async fn submit_after(&self, event: Event, time: Duration) -> Result<Accepted, Error> {
        self.submit_with(Submit::new(event).after(time)).await
    }

    /// Keeps an event, with a time, with keys, or with a context.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub async fn submit_with(&self, submit: Submit) -> Result<Accepted, Error> {
        if self.core.is_closed() {
            return Err(ErrorKind::ShuttingDown.into());
        }
        submit.check()?;
        let slot = self.route.resolve(crate::lane::home()).ok_or_else(|| unknown(&self.route.target))?;
        let (size, limit) = (submit.event.body().len() as u64, slot.deployment.limits.event);
        if size > limit {
            return Err(ErrorKind::PayloadTooLarge { what: Payload::Event, limit, size }.into());
        }
        let channel = channel_of(&self.route.target.name);
        keep(&self.core, submit, channel, &self.route.target.to_string()).await
    }
}

/// Keeps an event that was checked.
pub(super) async fn keep(
    core: &Core,
    submit: Submit,
    channel: Channel,
    target: &str,
) -> Result<Accepted, Error> {
    let draft = submit.into_draft(core.delivery.wall.now(), channel, target);
    let kept = core.delivery.store.put(vec![draft]).await?.pop().expect("one draft is kept as one");
    Ok(kept.into())
}
