//! What became of one event: the answer of its function, or why there is none.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::event::http::answer::{self, STRUCTURED};
use crate::event::http::{binary, response};
use crate::event::json::data;
use crate::http::answer::Refusal;
use crate::http::cloudevents::mode::{BATCH, Mode};

/// What became of one event.
pub(super) struct Outcome {
    /// Status and headers; those of the event that the answer may be are not among them.
    head: Response<()>,
    said: Said,
    /// What the answer holds, in bytes.
    size: usize,
}

enum Said {
    Nothing,
    Body(Bytes),
    Event(Event),
    Refused(Map<String, Value>),
    /// So many bytes, for which there was no room.
    Omitted(usize),
}

impl Outcome {
    pub(super) fn of(answer: Result<crate::event::Response, Error>) -> Self {
        let outcome = answer.and_then(|answer| {
            // The function has ended well; that its answer cannot be passed on is said under the same request id.
            Self::answered(&answer)
                .map_err(|error| Error::with_report(error.into_kind(), Box::new(answer.report().clone())))
        });
        outcome.unwrap_or_else(|error| Self::failed(&error))
    }

    fn answered(answer: &crate::event::Response) -> Result<Self, Error> {
        let (parts, body) = response::write(answer)?.into_parts();
        let mut head = Response::from_parts(parts, ());
        let attributes: usize = answer.attributes().map(|(name, value)| name.len() + value.len()).sum();
        let size = body.len() + attributes;
        if let Some(event) = answer::event(answer)? {
            check_status(head.status())?;
            remove_event(head.headers_mut());
            return Ok(Self { head, said: Said::Event(event), size });
        }
        if !body.is_empty() || head.headers().contains_key(CONTENT_TYPE) {
            return Ok(Self { head, said: Said::Body(body), size });
        }
        if answer.attribute(response::STATUS).is_none() {
            *head.status_mut() = StatusCode::ACCEPTED;
        }
        Ok(Self { head, said: Said::Nothing, size })
    }

    fn failed(error: &Error) -> Self {
        let request_id = error.report().map(|report| report.request_id.to_string());
        // What a function says of itself is for its report: a sender is no client of it.
        let (head, said) = Refusal::of(error, false).into_parts(request_id.as_deref());
        Self { head, said: Said::Refused(said), size: 0 }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.head.status()
    }

    /// Tells whether the event was answered; what a redirection would mean to it is not looked at.
    pub(super) fn is_well(&self) -> bool {
        !self.status().is_client_error() && !self.status().is_server_error()
    }

    pub(super) fn says_nothing(&self) -> bool {
        matches!(self.said, Said::Nothing)
    }

    pub(super) fn event(&self) -> Option<&Event> {
        if let Said::Event(event) = &self.said { Some(event) } else { None }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Returns in how many seconds trying again makes sense, where that is known.
    pub(super) fn retry_after(&self) -> Option<u64> {
        self.head.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
    }

    /// Leaves out what does not fit.
    pub(super) fn within(mut self, room: usize) -> Self {
        if self.size > room {
            self.said = Said::Omitted(self.size);
            self.head.headers_mut().clear();
            self.size = 0;
        }
        self
    }

    /// Answers the one event of a request; a mode says how it is written if the answer is one too.
    pub(super) fn into_response(self, mode: Mode) -> Response<Bytes> {
        let head = self.head;
        match self.said {
            Said::Nothing | Said::Omitted(_) => head.map(|()| Bytes::new()),
            Said::Body(body) => head.map(|()| body),
            Said::Refused(reason) => typed(head, "application/json", Value::Object(reason).to_string()),
            Said::Event(event) => match written(head, &event, mode) {
                Ok(response) => response,
                // Not an event any more, so that this cannot come here again.
                Err(error) => Self::failed(&error).into_response(mode),
            },
        }
    }

    /// Writes what became of one event of a batch.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut result = if let Said::Refused(reason) = &self.said { reason.clone() } else { Map::new() };
        result.insert("status".to_owned(), self.status().as_u16().into());
        match &self.said {
            Said::Nothing | Said::Refused(_) => {}
            Said::Omitted(bytes) => {
                result.insert("omitted".to_owned(), (*bytes).into());
            }
            Said::Event(event) => {
                result.insert("event".to_owned(), json(event));
            }
            Said::Body(body) => {
                let content_type =
                    self.head.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
                let (member, value) = data(body, content_type);
                result.insert(member.to_owned(), value);
                result.extend(content_type.map(|value| ("datacontenttype".to_owned(), value.into())));
            }
        }
        result
    }
}

fn check_status(status: StatusCode) -> Result<(), Error> {
    if response::is_bare(status) {
        let reason =
            format!("an event with status {}, which has no body; leave the status out", status.as_u16());
        return Err(ErrorKind::InvalidAnswer { reason }.into());
    }
    Ok(())
}

/// Removes what the event's own headers say again.
fn remove_event(headers: &mut HeaderMap) {
    headers.remove(CONTENT_TYPE);
    let names: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("ce-")).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn written(mut head: Response<()>, event: &Event, mode: Mode) -> Result<Response<Bytes>, Error> {
    Ok(match mode {
        Mode::Binary => {
            head.headers_mut().extend(binary::headers(event)?);
            head.map(|()| event.body().clone())
        }
        Mode::Structured => typed(head, STRUCTURED, json(event).to_string()),
        Mode::Batch => typed(head, BATCH, Value::Array(vec![json(event)]).to_string()),
    })
}

fn json(event: &Event) -> Value {
    serde_json::to_value(event).expect("an event that passes its check can be written")
}

fn typed(mut head: Response<()>, content_type: &'static str, body: String) -> Response<Bytes> {
    head.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    head.map(|()| body.into())
}
