//! All integration tests, in one binary: each binary links the engine again.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod auth;
mod cache;
mod cancellation;
#[cfg(feature = "http")]
mod cloudevents;
mod contracts;
#[cfg(feature = "embedded")]
mod crashes;
mod deadlines;
mod executors;
mod gateway;
mod grants;
mod hostile;
mod init;
mod isolation;
mod kit;
mod lambda;
mod large;
mod lifecycle;
mod limits;
mod loading;
mod memory_bound;
mod outbound;
mod overload;
mod prepared;
mod probes;
mod reports;
mod requests;
mod serving;
mod snapshots;
mod streams;
mod submissions;
mod tidy;
mod docs;
mod warm_ups;
#[cfg(feature = "http")]
mod webhooks;
mod wasi_http;
