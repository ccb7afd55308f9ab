//! Batches: read with a bound, sent so many at a time, answered with one result for each event.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::{Value, json};

use crate::escape::Escaped;
use crate::event::Event;
use crate::http::answer::Refusal;
use crate::http::cloudevents::accept::Wish;
use crate::http::cloudevents::mode::{BATCH, Mode};
use crate::http::cloudevents::outcome::Outcome;
use crate::http::cloudevents::refusal;

/// Reads batches of so many events at most.
#[derive(Clone, Copy)]
pub(super) struct Batch {
    pub(super) most: usize,
}

impl Batch {
    pub(super) fn read(self, body: &Bytes) -> Result<Vec<Event>, Refusal> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let events = self.deserialize(&mut json).and_then(|events| json.end().map(|()| events));
        events.map_err(|error| {
            let error = error.to_string();
            refusal::bad_request(format!(
                "the body is no batch in the JSON batch format: {}",
                Escaped(&error)
            ))
        })
    }
}

impl<'de> DeserializeSeed<'de> for Batch {
    type Value = Vec<Event>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Event>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Batch {
    type Value = Vec<Event>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a batch of events, as a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Event>, A::Error> {
        let mut events = Vec::new();
        while let Some(event) = seq.next_element().map_err(|error| at(events.len(), &error))? {
            if events.len() == self.most {
                let most = self.most;
                return Err(A::Error::custom(format!(
                    "more than {most} events, which is the limit; send several batches"
                )));
            }
            events.push(event);
        }
        Ok(events)
    }
}

/// Says of which event an error speaks, counted from 1.
fn at<E: serde::de::Error>(index: usize, error: &E) -> E {
    E::custom(format!("event {}: {error}", index + 1))
}

/// Runs so many futures at a time, and hands over what each answers with its index, as soon as it does.
///
/// All are polled by the task that polls this one, each time it is woken: fine for tens of them.
pub(super) async fn in_order<F: Future>(
    most: usize,
    futures: impl Iterator<Item = F>,
    mut done: impl FnMut(usize, F::Output),
) {
    let mut waiting = futures.enumerate();
    let mut running: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    poll_fn(|cx: &mut Context<'_>| {
        loop {
            let free = most - running.len();
            running.extend(waiting.by_ref().take(free).map(|(at, future)| (at, Box::pin(future))));
            let before = running.len();
            running.retain_mut(|(at, future)| match future.as_mut().poll(cx) {
                Poll::Ready(answer) => {
                    done(*at, answer);
                    false
                }
                Poll::Pending => true,
            });
            // Who came in now has to be polled as well, to be woken at all.
            if running.len() == before {
                return if running.is_empty() { Poll::Ready(()) } else { Poll::Pending };
            }
        }
    })
    .await;
}

/// What became of each event of a batch.
pub(super) struct Results {
    names: Vec<(String, String)>,
    outcomes: Vec<Option<Outcome>>,
    /// What is left for the answers, in bytes.
    room: usize,
}

impl Results {
    pub(super) fn new(events: &[Event], room: usize) -> Self {
        let names = events.iter().map(|event| (event.id().to_owned(), event.source().to_owned()));
        Self { names: names.collect(), outcomes: events.iter().map(|_| None).collect(), room }
    }

    /// Keeps what became of the event at that index, as far as there is room.
    pub(super) fn put(&mut self, at: usize, outcome: Outcome) {
        let outcome = outcome.within(self.room);
        self.room -= outcome.size();
        self.outcomes[at] = Some(outcome);
    }

    /// Answers the batch.
    pub(super) fn into_response(self, wish: Wish) -> Response<Bytes> {
        let outcomes: Vec<Outcome> = self.outcomes.into_iter().flatten().collect();
        let is_well = outcomes.iter().all(Outcome::is_well);
        if is_well && outcomes.iter().all(Outcome::says_nothing) {
            return empty(StatusCode::ACCEPTED);
        }
        let is_said_in_events =
            outcomes.iter().all(|outcome| outcome.says_nothing() || outcome.event().is_some());
        if is_well && is_said_in_events && wish == Wish::Mode(Mode::Batch) {
            let events: Vec<&Event> = outcomes.iter().filter_map(Outcome::event).collect();
            return written(StatusCode::OK, BATCH, &json!(events));
        }
        let results = outcomes.iter().zip(self.names).map(|(outcome, (id, source))| {
            let mut result = outcome.to_json();
            result.insert("id".to_owned(), id.into());
            result.insert("source".to_owned(), source.into());
            Value::Object(result)
        });
        let results = written(overall(&outcomes), "application/json", &Value::Array(results.collect()));
        with_retry_after(results, &outcomes)
    }
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

fn written(status: StatusCode, content_type: &'static str, value: &Value) -> Response<Bytes> {
    let mut response = Response::new(value.to_string().into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The status of the whole: that of the event for which trying again makes most sense.
///
/// A sender that looks at nothing else must not take a batch for delivered of which an event may still be.
fn overall(outcomes: &[Outcome]) -> StatusCode {
    let failed = outcomes.iter().filter(|outcome| !outcome.is_well()).map(Outcome::status);
    let urgency =
        |status: &StatusCode| (status.is_server_error(), *status == StatusCode::TOO_MANY_REQUESTS, *status);
    failed.max_by_key(urgency).unwrap_or(StatusCode::OK)
}

fn with_retry_after(mut response: Response<Bytes>, outcomes: &[Outcome]) -> Response<Bytes> {
    let seconds = outcomes.iter().filter_map(Outcome::retry_after).max();
    if let Some(seconds) = seconds.filter(|_| !response.status().is_success()) {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}
