//! Serves one service on a socket of its own: HTTP/1.1 and HTTP/2 with prior knowledge, on the same port.
//!
//! # Contract
//!
//! [`serve`] may be awaited under any executor, or with none: all work is done on threads of its own, each with a
//! small runtime that is made and dropped there. One thread accepts; as many as there are cores serve. A connection
//! stays on the thread with the fewest, and its task polls the service itself: nothing is spawned for a request of
//! HTTP/1.1, one task for a request of HTTP/2.
//!
//! What a client can make grow or last has a bound in [`ServeOptions`]. A client that closes its sending half is
//! gone: what its request holds is dropped at once, also when it has asked for an answer and waits. Where the bound
//! on connections is met, the one that has waited longest for a request makes room, and when all are busy the next
//! client waits in the listener's queue. A panic in the service ends the connection that it happened on (on HTTP/2
//! the stream), and no other.
//!
//! It does not retry, log requests, compress, or speak TLS, and it hands no connection over to another protocol.

mod attend;
mod bodies;
mod connection;
mod floor;
mod hall;
mod manners;
mod options;
mod patience;
mod socket;
mod worker;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::pin::pin;

use bytes::Bytes;
use http_body::Body;

pub(crate) use self::bodies::RequestBody;
pub use self::floor::Served;
use self::floor::{Floor, Wish};
pub use self::options::ServeOptions;

/// What can answer requests here.
///
/// It is no tower service: one of those answers with a future that borrows nothing, so that each request would count a
/// reference to it and move its future to the heap.
pub(crate) trait Serves: Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static;

    fn serve(
        &self,
        request: http::Request<RequestBody>,
    ) -> impl Future<Output = http::Response<Self::Body>> + Send;
}

/// Serves until `shutdown` is ready, then drains: no new connection, idle ones close, requests in flight end within
/// the grace period, and what is left is cut.
///
/// # Errors
///
/// When a thread or its runtime cannot start, or the listener cannot be used. Nothing that a client does.
///
/// # Cancel safety
///
/// Dropping the future cuts every connection and does not wait for the threads, which end by themselves.
pub(crate) async fn serve<S: Serves>(
    listener: TcpListener,
    service: S,
    shutdown: impl Future<Output = ()>,
    options: ServeOptions,
) -> io::Result<Served> {
    let mut floor = Floor::open(listener, service, options)?;
    let mut shutdown = pin!(shutdown);
    let mut is_draining = false;
    poll_fn(|cx| {
        if !is_draining && shutdown.as_mut().poll(cx).is_ready() {
            is_draining = true;
            floor.wish(Wish::Drain);
        }
        floor.poll_end(cx)
    })
    .await
}
