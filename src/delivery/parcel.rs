//! What is kept of an event: itself, where it goes, and what is known of it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::context::{Context, RequestId};
use crate::event::{Event, Stored};
use crate::wall::Moment;

/// The first byte of what this version writes.
const FORMAT: u8 = 1;

/// An event with all that its attempts need to know.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) event: Event,
    /// As it was written; resolved anew at each attempt. Empty where the channel says who serves it.
    pub(crate) target: String,
    /// The same at each attempt.
    pub(crate) request_id: RequestId,
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) traceparent: Option<Arc<str>>,
    pub(crate) attributes: Vec<(String, String)>,
    /// When it was to come, if it was put off.
    pub(crate) due: Option<Moment>,
    /// The targets that events went through until this one came of them.
    pub(crate) lineage: Arc<[String]>,
}

/// Everything of a parcel but the event's body, which follows as it is.
#[derive(Serialize, Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    event: Stored<'a>,
    target: Cow<'a, str>,
    request_id: u128,
    tenant: Option<Cow<'a, str>>,
    traceparent: Option<Cow<'a, str>>,
    attributes: Cow<'a, [(String, String)]>,
    due: Option<u64>,
    lineage: Cow<'a, [String]>,
}

impl Parcel {
    /// Packs an event that somebody sends with a context.
    pub(crate) fn new(event: Event, target: impl Into<String>, context: &Context) -> Self {
        Self {
            event,
            target: target.into(),
            request_id: context.request_id(),
            tenant: context.tenant_key().clone(),
            traceparent: context.traceparent().map(Arc::from),
            attributes: context.attributes().map(|(name, value)| (name.into(), value.into())).collect(),
            due: None,
            lineage: context.lineage().into(),
        }
    }

    /// Makes the context of one attempt, counted from 1.
    pub(crate) fn context(&self, attempt: u32) -> Context {
        let context = Context::of_attempt(self.request_id, attempt, self.onwards());
        let context = match &self.tenant {
            Some(tenant) => context.with_tenant(Arc::clone(tenant)),
            None => context,
        };
        let context = match &self.traceparent {
            Some(traceparent) => context.with_traceparent(Arc::clone(traceparent)),
            None => context,
        };
        let attributes = self.attributes.iter();
        attributes.fold(context, |context, (name, value)| context.with_attribute(name, value))
    }

    /// Returns from when its age counts, if it was put then: time in which nobody might have it is no age.
    pub(crate) fn aged_from(&self, put: Moment) -> Moment {
        put.max(self.due.unwrap_or_default())
    }

    /// Returns the lineage of what comes of this event.
    pub(crate) fn onwards(&self) -> Arc<[String]> {
        self.lineage.iter().cloned().chain([self.target.clone()]).collect()
    }

    pub(crate) fn encode(&self) -> Bytes {
        let header = Header {
            event: self.event.stored(),
            target: Cow::Borrowed(&self.target),
            request_id: self.request_id.as_u128(),
            tenant: self.tenant.as_deref().map(Cow::Borrowed),
            traceparent: self.traceparent.as_deref().map(Cow::Borrowed),
            attributes: Cow::Borrowed(&self.attributes),
            due: self.due.map(|due| due.0),
            lineage: Cow::Borrowed(&self.lineage),
        };
        let header = postcard::to_stdvec(&header).expect("text and numbers can be written");
        let body = self.event.body();
        let mut bytes = BytesMut::with_capacity(5 + header.len() + body.len());
        bytes.put_u8(FORMAT);
        bytes.put_u32_le(u32::try_from(header.len()).expect("attributes are far smaller than 4 GiB"));
        bytes.put_slice(&header);
        bytes.put_slice(body);
        bytes.freeze()
    }

    /// Reads what was kept; none if another version wrote it, or somebody else.
    pub(crate) fn decode(bytes: &Bytes) -> Option<Self> {
        let (&[FORMAT, a, b, c, d], rest) = bytes.split_first_chunk::<5>()? else { return None };
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let (header, _) = rest.split_at_checked(length)?;
        let header: Header<'_> = postcard::from_bytes(header).ok()?;
        Some(Self {
            event: header.event.into_event(bytes.slice(5 + length..)),
            target: header.target.into_owned(),
            request_id: RequestId::from_u128(header.request_id),
            tenant: header.tenant.map(|tenant| tenant.into()),
            traceparent: header.traceparent.map(|traceparent| traceparent.into()),
            attributes: header.attributes.into_owned(),
            due: header.due.map(Moment),
            lineage: header.lineage.into_owned().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(event: Event) -> Parcel {
        let context = Context::new()
            .with_tenant("acme")
            .with_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            .with_attribute("a", "1");
        Parcel {
            due: Some(Moment(7)),
            lineage: Arc::from(["before".to_owned()]),
            ..Parcel::new(event, "resize:7", &context)
        }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let event = Event::json("order.placed", &[1, 2])
            .unwrap()
            .with_subject("s")
            .with_time("2018-04-05T17:31:00Z")
            .with_data_schema("https://example.com/schema")
            .with_extension("flag", true)
            .with_extension("number", -7)
            .with_extension("text", "true");
        for event in
            [event, Event::new("empty"), Event::bytes("no bytes", ""), Event::bytes("b", vec![0, 255])]
        {
            let sent = parcel(event);
            let read = Parcel::decode(&sent.encode()).unwrap();
            assert_eq!(format!("{read:?}"), format!("{sent:?}"));
            assert_eq!(read.event, sent.event);
        }
    }

    #[test]
    fn what_is_cut_or_foreign_is_not_read() {
        let whole = parcel(Event::bytes("a", "body")).encode();
        let header = whole.len() - 4;
        for length in 0..header {
            assert!(Parcel::decode(&whole.slice(..length)).is_none(), "{length} bytes");
        }
        let mut foreign = whole.to_vec();
        foreign[0] = 2;
        assert!(Parcel::decode(&foreign.into()).is_none());
    }

    #[test]
    fn an_attempt_knows_what_the_sender_knew() {
        let sent = parcel(Event::new("a"));
        let context = sent.context(3);
        assert_eq!((context.request_id(), context.attempt()), (sent.request_id, 3));
        assert_eq!((context.tenant(), context.attribute("a")), (Some("acme"), Some("1")));
        assert_eq!(context.lineage(), ["before", "resize:7"]);
    }
}
