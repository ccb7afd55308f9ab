//! What the function did wrong: the payload of an answer that is one all the same.

use bytes::Bytes;
use serde::Serialize;

use crate::context::RequestId;
use crate::error::{Error, ErrorKind, Payload};

/// What the function did wrong, as clients read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Defect {
    error_message: String,
    error_type: String,
    stack_trace: Vec<String>,
    #[serde(skip)]
    handled: bool,
}

impl Defect {
    /// Returns what the function did wrong; none when it was somebody else.
    pub(super) fn of(error: &Error, id: RequestId) -> Option<Self> {
        if !error.is_function_error() {
            return None;
        }
        let exited = |what: &str| format!("Runtime exited with error: {what}");
        Some(match error.kind() {
            ErrorKind::Failed(failure) => Self {
                error_message: failure.message().into(),
                error_type: failure.kind().into(),
                stack_trace: Vec::new(),
                handled: true,
            },
            ErrorKind::TimedOut { limit, .. } => {
                let text = format!("Task timed out after {:.2} seconds", limit.as_secs_f64());
                Self::unhandled(id, "Sandbox.Timedout", &text)
            }
            ErrorKind::Trapped { message, backtrace } => {
                let stack_trace = backtrace.clone();
                Self { stack_trace, ..Self::unhandled(id, "Runtime.ExitError", &exited(message)) }
            }
            ErrorKind::Exited { code, .. } => {
                Self::unhandled(id, "Runtime.ExitError", &exited(&format!("exit status {code}")))
            }
            ErrorKind::PayloadTooLarge { what: Payload::Response, limit, .. } => Self::too_large(*limit),
            kind => Self::unhandled(id, error_type(kind), &exited(&kind.to_string())),
        })
    }

    /// The answer is larger than so many bytes.
    pub(super) fn too_large(limit: u64) -> Self {
        Self {
            error_message: format!(
                "Response payload size exceeded maximum allowed payload size ({limit} bytes)."
            ),
            error_type: "Function.ResponseSizeTooLarge".into(),
            stack_trace: Vec::new(),
            handled: false,
        }
    }

    fn unhandled(id: RequestId, error_type: &str, text: &str) -> Self {
        Self {
            error_message: format!("RequestId: {id} Error: {text}"),
            error_type: error_type.into(),
            stack_trace: Vec::new(),
            handled: false,
        }
    }

    /// Says whether the handler itself gave the error.
    pub(super) fn handling(&self) -> &'static str {
        if self.handled { "Handled" } else { "Unhandled" }
    }

    pub(super) fn error_type(&self) -> &str {
        &self.error_type
    }

    /// Returns the error as JSON.
    pub(super) fn to_json(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts can always be written").into()
    }
}

fn error_type(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::MemoryExceeded { .. } | ErrorKind::TableExceeded { .. } => "Runtime.OutOfMemory",
        ErrorKind::InitFailed { .. } => "Runtime.InitError",
        ErrorKind::InvalidAnswer { .. } => "Runtime.Unknown",
        _ => "Runtime.ExitError",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::error::{Failure, MemoryScope, Phase};

    fn of(kind: ErrorKind) -> Option<(&'static str, Value)> {
        let defect = Defect::of(&kind.into(), RequestId::new())?;
        Some((defect.handling(), serde_json::from_slice(&defect.to_json()).unwrap()))
    }

    #[test]
    fn a_failure_of_the_handler_keeps_its_words() {
        let (handling, body) = of(ErrorKind::Failed(Failure::new("out-of-stock", "no \"tea\""))).unwrap();
        assert_eq!(handling, "Handled");
        let expected = json!({ "errorMessage": "no \"tea\"", "errorType": "out-of-stock", "stackTrace": [] });
        assert_eq!(body, expected);
    }

    #[test]
    fn each_crash_has_its_type() {
        let text = String::new;
        let time = Duration::from_millis(3_000);
        for (kind, expected) in [
            (ErrorKind::TimedOut { phase: Phase::Handler, limit: time }, "Sandbox.Timedout"),
            (ErrorKind::TimedOut { phase: Phase::Init, limit: time }, "Sandbox.Timedout"),
            (ErrorKind::Trapped { message: text(), backtrace: Vec::new() }, "Runtime.ExitError"),
            (ErrorKind::Exited { code: 3, stderr: text() }, "Runtime.ExitError"),
            (ErrorKind::Panicked { message: text() }, "Runtime.ExitError"),
            (ErrorKind::FuelSpent { limit: 1 }, "Runtime.ExitError"),
            (
                ErrorKind::MemoryExceeded { scope: MemoryScope::Function, limit: 1, asked: 2 },
                "Runtime.OutOfMemory",
            ),
            (ErrorKind::InitFailed { message: text() }, "Runtime.InitError"),
            (ErrorKind::InvalidAnswer { reason: text() }, "Runtime.Unknown"),
            (
                ErrorKind::PayloadTooLarge { what: Payload::Response, limit: 1, size: 2 },
                "Function.ResponseSizeTooLarge",
            ),
        ] {
            let (handling, body) = of(kind).unwrap();
            assert_eq!((handling, &body["errorType"]), ("Unhandled", &Value::from(expected)));
        }
    }

    #[test]
    fn a_time_out_says_so_in_the_known_words() {
        let (_, body) =
            of(ErrorKind::TimedOut { phase: Phase::Handler, limit: Duration::from_secs(3) }).unwrap();
        let message = body["errorMessage"].as_str().unwrap();
        assert!(message.starts_with("RequestId: ") && message.ends_with("Task timed out after 3.00 seconds"));
    }

    #[test]
    fn a_trap_names_its_functions() {
        let (_, body) =
            of(ErrorKind::Trapped { message: "unreachable".into(), backtrace: vec!["handle".into()] })
                .unwrap();
        assert_eq!(body["stackTrace"], json!(["handle"]));
        assert!(body["errorMessage"].as_str().unwrap().ends_with("Runtime exited with error: unreachable"));
    }

    #[test]
    fn what_the_function_did_not_do_is_no_defect() {
        assert!(of(ErrorKind::ShuttingDown).is_none());
        assert!(of(ErrorKind::MemoryExceeded { scope: MemoryScope::Runtime, limit: 1, asked: 2 }).is_none());
        assert!(of(ErrorKind::TimedOut { phase: Phase::Queue, limit: Duration::ZERO }).is_none());
    }
}
