//! Payload bytes that arrive in chunks: those that come with a request, and those of an answer.

mod buffers;
mod incoming;
mod pipe;

#[cfg(feature = "http")]
pub(crate) use self::buffers::{Buffers, Share};
pub(crate) use self::incoming::{BoxError, Collected, Incoming, Seen, TooLong};
pub(crate) use self::pipe::{Reader, Writer, pipe};
