//! The framing of event streams: `application/vnd.amazon.eventstream`.
//!
//! A message is: its length and that of its headers (4 bytes each, big endian) and their CRC-32; the headers, each a
//! name (1 byte of length), a type (7 is text) and a value (2 bytes of length); the payload; the CRC-32 of all before.

use bytes::{BufMut, Bytes, BytesMut};

use crate::http::lambda::crc::crc32;

/// The content type of a stream of such messages.
pub(super) const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";
/// Both lengths and their checksum.
const PRELUDE: usize = 12;
/// The type of a header's value that is text.
const TEXT: u8 = 7;

/// Writes one event as a message.
pub(super) fn message(event_type: &str, content_type: &str, payload: &[u8]) -> Bytes {
    let headers = [(":event-type", event_type), (":content-type", content_type), (":message-type", "event")];
    let headers_len: usize = headers.iter().map(|(name, value)| 1 + name.len() + 1 + 2 + value.len()).sum();
    let len = PRELUDE + headers_len + payload.len() + 4;
    let mut message = BytesMut::with_capacity(len);
    // A payload is at most a chunk, or two limited texts: far from what 4 bytes can say.
    message.put_u32(len as u32);
    message.put_u32(headers_len as u32);
    message.put_u32(crc32(&message));
    headers.iter().for_each(|(name, value)| put_header(&mut message, name, value));
    message.put_slice(payload);
    message.put_u32(crc32(&message));
    message.freeze()
}

fn put_header(message: &mut BytesMut, name: &str, value: &str) {
    message.put_u8(name.len() as u8);
    message.put_slice(name.as_bytes());
    message.put_u8(TEXT);
    message.put_u16(value.len() as u16);
    message.put_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed from the description of the format by another program, with the checksums of zlib.
    const HELLO: &str = "\
        0000006f0000005af5fe871f0b3a6576656e742d7479706507000c5061796c6f61644368756e6b0d3a63\
        6f6e74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d0d3a6d65\
        73736167652d747970650700056576656e7468656c6c6f29e71260";
    const EMPTY: &str = "\
        000000640000005465969b090b3a6576656e742d7479706507000e496e766f6b65436f6d706c6574650d\
        3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d\
        747970650700056576656e748e35a121";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_message_is_framed_as_the_format_says() {
        assert_eq!(hex(&message("PayloadChunk", "application/octet-stream", b"hello")), HELLO);
        assert_eq!(hex(&message("InvokeComplete", "application/json", b"")), EMPTY);
    }
}
