//! Events that nobody waits for: how they are handed over.

use std::time::{Duration, SystemTime};

use crate::broker::{Draft, Once, SubmissionId};
use crate::context::Context;
use crate::delivery::{Parcel, channel_of};
use crate::error::{Error, ErrorKind, Payload};
use crate::event::Event;
use crate::invoke::unknown;
use crate::runtime::handler::Handler;

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

    /// Names it, so that a second event of the same name to the same function is the first one, for 24 hours; none
    /// unless set. At most 256 bytes.
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.idempotency_key_for(key, WINDOW)
    }

    /// Names it for a time of your choice.
    pub fn idempotency_key_for(mut self, key: impl Into<String>, window: Duration) -> Self {
        self.once = Some((key.into(), window));
        self
    }

    /// Has events of the same key and function delivered one after another, in the order in which they were kept; none unless
    /// set. At most 256 bytes.
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

    fn check(&self) -> Result<(), Error> {
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

    /// Tells whether an event of the same idempotency key was there before, and this is that one.
    pub fn is_known(&self) -> bool {
        self.known
    }
}

impl Handler {
    /// Keeps an event, to be delivered as soon as possible, and returns when it is kept.
    ///
    /// What it was answered is not told; [`Runtime::submission`](crate::Runtime::submission) tells what became of it.
    /// It is delivered at least once, and tried again as [`Function::retry`](crate::Function::retry) says.
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
        let delivery = &self.core.delivery;
        let now = delivery.wall.now();
        let function = &self.route.target.name;
        let draft = Draft {
            channel: channel_of(function),
            payload: Parcel::new(submit.event, self.route.target.to_string(), &submit.context).encode(),
            key: submit.key.map(Into::into),
            due: match submit.due {
                Due::Now => now,
                Due::At(time) => time.into(),
                Due::After(time) => now.plus(time),
            },
            once: submit.once.map(|(key, window)| Once { key: format!("f.{function}:{key}").into(), window }),
        };
        let kept = delivery.store.put(vec![draft]).await?.pop().expect("one draft is kept as one");
        Ok(Accepted { id: kept.id, known: kept.known })
    }
}
