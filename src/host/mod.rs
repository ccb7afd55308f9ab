//! What a guest may ask of the host, granted by name.
//!
//! A [`Grants`] promises that only what was granted can be called, that a host function that panics is a
//! failure and not a crash, and that its future is dropped with the event. It does not limit how much a host
//! function does on the guest's behalf; its author does.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::error::Failure;

/// How much is repeated of a name that was not granted; the guest chooses it, and it may be megabytes.
const SHOWN: usize = 100;

type Answer = Result<Bytes, Failure>;
type BoxFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The host functions that one function may call.
#[derive(Clone, Default)]
pub(crate) struct Grants {
    functions: BTreeMap<String, Arc<dyn Fn(Bytes, Context) -> BoxFuture + Send + Sync>>,
    stand_in: bool,
}

impl Grants {
    /// Makes grants for what runs at deployment, in place of those for events.
    pub(crate) fn stand_ins() -> Self {
        Self { stand_in: true, ..Self::default() }
    }

    /// Grants a host function under a name; the last of a name holds.
    pub(crate) fn grant<F, R>(&mut self, name: String, function: F)
    where
        F: Fn(Bytes, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Answer> + Send + 'static,
    {
        self.functions.insert(name, Arc::new(move |body, context| Box::pin(function(body, context))));
    }

    /// Grants a host function that reads and answers JSON.
    pub(crate) fn grant_json<I, O, F, R>(&mut self, name: String, function: F)
    where
        I: DeserializeOwned,
        O: Serialize,
        F: Fn(I, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, Failure>> + Send + 'static,
    {
        let function = Arc::new(move |body: &Bytes, context| {
            serde_json::from_slice(body).map(|input| function(input, context)).map_err(bad_request)
        });
        self.grant(name, move |body, context| {
            let answer = function(&body, context);
            async move { Ok(Bytes::from(serde_json::to_vec(&answer?.await?)?)) }
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Calls a host function; a name that was not granted is a failure that says so.
    pub(crate) async fn call(&self, name: &str, body: Bytes, context: Context) -> Answer {
        let Some(function) = self.functions.get(name) else { return Err(self.not_granted(name)) };
        // Made inside the guarded future, so that a panic while making it is caught too.
        guarded(async move { function(body, context).await }).await
    }

    fn not_granted(&self, name: &str) -> Failure {
        let granted: Vec<&str> = self.functions.keys().map(String::as_str).collect();
        let granted = if granted.is_empty() { "nothing".into() } else { granted.join(", ") };
        let name: String = name.chars().take(SHOWN).collect();
        let message = if self.stand_in {
            format!(
                "{name:?} has no stand-in while this function is deployed; there is {granted}; use `.stand_in`"
            )
        } else {
            format!("{name:?} is not granted to this function; granted is {granted}; use `.grant`")
        };
        Failure::new("not-granted", message)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn bad_request(error: serde_json::Error) -> Failure {
    Failure::new("bad-request", format!("the body is not the JSON that is wanted: {error}"))
}

async fn guarded(future: impl Future<Output = Answer>) -> Answer {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled,
        Err(_) => Poll::Ready(Err(Failure::new("panic", "the host function panicked; see the host's log"))),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on::block_on;

    fn call(grants: &Grants, name: &str, body: &'static str) -> Answer {
        block_on(grants.call(name, Bytes::from_static(body.as_bytes()), Context::new()))
    }

    #[test]
    fn only_what_was_granted_can_be_called() {
        let mut grants = Grants::default();
        grants.grant("echo".into(), async |body, _| Ok(body));
        assert_eq!(call(&grants, "echo", "hi").unwrap(), "hi");
        let failure = call(&grants, "other", "").unwrap_err();
        assert_eq!(failure.kind(), "not-granted");
        assert!(failure.message().contains("\"other\"") && failure.message().contains("echo"));
    }

    #[test]
    fn a_huge_name_that_was_not_granted_is_not_repeated_whole() {
        let failure =
            block_on(Grants::default().call(&"\u{1}".repeat(1 << 20), Bytes::new(), Context::new()));
        assert!(failure.unwrap_err().message().len() < 1_000);
    }

    #[test]
    fn json_is_read_and_written() {
        let mut grants = Grants::default();
        grants.grant_json("double".into(), async |number: i64, _| Ok(number * 2));
        assert_eq!(call(&grants, "double", "21").unwrap(), "42");
        assert_eq!(call(&grants, "double", "x").unwrap_err().kind(), "bad-request");
    }

    #[test]
    fn a_panic_is_a_failure() {
        let mut grants = Grants::default();
        grants.grant("early".into(), |body, _| {
            assert!(!body.is_empty(), "on purpose");
            async { Ok(Bytes::new()) }
        });
        grants.grant("late".into(), async |body: Bytes, _| {
            assert!(!body.is_empty(), "on purpose");
            Ok(body)
        });
        assert_eq!(call(&grants, "early", "").unwrap_err().kind(), "panic");
        assert_eq!(call(&grants, "late", "").unwrap_err().kind(), "panic");
    }
}
