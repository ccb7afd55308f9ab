//! What every peer is asked to do.

use std::fmt;

use bytes::Bytes;

use crate::crew::Worker;

/// Whether an event gets a new sandbox or the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Fresh,
    Live,
}

pub(crate) const LIVES: [Life; 2] = [Life::Fresh, Life::Live];

/// The guest of fnhost and of the bare engine.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Guest {
    /// A core module of the bytes contract, in text form: the nearest to what a plug-in of extism is.
    Bytes(&'static str),
    /// A component of the function contract.
    Component(&'static [u8]),
}

/// The same logic for extism.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plugin {
    pub(crate) code: &'static [u8],
    pub(crate) export: &'static str,
}

/// An event, who answers it, and with what.
pub(crate) struct Work {
    pub(crate) title: &'static str,
    pub(crate) guest: Guest,
    pub(crate) plugin: Plugin,
    pub(crate) body: Bytes,
    answer: Bytes,
}

/// The title of what the bars are about.
pub(crate) const SMALL_ECHO: &str = "echo 256 B";

/// Answers the body that it was given. Its memory is made to hold the largest.
const ECHO_BYTES: &str = r#"(module
    (memory (export "memory") 2)
    (func (export "fnhost_alloc") (param i32) (result i32) i32.const 1024)
    (func (export "fnhost_handle") (param i32 i32) (result i64)
        local.get 0 i64.extend_i32_u i64.const 32 i64.shl
        local.get 1 i64.extend_i32_u i64.or))"#;

const ECHO: &[u8] = include_bytes!("../../../tests/guests/echo.wasm");
const JSON: &[u8] = include_bytes!("../../../tests/guests/json.wasm");

const ECHO_PLUGIN: Plugin = Plugin { code: include_bytes!("../plugin/echo.wasm"), export: "echo" };
const JSON_PLUGIN: Plugin = Plugin { code: include_bytes!("../plugin/json.wasm"), export: "json" };

pub(crate) fn all() -> [Work; 5] {
    let (small, large) = (Bytes::from(vec![7; 256]), Bytes::from(vec![7; 64 << 10]));
    [
        Work::echo(SMALL_ECHO, Guest::Bytes(ECHO_BYTES), &small),
        Work::echo("echo 64 KiB", Guest::Bytes(ECHO_BYTES), &large),
        Work::echo("echo 256 B, component", Guest::Component(ECHO), &small),
        Work::echo("echo 64 KiB, component", Guest::Component(ECHO), &large),
        Work::json(),
    ]
}

impl Work {
    fn echo(title: &'static str, guest: Guest, body: &Bytes) -> Self {
        Self { title, guest, plugin: ECHO_PLUGIN, body: body.clone(), answer: body.clone() }
    }

    /// A name and 32 numbers in, a greeting, their sum and their count out; some 200 bytes.
    fn json() -> Self {
        let numbers: Vec<f64> = (0..32).map(|i| f64::from(i) * 12.5).collect();
        let question = serde_json::json!({ "name": "Ada Lovelace", "numbers": numbers });
        let answer = r#"{"greeting":"Hello, Ada Lovelace!","sum":6200.0,"count":32}"#;
        Self {
            title: "JSON, component",
            guest: Guest::Component(JSON),
            plugin: JSON_PLUGIN,
            body: question.to_string().into(),
            answer: Bytes::from_static(answer.as_bytes()),
        }
    }

    /// Lets the worker answer twice: state of the first event must not change the second.
    pub(crate) fn check(&self, worker: &mut Worker) {
        for _ in 0..2 {
            worker(&mut |answer| assert_eq!(answer, self.answer, "{}", self.title));
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fresh => "fresh",
            Self::Live => "live",
        })
    }
}
