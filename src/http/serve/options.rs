//! What one client may make grow or last, and how many there may be.

use std::time::Duration;

/// How a socket is served, and what its clients may make grow or last.
///
/// ```
/// use std::time::Duration;
/// use fnhost::http::ServeOptions;
///
/// let options = ServeOptions::new().connections(1_000).grace(Duration::from_secs(30));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until something is served with them"]
pub struct ServeOptions {
    pub(super) threads: Option<usize>,
    pub(super) connections: usize,
    pub(super) header_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) body_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) grace: Duration,
    pub(super) header_bytes: u32,
    pub(super) headers: usize,
    pub(super) streams: u32,
    pub(super) pending_resets: usize,
    pub(super) stream_errors: usize,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            threads: None,
            connections: 10_000,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(10),
            header_bytes: 16 << 10,
            headers: 100,
            streams: 100,
            pending_resets: 20,
            stream_errors: 100,
        }
    }
}

impl ServeOptions {
    /// Creates options with every default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many threads serve connections, at least 1; the number of cores by default.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Sets how many connections may be open, at least 1; 10,000 by default.
    ///
    /// Past it, the connection that has waited longest for a request is closed for the next one; when all are busy,
    /// new clients wait until one is not.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// Sets how long a client may take to send the head of a request, 10 seconds by default.
    ///
    /// It begins when the connection is opened, later with the first byte of a request; then the connection is closed.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// Sets how long a connection is kept open between two requests, 60 seconds by default.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets how long the service waits for the next piece of a request's body, 30 seconds by default.
    ///
    /// Then reading the body fails, so that the service can still answer.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// Sets how long a client may take nothing of an answer, 30 seconds by default; then it is cut off.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// Sets how long requests in flight may go on after shutdown began, 10 seconds by default.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how large the head of a request may be, at least 8 KiB; 16 KiB by default. A larger one is answered with
    /// 431.
    pub fn header_bytes(mut self, bytes: u32) -> Self {
        self.header_bytes = bytes.max(8 << 10);
        self
    }

    /// Sets how many header fields a request may have, 100 by default. One with more is answered with 431.
    pub fn headers(mut self, headers: usize) -> Self {
        self.headers = headers;
        self
    }

    /// Sets how many requests one connection of HTTP/2 may have in flight, at least 1; 100 by default.
    pub fn streams(mut self, streams: u32) -> Self {
        self.streams = streams.max(1);
        self
    }

    /// Sets how many streams of HTTP/2 a client may reset before they were looked at, 20 by default; past it the
    /// connection is closed.
    pub fn pending_resets(mut self, resets: usize) -> Self {
        self.pending_resets = resets;
        self
    }

    /// Sets how many streams of HTTP/2 may end by a client's breach of the protocol, 100 by default; past it the
    /// connection is closed.
    pub fn stream_errors(mut self, errors: usize) -> Self {
        self.stream_errors = errors;
        self
    }
}
