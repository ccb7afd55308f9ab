//! Asks a function who may pass.

use std::collections::BTreeMap;

use http::request::Parts;
use serde::Deserialize;

use crate::context::Context;
use crate::error::Error;
use crate::event::Response;
use crate::event::http::request;
use crate::http::auth::{Authorizer, Denied, Identity, Verdict};
use crate::runtime::Handler;

/// The type of the event that asks.
const QUESTION: &str = "http.authorize";
/// The longest reason that is passed on to a client, in bytes.
const MAX_REASON: usize = 1024;

/// Asks a function who may pass.
///
/// The function is sent an event of the type `http.authorize` without a body: the extension attributes `httpmethod`,
/// `httppath` and, where there is one, `httpquery`, and each header as an attribute of the context, such as
/// `http.header.authorization`. It answers JSON, one of
///
/// ```json
/// {"allow": true, "tenant": "acme", "attributes": {"sub": "ada"}}
/// {"allow": false, "status": 401, "reason": "the session is over"}
/// ```
///
/// where all but `allow` may be left out, and the status is 401 or 403, which is the default. Whatever else comes back
/// denies: an answer that is not one of these with status 500, a failure too, and a throttled function with 503.
///
/// ```
/// use fnhost::{Context, Event, Failure, Function, Response, Runtime};
/// use fnhost::http::{Authorizer, ask};
///
/// let door = async |_: Event, context: Context| {
///     let allow = context.attribute("http.header.x-key") == Some("s3cret");
///     Response::from_json(&serde_json::json!({ "allow": allow })).map_err(Failure::from)
/// };
/// let runtime = Runtime::builder().places(4).build()?;
/// runtime.block_on(runtime.deploy(Function::native("door", door)))?;
/// let door = ask(runtime.handler("door")?);
///
/// let (request, ()) = http::Request::get("/cellar").header("x-key", "s3cret").body(())?.into_parts();
/// assert!(runtime.block_on(door.authorize(&request)).is_ok());
/// let (request, ()) = http::Request::get("/cellar").body(())?.into_parts();
/// assert_eq!(runtime.block_on(door.authorize(&request)).unwrap_err().status(), 403);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn ask(handler: Handler) -> Ask {
    Ask { handler }
}

/// An authorizer that asks a function; [`ask`] makes it.
#[derive(Clone, Debug)]
#[must_use = "an authorizer does nothing until a gateway asks it"]
pub struct Ask {
    handler: Handler,
}

impl Authorizer for Ask {
    fn authorize<'a>(&'a self, request: &'a Parts) -> Verdict<'a> {
        match request::head(QUESTION, Context::new(), request) {
            Ok((context, event)) => {
                let answer = self.handler.invoke_with(context, event);
                Box::pin(async move { verdict(answer.await) })
            }
            Err(refusal) => {
                let denied = Denied::unreadable(refusal.status(), refusal.to_string());
                Box::pin(std::future::ready(Err(denied)))
            }
        }
    }
}

/// Fails closed: only a good answer lets anybody in.
fn verdict(answer: Result<Response, Error>) -> Result<Identity, Denied> {
    let answer = answer.map_err(|error| match error.retry_after() {
        Some(retry_after) => Denied::busy(retry_after),
        None => failed(&error.to_string()),
    })?;
    let answer = Answer::read(answer.bytes()).map_err(|reason| failed(&reason))?;
    answer.judge().map_err(|reason| failed(&reason))?
}

fn failed(reason: &str) -> Denied {
    tracing::warn!(target: "fnhost::http", reason, "an authorizer failed, and its request is denied");
    Denied::failed()
}

/// What the function answers. A member that is not known here may be one that was meant to restrict.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    allow: bool,
    tenant: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    status: Option<u16>,
    reason: Option<String>,
}

impl Answer {
    fn read(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| format!("the answer is no verdict: {error}"))
    }

    fn judge(self) -> Result<Result<Identity, Denied>, String> {
        match self {
            Self { allow: true, tenant, attributes, status: None, reason: None } => {
                identity(tenant, attributes).map(Ok)
            }
            Self { allow: true, .. } => {
                Err("the answer allows, with a status or a reason to deny".to_owned())
            }
            Self { status, reason, .. } => {
                denied(status, reason.unwrap_or_else(|| "denied".to_owned())).map(Err)
            }
        }
    }
}

fn identity(tenant: Option<String>, attributes: BTreeMap<String, String>) -> Result<Identity, String> {
    let identity = tenant.into_iter().fold(Identity::new(), Identity::with_tenant);
    let add = |identity: Identity, (name, value): (String, String)| identity.with_attribute(name, value);
    let identity = attributes.into_iter().fold(identity, add);
    identity.check().map_err(|error| error.to_string())?;
    Ok(identity)
}

fn denied(status: Option<u16>, reason: String) -> Result<Denied, String> {
    if reason.len() > MAX_REASON {
        return Err(format!("a reason of {} bytes, the limit is {MAX_REASON}; say it shorter", reason.len()));
    }
    match status {
        None | Some(403) => Ok(Denied::forbidden(reason)),
        Some(401) => Ok(Denied::unauthorized(reason)),
        Some(other) => Err(format!("the answer denies with status {other}; give 401 or 403")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Request;

    use super::*;
    use crate::error::{ErrorKind, Failure, ThrottleReason};

    fn answer(body: &str) -> Result<Identity, Denied> {
        verdict(Ok(Response::from_text(body)))
    }

    #[test]
    fn the_question_says_what_is_asked_for() {
        let request =
            Request::put("https://shop/a%2Fb/c?x=1&y=%20").header("content-type", "application/json");
        let request = request.header("x-key", "a").header("X-Key", "b").header("content-length", "7");
        let (context, event) =
            request::head(QUESTION, Context::new(), &request.body(()).unwrap().into_parts().0).unwrap();
        event.check().unwrap();
        let extensions: Vec<_> = event.extensions().map(|(name, value)| (name, value.to_string())).collect();
        let wanted = [("httpmethod", "PUT"), ("httppath", "/a%2Fb/c"), ("httpquery", "x=1&y=%20")];
        assert_eq!(extensions, wanted.map(|(name, value)| (name, value.to_owned())));
        assert_eq!((event.event_type(), event.source()), ("http.authorize", "//shop"));
        assert_eq!((event.body().len(), event.content_type()), (0, None), "the body is not there yet");
        let attributes: Vec<_> = context.attributes().collect();
        assert_eq!(
            attributes,
            [("http.header.content-type", "application/json"), ("http.header.x-key", "a, b")]
        );
    }

    #[test]
    fn a_good_answer_lets_in() {
        let identity = answer(r#"{"allow":true,"tenant":"acme","attributes":{"sub":"ada"}}"#).unwrap();
        assert_eq!(identity, Identity::new().with_tenant("acme").with_attribute("sub", "ada"));
        assert_eq!(answer(r#"{"allow":true}"#).unwrap(), Identity::new());
    }

    #[test]
    fn a_good_answer_denies() {
        let denied = answer(r#"{"allow":false,"status":401,"reason":"who?"}"#).unwrap_err();
        assert_eq!(denied, Denied::unauthorized("who?"));
        assert_eq!(answer(r#"{"allow":false}"#).unwrap_err(), Denied::forbidden("denied"));
        assert_eq!(
            answer(r#"{"allow":false,"status":403,"reason":"no"}"#).unwrap_err(),
            Denied::forbidden("no")
        );
        let with_tenant = answer(r#"{"allow":false,"tenant":"acme"}"#).unwrap_err();
        assert_eq!(with_tenant, Denied::forbidden("denied"));
    }

    #[test]
    fn every_other_answer_denies() {
        let long = format!(r#"{{"allow":false,"reason":"{}"}}"#, "x".repeat(MAX_REASON + 1));
        for body in [
            "",
            "true",
            "null",
            "[]",
            "{}",
            "yes",
            r#"{"allow":"true"}"#,
            r#"{"allow":1}"#,
            r#"{"allow":null}"#,
            r#"{"Allow":true}"#,
            r#"{"allow":true,"allow":true}"#,
            r#"{"allow":true} "#.trim_end_matches("} "),
            r#"{"allow":true}{"allow":true}"#,
            r#"{"allow":true,"tennant":"acme"}"#,
            r#"{"allow":true,"tenant":""}"#,
            r#"{"allow":true,"tenant":7}"#,
            r#"{"allow":true,"attributes":{"Sub":"ada"}}"#,
            r#"{"allow":true,"attributes":{"sub":7}}"#,
            r#"{"allow":true,"attributes":{"sub":"a\nb"}}"#,
            r#"{"allow":true,"attributes":["sub"]}"#,
            r#"{"allow":true,"status":403}"#,
            r#"{"allow":true,"reason":"no"}"#,
            r#"{"allow":false,"status":200}"#,
            r#"{"allow":false,"status":302}"#,
            r#"{"allow":false,"status":"403"}"#,
            r#"{"allow":false,"status":70000}"#,
            &long,
        ] {
            assert_eq!(answer(body).unwrap_err(), Denied::failed(), "{body}");
        }
    }

    #[test]
    fn an_error_denies_and_says_nothing() {
        let failure = Failure::new("crash", "at /etc/keys");
        assert_eq!(verdict(Err(ErrorKind::Failed(failure).into())).unwrap_err(), Denied::failed());
        assert_eq!(verdict(Err(ErrorKind::ShuttingDown.into())).unwrap_err(), Denied::failed());
    }

    #[test]
    fn a_throttled_function_is_asked_again_later() {
        let (reason, retry_after) = (ThrottleReason::NoSlot, Duration::from_millis(1500));
        let denied = verdict(Err(ErrorKind::Throttled { reason, retry_after }.into())).unwrap_err();
        assert_eq!((denied.status().as_u16(), denied.retry_after()), (503, Some(retry_after)));
    }
}
