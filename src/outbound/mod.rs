//! What a guest may reach over HTTP, and the client that does it.
//!
//! It promises that a request leaves only if a rule allows its scheme, host and port; that a name is resolved once
//! for a connection, every address that comes back is judged, and only those that passed are connected to, so
//! what a name leads to cannot change in between; and that time, size and number of requests are bounded. A
//! connection is used again only by the function and for the tenant that opened it.
//!
//! It follows no redirect: the guest sees the answer and may make a request of its own, which is judged like the
//! first. It keeps no cookies and no cache, reads no proxy settings, and speaks HTTP/1.1 only. Everything here is
//! polled inside the runtime for guests' input and output, whose timers, sockets and blocking threads it uses.

mod address;
mod budget;
mod call;
mod client;
mod connect;
mod connection;
mod exchange;
mod failure;
mod headers;
mod host;
mod idle;
mod limits;
mod network;
mod origin;
mod outbound;
mod receiving;
mod refusal;
mod resolve;
mod rule;
mod rules;
mod sending;
mod tls;
mod until;

#[cfg(test)]
mod tests;

pub(crate) use self::address::Special;
pub(crate) use self::budget::{Budget, Spent};
pub(crate) use self::limits::{Limits, Patience};
pub(crate) use self::outbound::{Counters, Outbound, Policy};
pub(crate) use self::receiving::Receiving;
pub(crate) use self::refusal::{Part, Quota, Refusal, Step};
pub(crate) use self::resolve::{BoxFuture, Resolve, SystemResolver};
pub(crate) use self::rules::{InvalidRule, Rules};
pub(crate) use self::tls::Roots;
