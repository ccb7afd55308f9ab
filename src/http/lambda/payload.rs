//! The payload of a request: JSON of a limited size.

use std::future::poll_fn;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use serde::de::IgnoredAny;

use crate::body::Share;
use crate::http::lambda::fault::Fault;

/// How much more than a payload is read and thrown away.
///
/// A client that is still sending when its connection is closed may never see why.
const SURPLUS: usize = 32 << 20;

/// Reads the whole body, within its share of what all may have kept; none once it is larger than the limit.
pub(super) async fn read<B>(body: B, limit: usize, share: &Share) -> Result<Option<Bytes>, Fault>
where
    B: http_body::Body<Data = Bytes>,
{
    let mut body = pin!(body);
    let (mut payload, mut size) = (Gathered::default(), 0_usize);
    // The kind of an error says nothing to a client that has gone.
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx).map(|it| it.map(Result::ok))).await {
        let frame =
            frame.ok_or_else(|| Fault::invalid_content("the request body broke off; send it again"))?;
        let Ok(data) = frame.into_data() else { continue };
        size = size.saturating_add(data.len());
        if size <= limit {
            share.grow(data.len()).map_err(|kind| Fault::from(&kind.into()))?;
            payload.push(data);
        } else if size - limit > SURPLUS {
            break;
        } else {
            payload = Gathered::default();
        }
    }
    Ok((size <= limit).then(|| payload.into_bytes()))
}

/// Joins chunks; one that comes alone is not copied.
#[derive(Default)]
struct Gathered {
    first: Bytes,
    all: BytesMut,
}

impl Gathered {
    fn push(&mut self, data: Bytes) {
        if self.first.is_empty() && self.all.is_empty() {
            self.first = data;
            return;
        }
        // Copied, as many tiny chunks would each hold on to a buffer that is far larger.
        self.all.extend_from_slice(&std::mem::take(&mut self.first));
        self.all.extend_from_slice(&data);
    }

    fn into_bytes(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

/// Returns the payload as an event's body: an empty one is an empty object, and what is not JSON is refused.
pub(super) fn as_json(payload: Bytes) -> Result<Bytes, Fault> {
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    let text = std::str::from_utf8(&payload).map_err(|error| not_json(&error))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| not_json(&error))?;
    Ok(payload)
}

fn not_json(error: &dyn std::error::Error) -> Fault {
    Fault::invalid_content(format!("Could not parse request body into json: {error}"))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use super::*;
    use crate::block_on::block_on;
    use crate::body::Buffers;

    struct Chunks(VecDeque<&'static [u8]>);

    impl http_body::Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            let chunk = self.0.pop_front().map(Bytes::from_static);
            Poll::Ready(chunk.map(|chunk| Ok(http_body::Frame::data(chunk))))
        }
    }

    fn share(most: u64) -> Share {
        Share::none_of(&Arc::new(Buffers::new(most)))
    }

    fn read_all(chunks: &[&'static [u8]], limit: usize) -> Option<Bytes> {
        block_on(read(Chunks(chunks.iter().copied().collect()), limit, &share(u64::MAX))).unwrap()
    }

    #[test]
    fn chunks_are_joined_up_to_the_limit() {
        assert_eq!(read_all(&[], 0), Some(Bytes::new()));
        assert_eq!(read_all(&[b"abc"], 3), Some("abc".into()));
        assert_eq!(read_all(&[b"", b"a", b"", b"bc", b"d"], 4), Some("abcd".into()));
        assert_eq!(read_all(&[b"abc", b"d"], 3), None);
        assert_eq!(read_all(&[b"abcd"], 3), None);
    }

    #[test]
    fn what_is_too_large_is_read_only_so_far() {
        static MIB: [u8; 1 << 20] = [0; 1 << 20];
        let mut chunks = Chunks((0..40).map(|_| MIB.as_slice()).collect());
        assert_eq!(block_on(read(&mut chunks, 1, &share(1))).unwrap(), None);
        assert_eq!(chunks.0.len(), 40 - 33);
    }

    #[test]
    fn only_json_is_a_payload() {
        assert_eq!(as_json(Bytes::new()).unwrap(), "{}");
        for payload in ["{}", "7", "null", " [\"ä\"] "] {
            assert_eq!(as_json(payload.into()).unwrap(), payload);
        }
        for wrong in [b"hello".as_slice(), b"{", b"{}{}", b"\"\xff\"", b" "] {
            assert!(as_json(Bytes::from_static(wrong)).is_err(), "{wrong:?}");
        }
    }
}
