//! How much, how many and how long: bounds on what a function does over HTTP.

use std::time::Duration;

/// Bounds on the requests of one function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The times that each request is given.
    pub(crate) patience: Patience,
    /// Requests of the function at once; a further one waits for as long as connecting may take. 64 by default.
    pub(crate) max_at_once: usize,
    /// Requests of one event, refused ones too. 100 by default.
    pub(crate) max_requests: usize,
    /// Bytes of URL and headers. 32 KiB by default.
    pub(crate) max_request_head: usize,
    /// Bytes that the bodies of an event's requests have together. 100 MiB by default.
    pub(crate) max_request_bytes: u64,
    /// Bytes of status and headers, at least 8 KiB. 64 KiB by default.
    pub(crate) max_response_head: usize,
    /// Headers in a request, and in an answer. 100 by default.
    pub(crate) max_headers: usize,
    /// Bytes that the bodies of an event's answers have together. 100 MiB by default.
    pub(crate) max_response_bytes: u64,
    /// Connections kept for later requests. 16 by default.
    pub(crate) max_idle: usize,
    /// How long they are kept. 30 seconds by default.
    pub(crate) idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            patience: Patience::default(),
            max_at_once: 64,
            max_requests: 100,
            max_request_head: 32 << 10,
            max_request_bytes: 100 << 20,
            max_response_head: 64 << 10,
            max_headers: 100,
            max_response_bytes: 100 << 20,
            max_idle: 16,
            idle_timeout: Duration::from_secs(30),
        }
    }
}

/// The times that a request is given; its event's deadline cuts each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// For a free place, resolving, connecting and TLS together. 10 seconds by default.
    pub(crate) connect: Duration,
    /// For the head of the answer, while the server and not the guest is waited for. 60 seconds by default.
    pub(crate) first_byte: Duration,
    /// For each further piece of the answer. 60 seconds by default.
    pub(crate) between_bytes: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self { connect: Duration::from_secs(10), first_byte: minute, between_bytes: minute }
    }
}

impl Patience {
    /// What a guest asks for may be less than the limit, and never more.
    pub(crate) fn capped(self, most: Self) -> Self {
        Self {
            connect: self.connect.min(most.connect),
            first_byte: self.first_byte.min(most.first_byte),
            between_bytes: self.between_bytes.min(most.between_bytes),
        }
    }
}
