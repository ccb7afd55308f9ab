//! What the guests of wasi:http 0.2 and 0.3 share: the query, and the bytes that prove a body whole.

mod bytes;
mod query;

pub use bytes::{CHUNK, Checksum, Pattern};
pub use query::Query;

/// What `/` and `/hello` answer.
pub const HELLO: &str = "Hello, world!\n";

/// Stands before the name of each header that the other side of `/fetch` answered.
pub const FETCHED: &str = "fetched-";

/// Names that belong to the connection: no guest may set them.
pub const FORBIDDEN: [&str; 8] = [
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];
