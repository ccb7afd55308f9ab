//! fnhost runs functions that a program does not trust, inside the program's own process.
//!
//! A host adds this crate, deploys handlers compiled to WebAssembly, and sends them events. Every handler runs in
//! a sandbox of its own with a memory limit and a deadline; a brand-new sandbox costs microseconds, so isolation
//! is the default and not a luxury.
//!
//! ```
//! use fnhost::{Event, Function, Runtime};
//!
//! // The smallest guest: it answers the body that it was given. Real ones are compiled from any language.
//! const ECHO: &str = r#"(module
//!     (memory (export "memory") 1)
//!     (func (export "fnhost_alloc") (param i32) (result i32) i32.const 0)
//!     (func (export "fnhost_handle") (param i32 i32) (result i64) local.get 1 i64.extend_i32_u))"#;
//!
//! let runtime = Runtime::builder().places(16).build()?;
//! let deployed = runtime.block_on(runtime.deploy(Function::wasm("echo", ECHO)))?;
//! let echo = runtime.handler("echo")?;
//!
//! let response = echo.invoke_blocking(Event::bytes("greeting", "hello"))?;
//! assert_eq!((deployed.version(), response.text()?), (1, "hello"));
//! println!("{}", response.report());
//! # Ok::<(), fnhost::Error>(())
//! ```
//!
//! # The tour
//!
//! A [`Function`] is code with limits and policies. [`Runtime::deploy`] compiles it and makes it a version;
//! [`Runtime::handler`] gives a [`Handler`], which takes an [`Event`] and answers a [`Response`], each with a
//! [`Report`] of what it cost. What went wrong is an [`Error`], whose kind says what to do next. A [`Context`]
//! carries what is known of one invocation: tenant, deadline, trace, attributes.
//!
//! What else there is:
//!
//! - [`Handler::submit`] hands over an event that nobody waits for; it is delivered at least once.
//! - A [`Broker`] keeps such events: in memory, in a folder, or on NATS servers for many machines.
//! - A [`Queue`] holds events until a function takes them, in batches.
//! - A [`Topic`] keeps an event once for each subscription that wants it.
//! - An [`EventStream`] keeps events in order by key, for a time, whether they are read or not.
//! - A [`Trigger`] brings a queue, a topic, a stream or the ticks of a schedule to a function.
//! - An [`http::Gateway`] puts functions behind routes.
//!
//! Code speaks one of four contracts, found out from the code itself: a typed component (`fnhost:function`), a
//! standard HTTP handler (`wasi:http`), a command with stdin and stdout, or a core module with bytes in and bytes out. The guide
//! `docs/contracts.md` in the repository says exactly how, and its other guides tell of the rest.
//!
//! # The house
//!
//! Modules stand here in reading order; each imports only what stands above it.
//!
//! - Words, plain values: clock and limits, context, report, error, body, event.
//! - Parts, each useful alone: `admission` (may this start now), `pool` (a bounded set of guests), `registry`
//!   (names and versions), `cache` (files that are believed only when they verify), `host` (what guests may ask of
//!   the host), `schedule` (when something is to happen), `outbound` (what guests may reach over HTTP), `filter`
//!   (which events a subscriber wants), `broker` (keeps submitted events), `delivery` (takes them to functions).
//! - Guests: `wasm`, the only folder that knows the engine.
//! - Flow: `invoke`, the path of one invocation: resolve, admit, call, conclude.
//! - Edges: `function`, what is deployed; `runtime`, what holds everything together; `http`, functions behind routes.
//!
//! # Executors and threads
//!
//! It runs under any async executor and on plain threads ([`Handler::invoke_blocking`], [`Runtime::block_on`]). A
//! guest runs on the thread that polls its call and yields at least each millisecond. A runtime starts one thread
//! for its clock, one more when a function that imports WASI is deployed or an answer is streamed, one for idle
//! guests when some are kept or prepared, and one that prepares guests and drops large ones.
//! Nothing reads environment variables, sets globals or prints; the engine itself installs handlers for SIGSEGV,
//! SIGILL and SIGFPE once in the process.

mod lane;
mod block_on;
mod escape;
mod limits;
mod context;
mod report;
mod error;
mod clock;
mod wall;
mod errand;
mod body;
mod event;
mod call;
mod admission;
mod pool;
mod registry;
mod cache;
mod host;
#[cfg(feature = "cron")]
mod schedule;
#[cfg(feature = "http")]
mod outbound;
mod filter;
mod broker;
mod delivery;
mod wasm;
mod invoke;
mod function;
mod trigger;
mod runtime;
#[cfg(feature = "http")]
pub mod http;
pub mod testing;

pub use bytes::Bytes;

#[cfg(feature = "http")]
pub use crate::admission::Rate;
#[cfg(feature = "nats")]
pub use crate::broker::Nats;
#[cfg(feature = "embedded")]
#[doc(hidden)]
pub use crate::broker::Probe;
pub use crate::broker::{Broker, SubmissionId};
pub use crate::context::{Context, RequestId};
#[cfg(feature = "http")]
pub use crate::delivery::Webhook;
pub use crate::delivery::{
    Attempt, Batch, Death, DeliveryStats, Destination, EventStreamOptions, Position, Retry, StreamTrigger,
};
pub use crate::error::{Error, ErrorKind, Failure, MemoryScope, Payload, Phase, ThrottleReason};
pub use crate::event::{Event, Extension, Response};
pub use crate::filter::Filter;
#[cfg(feature = "http")]
pub use crate::function::OutboundLimits;
pub use crate::function::{Access, Function, Init, IntoCode, Isolation};
pub use crate::invoke::ResponseStream;
pub use crate::limits::Limits;
pub use crate::report::{OutboundUse, Outcome, Report, Start};
pub use crate::runtime::{
    Accepted, Appended, Backlog, Backlogs, Cancellation, DeadLetter, DeadLetters, Deployed, Description,
    EventStream, FunctionInfo, Handler, HttpBody, PrecompileOptions, Queue, Runtime, RuntimeBuilder,
    RuntimeStats, Shutdown, Stats, Submission, Submit, Topic, precompile,
};
#[cfg(feature = "cron")]
pub use crate::trigger::{Missed, Overlap, ScheduleTrigger};
pub use crate::trigger::{QueueTrigger, TopicTrigger, Trigger};
pub use crate::wasm::{Contract, Origin, Snapshot};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
