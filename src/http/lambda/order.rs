//! What a request asks for, read once from its head.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde::de::IgnoredAny;

use crate::context::Context;
use crate::http::lambda::fault::Fault;
use crate::http::lambda::route::{self, Operation};
use crate::http::lambda::{name, trace};

/// Longest client context, as it is sent.
const MAX_CLIENT_CONTEXT: usize = 3583;
/// Longest tenant.
const MAX_TENANT: usize = 256;

/// The attribute that holds the client context, as JSON.
const CLIENT_CONTEXT: &str = "lambda.client-context";
/// The attribute that holds the trace header as it came.
const TRACE: &str = "lambda.trace-id";

/// What a request asks for.
pub(super) struct Order {
    /// `name` or `name:qualifier`.
    pub(super) target: String,
    pub(super) mode: Mode,
    /// Whether the end of the log is wanted.
    pub(super) with_log: bool,
    pub(super) context: Context,
}

/// How the invocation is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// With the function's answer.
    Answer,
    /// With the function's answer as it is produced.
    Stream,
    /// Once the event is kept; nobody waits for the function.
    Submit,
    /// With whether it could be invoked; the function does not run.
    DryRun,
}

impl Order {
    pub(super) fn read(head: &http::request::Parts, context: Context) -> Result<Self, Fault> {
        let (operation, written) = route::find(&head.method, head.uri.path())?;
        let qualifier = route::qualifier(head.uri.query().unwrap_or_default())?;
        Ok(Self {
            target: name::target(&written, qualifier.as_deref())?,
            mode: mode(operation, text(&head.headers, "x-amz-invocation-type")?)?,
            with_log: with_log(text(&head.headers, "x-amz-log-type")?)?,
            context: describe(context, &head.headers)?,
        })
    }
}

fn mode(operation: Operation, invocation_type: Option<&str>) -> Result<Mode, Fault> {
    match (operation, invocation_type) {
        (Operation::Invoke, None | Some("RequestResponse")) => Ok(Mode::Answer),
        (Operation::Stream, None | Some("RequestResponse")) => Ok(Mode::Stream),
        (Operation::Invoke, Some("Event")) => Ok(Mode::Submit),
        (_, Some("DryRun")) => Ok(Mode::DryRun),
        (_, Some(other)) => Err(Fault::invalid_parameter(format!(
            "the invocation type {other:?} is not known here; use RequestResponse, DryRun, or, where nothing is \
             streamed, Event"
        ))),
    }
}

fn with_log(log_type: Option<&str>) -> Result<bool, Fault> {
    match log_type {
        None | Some("None") => Ok(false),
        Some("Tail") => Ok(true),
        Some(other) => {
            Err(Fault::invalid_parameter(format!("the log type {other:?} is not known; use None or Tail")))
        }
    }
}

/// Adds what the headers say of the invocation.
fn describe(mut context: Context, headers: &HeaderMap) -> Result<Context, Fault> {
    if let Some(tenant) = text(headers, "x-amz-tenant-id")? {
        check_tenant(tenant)?;
        context = context.with_tenant(tenant);
    }
    if let Some(encoded) = text(headers, "x-amz-client-context")? {
        context = context.with_attribute(CLIENT_CONTEXT, client_context(encoded)?);
    }
    // A trace that cannot be read must not keep anything from running.
    if let Some(header) = text(headers, "x-amzn-trace-id").ok().flatten() {
        let span = context.request_id().as_u128() as u64;
        if let Some(parent) = trace::traceparent(header, span) {
            context = context.with_traceparent(parent).with_attribute(TRACE, header);
        }
    }
    Ok(context)
}

fn check_tenant(tenant: &str) -> Result<(), Fault> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/=+-@ ".contains(&byte);
    if (1..=MAX_TENANT).contains(&tenant.len()) && tenant.bytes().all(allowed) {
        return Ok(());
    }
    Err(Fault::invalid_parameter(format!(
        "the tenant of {} bytes is refused; give 1 to {MAX_TENANT} letters, digits, blanks and characters of ._:/=+-@",
        tenant.len()
    )))
}

/// Returns the client context as JSON.
fn client_context(encoded: &str) -> Result<String, Fault> {
    if encoded.len() > MAX_CLIENT_CONTEXT {
        return Err(Fault::invalid_content(format!(
            "the client context has {} bytes of base64, the limit is {MAX_CLIENT_CONTEXT}; move some to the payload",
            encoded.len()
        )));
    }
    let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded
        .filter(|text| serde_json::from_str::<BTreeMap<String, IgnoredAny>>(text).is_ok())
        .ok_or_else(|| Fault::invalid_content("Client context must be a valid Base64-encoded JSON object."))
}

/// Returns a header's text; one that is given twice, or is no text, is refused.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Fault> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text)),
        _ => {
            Err(Fault::invalid_parameter(format!("the header {name} must be given once, in printable ASCII")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVOKE: &str = "/2015-03-31/functions/resize/invocations";
    const STREAM: &str = "/2021-11-15/functions/resize/response-streaming-invocations";

    fn read(path: &str, headers: &[(&str, &str)]) -> Result<Order, (&'static str, String)> {
        let mut request = http::Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Order::read(&head, Context::new()).map_err(Fault::into_parts)
    }

    #[track_caller]
    fn refused(header: (&str, &str)) -> &'static str {
        match read(INVOKE, &[header]) {
            Ok(_) => panic!("{header:?} must be refused"),
            Err((name, _)) => name,
        }
    }

    #[test]
    fn the_type_says_how_it_is_answered() {
        let modes =
            |path, named: &str| read(path, &[("X-Amz-Invocation-Type", named)]).map(|order| order.mode).ok();
        assert_eq!(read(INVOKE, &[]).unwrap().mode, Mode::Answer);
        assert_eq!(read(STREAM, &[]).unwrap().mode, Mode::Stream);
        assert_eq!(modes(INVOKE, "RequestResponse"), Some(Mode::Answer));
        assert_eq!(modes(STREAM, "RequestResponse"), Some(Mode::Stream));
        assert_eq!(modes(INVOKE, "Event"), Some(Mode::Submit));
        assert_eq!(modes(STREAM, "Event"), None);
        assert_eq!(
            (modes(INVOKE, "DryRun"), modes(STREAM, "DryRun")),
            (Some(Mode::DryRun), Some(Mode::DryRun))
        );
        assert_eq!(modes(INVOKE, "event"), None);
    }

    #[test]
    fn the_log_comes_only_when_it_is_wanted() {
        let wanted =
            |named: &str| read(INVOKE, &[("X-Amz-Log-Type", named)]).map(|order| order.with_log).ok();
        assert!(!read(INVOKE, &[]).unwrap().with_log);
        assert_eq!((wanted("None"), wanted("Tail"), wanted("All")), (Some(false), Some(true), None));
    }

    #[test]
    fn a_tenant_has_a_length_and_an_alphabet() {
        let order = read(INVOKE, &[("X-Amz-Tenant-Id", "acme/berlin 7")]).unwrap();
        assert_eq!(order.context.tenant(), Some("acme/berlin 7"));
        assert!(read(INVOKE, &[("X-Amz-Tenant-Id", &"x".repeat(256))]).is_ok());
        for wrong in ["", "a,b", &"x".repeat(257)] {
            assert_eq!(refused(("X-Amz-Tenant-Id", wrong)), "InvalidParameterValueException");
        }
        assert!(read(INVOKE, &[("X-Amz-Tenant-Id", "a"), ("X-Amz-Tenant-Id", "b")]).is_err());
    }

    #[test]
    fn a_client_context_is_an_object_of_a_limited_size() {
        let encode = |json: &str| STANDARD.encode(json);
        let order = read(INVOKE, &[("X-Amz-Client-Context", &encode(r#"{"custom":{"a":"ä"}}"#))]).unwrap();
        assert_eq!(order.context.attribute(CLIENT_CONTEXT), Some(r#"{"custom":{"a":"ä"}}"#));
        let filled = |len: usize| encode(&format!(r#"{{"a":"{}"}}"#, "x".repeat(len)));
        assert_eq!(filled(2_677).len(), 3_580);
        assert!(read(INVOKE, &[("X-Amz-Client-Context", &filled(2_677))]).is_ok());
        for wrong in [encode("[]"), encode("{"), "***".into(), filled(2_680), String::new()] {
            assert_eq!(refused(("X-Amz-Client-Context", &wrong)), "InvalidRequestContentException");
        }
    }

    #[test]
    fn a_trace_is_kept_where_it_can_be_read() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let order = read(INVOKE, &[("X-Amzn-Trace-Id", header)]).unwrap();
        let parent = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
        assert_eq!(order.context.traceparent(), Some(parent));
        assert_eq!(order.context.attribute(TRACE), Some(header));
        assert_eq!(read(INVOKE, &[("X-Amzn-Trace-Id", "garbage")]).unwrap().context.traceparent(), None);
    }
}
