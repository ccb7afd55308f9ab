//! Several messages as one event, and what its answer says of each.

use std::collections::HashSet;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::event::{Event, Response};

/// The type of the event that a batch becomes.
const TYPE: &str = "fnhost.batch";
/// What its body is.
const MEDIA_TYPE: &str = "application/cloudevents-batch+json";
/// Most events of one batch.
const MOST: usize = 10_000;
/// Longest window.
const LONGEST: Duration = Duration::from_secs(300);

/// How many messages become one event, and how long is waited for them.
///
/// A batch closes when it has so many events, so many bytes, or when its window is over, whichever is first. The
/// function gets one event of the type `fnhost.batch`, whose body is a list of events in the JSON format; see
/// [`Event::batch`].
///
/// It answers nothing, or `{"batchItemFailures": [{"itemIdentifier": "<id>"}]}` with the ids of the events that
/// failed; those come again, the others are done. Any other answer, `{"ok": true}` too, means that all have failed,
/// unless [`all_or_none`](Self::all_or_none) is set.
///
/// ```
/// use std::time::Duration;
/// use fnhost::Batch;
///
/// let batch = Batch::of(100).window(Duration::from_secs(1)).bytes(1 << 20);
/// # drop(batch);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a batch does nothing until a trigger has it"]
pub struct Batch {
    pub(crate) most: usize,
    pub(crate) window: Duration,
    pub(crate) bytes: usize,
    pub(crate) partial: bool,
}

impl Default for Batch {
    fn default() -> Self {
        Self::of(10)
    }
}

impl Batch {
    /// Takes up to so many events at a time, at most 10,000; what is there is taken at once.
    pub fn of(events: usize) -> Self {
        Self { most: events, window: Duration::ZERO, bytes: 6_000_000, partial: true }
    }

    /// Sets how long is waited for a batch to fill after its first event came; not at all unless set, at most 5
    /// minutes.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets how large the body of a batch may be; 6,000,000 bytes unless set. A single event that is larger comes
    /// alone.
    pub fn bytes(mut self, most: usize) -> Self {
        self.bytes = most;
        self
    }

    /// Has an answer, whatever it says, mean that all events of the batch are done.
    pub fn all_or_none(mut self) -> Self {
        self.partial = false;
        self
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if !(1..=MOST).contains(&self.most) {
            return Err(format!("a batch of {} events; give 1 to {MOST}", self.most));
        }
        if self.window > LONGEST {
            return Err(format!("a window of {:?}; give at most {LONGEST:?}", self.window));
        }
        if self.bytes == 0 {
            return Err("a batch of 0 bytes; give at least 1".into());
        }
        Ok(())
    }
}

/// The body of a batch, as it grows.
pub(crate) struct Body {
    bytes: BytesMut,
    most: usize,
    events: usize,
}

impl Body {
    pub(crate) fn new(most: usize) -> Self {
        Self { bytes: BytesMut::from(&b"["[..]), most, events: 0 }
    }

    /// Adds an event, unless the body would be too large; the first one always fits.
    pub(crate) fn add(&mut self, event: &Event) -> bool {
        self.add_json(&serde_json::to_vec(event).expect("a kept event was checked"))
    }

    /// Adds an event that was written before, unless the body would be too large; the first one always fits.
    pub(crate) fn add_json(&mut self, json: &[u8]) -> bool {
        if self.events > 0 && self.bytes.len() + json.len() + 2 > self.most {
            return false;
        }
        if self.events > 0 {
            self.bytes.put_u8(b',');
        }
        self.bytes.put_slice(json);
        self.events += 1;
        true
    }

    pub(crate) fn into_event(mut self, source: &str) -> Event {
        self.bytes.put_u8(b']');
        Event::bytes(TYPE, self.bytes.freeze()).with_source(source).with_content_type(MEDIA_TYPE)
    }
}

/// What an answer says of the events of its batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdicts {
    AllDone,
    /// Those of these ids failed, the others are done.
    Failed(HashSet<String>),
    /// None is done, as the answer cannot be understood.
    AllFailed(String),
}

/// Reads an answer; `is_known` tells which ids the batch has.
pub(crate) fn read(answer: &Bytes, is_known: impl Fn(&str) -> bool) -> Verdicts {
    if answer.is_empty() {
        return Verdicts::AllDone;
    }
    let all_failed = |reason: &str| {
        Verdicts::AllFailed(format!(
            "{reason}; answer nothing, or {{\"batchItemFailures\": [{{\"itemIdentifier\": \"<id>\"}}]}}"
        ))
    };
    let answer = match serde_json::from_slice(answer) {
        Ok(Value::Null) => return Verdicts::AllDone,
        Ok(Value::Object(answer)) if answer.is_empty() => return Verdicts::AllDone,
        Ok(Value::Object(answer)) => answer,
        Ok(_) => return all_failed("the answer to a batch is no object"),
        Err(_) => return all_failed("the answer to a batch is no JSON"),
    };
    let failures = match answer.get("batchItemFailures") {
        Some(Value::Null) => return Verdicts::AllDone,
        Some(Value::Array(failures)) => failures,
        Some(_) => return all_failed("batchItemFailures is no list"),
        None => return all_failed("the answer to a batch has no batchItemFailures"),
    };
    let mut failed = HashSet::new();
    for failure in failures {
        match failure.get("itemIdentifier") {
            Some(Value::String(id)) if !id.is_empty() && is_known(id) => drop(failed.insert(id.clone())),
            Some(Value::String(id)) if id.is_empty() => return all_failed("an itemIdentifier is empty"),
            Some(Value::String(_)) => return all_failed("an itemIdentifier is none of the batch"),
            _ => return all_failed("a failure has no itemIdentifier that is text"),
        }
    }
    if failed.is_empty() { Verdicts::AllDone } else { Verdicts::Failed(failed) }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failures {
    batch_item_failures: Vec<Failure>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

impl Event {
    /// Reads the events of a batch, in order.
    ///
    /// # Errors
    ///
    /// `InvalidBody` if it is no batch.
    ///
    /// ```
    /// use fnhost::{Context, Event, Function, Response};
    ///
    /// let count = Function::native("count", async |batch: Event, _: Context| {
    ///     let failed = batch.batch()?.into_iter().filter(|event| event.subject().is_none());
    ///     Ok(Response::batch_failures(failed.map(|event| event.id().to_owned())))
    /// });
    /// # drop(count);
    /// ```
    pub fn batch(&self) -> Result<Vec<Self>, Error> {
        self.body_json()
    }
}

impl Response {
    /// Creates the answer to a batch: these events of it failed, by their ids, the others are done.
    pub fn batch_failures(ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let failures = ids.into_iter().map(|id| Failure { item_identifier: id.into() });
        let failures = Failures { batch_item_failures: failures.collect() };
        Self::from_json(&failures).expect("ids are text, which JSON can hold")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(answer: &str) -> Verdicts {
        read(&Bytes::copy_from_slice(answer.as_bytes()), |id| ["a", "b", "c"].contains(&id))
    }

    #[test]
    fn these_answers_mean_that_all_are_done() {
        for answer in
            ["", "null", "{}", " { } ", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#]
        {
            assert_eq!(verdicts(answer), Verdicts::AllDone, "{answer}");
        }
    }

    #[test]
    fn those_that_are_named_have_failed() {
        let answer =
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"c"},{"itemIdentifier":"a"}]}"#;
        assert_eq!(verdicts(answer), Verdicts::Failed(["a".to_owned(), "c".to_owned()].into()));
    }

    #[test]
    fn all_have_failed_where_the_answer_is_not_understood() {
        for (answer, reason) in [
            ("soup", "no JSON"),
            ("[1", "no JSON"),
            ("[]", "no object"),
            (r#""a""#, "no object"),
            (r#"{"ok":true}"#, "has no batchItemFailures"),
            (r#"{"batchitemfailures":[]}"#, "has no batchItemFailures"),
            (r#"{"batchItemFailures":{}}"#, "no list"),
            (r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, "is empty"),
            (r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, "no itemIdentifier"),
            (r#"{"batchItemFailures":[{"itemIdentifier":7}]}"#, "no itemIdentifier"),
            (r#"{"batchItemFailures":[{"identifier":"a"}]}"#, "no itemIdentifier"),
            (r#"{"batchItemFailures":["a"]}"#, "no itemIdentifier"),
            (r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}"#, "none of the batch"),
        ] {
            let Verdicts::AllFailed(said) = verdicts(answer) else { panic!("{answer}") };
            assert!(said.contains(reason), "{answer}: {said}");
        }
    }

    #[test]
    fn what_a_rust_handler_answers_is_understood() {
        let answer = Response::batch_failures(["b"]);
        assert_eq!(read(answer.bytes(), |id| id == "b"), Verdicts::Failed(["b".to_owned()].into()));
        assert_eq!(read(Response::batch_failures([""; 0]).bytes(), |_| false), Verdicts::AllDone);
    }

    #[test]
    fn a_batch_is_read_as_it_was_made() {
        let mut body = Body::new(1 << 20);
        let events = [Event::json("a", &1).unwrap(), Event::bytes("b", vec![0xff])];
        assert!(events.iter().all(|event| body.add(event)));
        let batch = body.into_event("/fnhost/queue/orders");
        batch.check().unwrap();
        assert_eq!((batch.event_type(), batch.source()), (TYPE, "/fnhost/queue/orders"));
        assert_eq!(batch.batch().unwrap(), events);
    }

    #[test]
    fn a_body_is_bounded_but_for_its_first_event() {
        let event = Event::bytes("a", "x".repeat(100)).with_content_type("text/plain");
        let size = serde_json::to_vec(&event).unwrap().len();
        let mut body = Body::new(2 * size + 3);
        assert!(body.add(&event) && body.add(&event) && !body.add(&event));
        assert_eq!(body.into_event("/a").body().len(), 2 * size + 3);
        assert!(Body::new(1).add(&event), "the first one comes alone");
    }
}
