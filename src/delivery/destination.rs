//! Where the outcome of a submitted event goes.

#[cfg(feature = "http")]
use std::sync::Arc;

use serde_json::{Value, json};

use crate::broker::Draft;
use crate::context::RequestId;
use crate::delivery::names::{Name, queue_channel};
use crate::delivery::sequel::Sequel;
#[cfg(feature = "http")]
use crate::delivery::webhook::Hook;
use crate::delivery::{Death, Delivery, History, Parcel, channel_of};
use crate::event::json::data;
use crate::event::{Event, Response};
use crate::registry::Target;
use crate::wall::Moment;

/// The types of events that destinations get.
const SUCCESS: &str = "fnhost.invocation.success";
pub(super) const FAILURE: &str = "fnhost.invocation.failure";

/// Where the outcome of a submitted event goes: another function, a queue, a topic, a webhook.
///
/// It gets an event of the type `fnhost.invocation.success` or `fnhost.invocation.failure`, whose body is a record:
/// the event, the answer or what went wrong, and how often it was tried. The outcome is kept in the same step as the
/// ending, so that none is lost; it may come twice, as any event.
///
/// ```
/// use fnhost::{Destination, Function};
///
/// let function = Function::wasm("resize", "(module)")
///     .on_success(Destination::function("publish").answer())
///     .on_failure(Destination::queue("failed-images"));
/// # drop(function);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a destination does nothing until a function has it"]
pub struct Destination {
    pub(crate) place: Place,
    pub(super) plain: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Place {
    Function(String),
    Queue(String),
    Topic(String),
    #[cfg(feature = "http")]
    Webhook(Arc<Hook>),
}

impl Destination {
    /// Sends outcomes to a function, as submitted events.
    pub fn function(target: impl Into<String>) -> Self {
        Self { place: Place::Function(target.into()), plain: false }
    }

    /// Puts outcomes into a queue.
    pub fn queue(name: impl Into<String>) -> Self {
        Self { place: Place::Queue(name.into()), plain: false }
    }

    /// Publishes outcomes to a topic.
    pub fn topic(name: impl Into<String>) -> Self {
        Self { place: Place::Topic(name.into()), plain: false }
    }

    /// Sends the answer alone as the body, with its content type, in place of the record; of what was given up, the
    /// event as it came.
    pub fn answer(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Tells whether it gets the answer, or the event, in place of the record.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Tells whether what it gets may reach a function again.
    fn goes_on(&self) -> bool {
        match &self.place {
            Place::Function(_) | Place::Queue(_) | Place::Topic(_) => true,
            #[cfg(feature = "http")]
            Place::Webhook(_) => false,
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        match &self.place {
            Place::Function(target) => {
                let name = target.split(':').next().unwrap_or_default();
                Name::parse("function", name)?;
                Target::parse(target).map(drop).map_err(|error| error.to_string())
            }
            Place::Queue(name) => Name::parse("queue", name).map(drop),
            Place::Topic(name) => Name::parse("topic", name).map(drop),
            #[cfg(feature = "http")]
            Place::Webhook(hook) => hook.check(),
        }
    }
}

/// How an event ended.
pub(crate) enum Outcome<'a> {
    Answered { response: &'a Response, attempts: u32 },
    GivenUp { history: &'a History, death: Death },
}

impl Delivery {
    /// Makes what follows from an ending.
    pub(super) fn follow(
        &self,
        destinations: &[Destination],
        parcel: &Parcel,
        outcome: &Outcome<'_>,
    ) -> Sequel {
        // A chain that is too long would be refused again, and again go on from there.
        let is_over = matches!(outcome, Outcome::GivenUp { death: Death::RecursiveInvocation, .. });
        let reached = || destinations.iter().filter(|destination| !(is_over && destination.goes_on()));
        let follow = |is_cut| {
            let drafts = reached().flat_map(|reached| self.follow_one(reached, parcel, (outcome, is_cut)));
            drafts.collect()
        };
        Sequel::new(follow(false), || follow(true))
    }

    fn follow_one(
        &self,
        destination: &Destination,
        parcel: &Parcel,
        (outcome, is_cut): (&Outcome<'_>, bool),
    ) -> Vec<Draft> {
        let now = self.wall.now();
        let event = match destination.plain && !is_cut {
            true => plain(parcel, outcome),
            false => record(parcel, (outcome, is_cut), now),
        };
        let sent = Parcel {
            event,
            target: String::new(),
            request_id: RequestId::new(),
            tenant: parcel.tenant.clone(),
            traceparent: parcel.traceparent.clone(),
            attributes: Vec::new(),
            due: None,
            lineage: parcel.onwards(),
        };
        let function = parcel.target.split(':').next().unwrap_or_default();
        let is_success = matches!(outcome, Outcome::Answered { .. });
        self.send_to(destination, (function, is_success), sent)
    }

    /// Makes the messages that bring an event to a destination of a function, for what succeeded or what did not.
    pub(super) fn send_to(&self, destination: &Destination, owner: (&str, bool), sent: Parcel) -> Vec<Draft> {
        // Only webhooks are looked up in their owner again.
        #[cfg(not(feature = "http"))]
        let _ = owner;
        let now = self.wall.now();
        let draft = |channel, parcel: &Parcel| Draft {
            channel,
            payload: parcel.encode(),
            key: None,
            due: now,
            once: None,
        };
        match &destination.place {
            Place::Function(target) => {
                let name = target.split(':').next().unwrap_or_default();
                vec![draft(channel_of(name), &Parcel { target: target.clone(), ..sent })]
            }
            Place::Queue(name) => vec![draft(queue_channel(name), &sent)],
            Place::Topic(name) => self.topics.drafts(name, &sent, now),
            #[cfg(feature = "http")]
            Place::Webhook(hook) => {
                let (channel, sent) = self.address(hook, destination.plain, owner, sent);
                vec![draft(channel, &sent)]
            }
        }
    }
}

/// Makes the event of the answer alone.
fn plain(parcel: &Parcel, outcome: &Outcome<'_>) -> Event {
    match outcome {
        Outcome::Answered { response, .. } => {
            let event = Event::bytes(SUCCESS, response.bytes().clone()).with_source(source(parcel));
            match response.content_type() {
                Some(content_type) => event.with_content_type(content_type),
                None => event,
            }
        }
        Outcome::GivenUp { .. } => parcel.event.clone(),
    }
}

/// Makes the event of the record that users of function services know.
fn record(parcel: &Parcel, (outcome, is_cut): (&Outcome<'_>, bool), now: Moment) -> Event {
    let (event_type, condition, tried, response) = match outcome {
        Outcome::Answered { response, attempts } => {
            (SUCCESS, "Success", *attempts, answered(response, is_cut))
        }
        Outcome::GivenUp { history, death } => (FAILURE, death.name(), history.count(), given_up(history)),
    };
    let (context, payload) = response;
    let sent = || data(parcel.event.body(), parcel.event.content_type()).1;
    let mut body = json!({
        "version": "1.0",
        "timestamp": now.to_rfc3339(),
        "requestContext": {
            "requestId": parcel.request_id.to_string(),
            "functionArn": parcel.target,
            "condition": condition,
            "approximateInvokeCount": tried,
        },
        "requestPayload": if is_cut { Value::Null } else { sent() },
        "responseContext": context,
        "responsePayload": payload,
    });
    if is_cut {
        body["cut"] = true.into();
    }
    let event = Event::json(event_type, &body).expect("text, numbers and lists of them can be written");
    event.with_source(source(parcel)).with_subject(parcel.event.id().to_owned())
}

fn answered(response: &Response, is_cut: bool) -> (Value, Value) {
    let context = json!({
        "statusCode": 200,
        "executedVersion": response.report().version().to_string(),
    });
    let payload = || data(response.bytes(), response.content_type()).1;
    (context, if is_cut { Value::Null } else { payload() })
}

pub(super) fn given_up(history: &History) -> (Value, Value) {
    match history.last_message() {
        Some((kind, message)) => (
            json!({ "statusCode": 200, "functionError": kind }),
            json!({ "errorType": kind, "errorMessage": message }),
        ),
        None => (Value::Null, Value::Null),
    }
}

fn source(parcel: &Parcel) -> String {
    format!("/fnhost/function/{}", parcel.target.split(':').next().unwrap_or_default())
}
