//! The body of an answer from a file.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::reader::{Reader, Reading, read_at_once, read_exact};

/// Up to this, a file is read at once.
pub(super) const SMALL: u64 = 256 << 10;
/// What is read of a larger one at a time.
const CHUNK: u64 = 64 << 10;

/// The bytes of a file, or none.
///
/// It is as long as it says, or ends with an error.
pub(crate) struct FileBody(Left);

/// What is left to be sent.
enum Left {
    Nothing,
    Whole(Bytes),
    Rest(Rest),
}

struct Rest {
    file: Arc<File>,
    reader: Arc<Reader>,
    range: Range<u64>,
    reading: Option<Reading>,
}

impl FileBody {
    pub(super) fn empty() -> Self {
        Self(Left::Nothing)
    }

    /// Takes a range of a file; reads it when it is small.
    pub(super) fn new(file: File, range: Range<u64>, reader: &Arc<Reader>) -> io::Result<Self> {
        let len = range.end - range.start;
        Ok(Self(match len {
            0 => Left::Nothing,
            // It fits, being small.
            1..=SMALL => Left::Whole(read_exact(&file, range.start, len as usize)?),
            _ => Left::Rest(Rest { file: Arc::new(file), reader: Arc::clone(reader), range, reading: None }),
        }))
    }
}

impl Rest {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        // It fits, being no more than a chunk.
        let len = CHUNK.min(self.range.end - self.range.start) as usize;
        if self.reading.is_none() {
            if let Some(read) = read_at_once(&self.file, self.range.start, len) {
                return Poll::Ready(read);
            }
            self.reading = Some(self.reader.begin(&self.file, self.range.start, len)?);
        }
        let Some(reading) = &mut self.reading else { return Poll::Pending };
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        Poll::Ready(read.unwrap_or_else(|_| Err(io::Error::other("the thread that reads files has died"))))
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let rest = match &mut self.0 {
            Left::Nothing => return Poll::Ready(None),
            Left::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Left::Nothing;
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            Left::Rest(rest) => rest,
        };
        let read = ready!(rest.poll_read(cx));
        if let Ok(bytes) = &read {
            rest.range.start += bytes.len() as u64;
        }
        if read.is_err() || rest.range.is_empty() {
            self.0 = Left::Nothing;
        }
        Poll::Ready(Some(read.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Left::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.0 {
            Left::Nothing => 0,
            Left::Whole(bytes) => bytes.len() as u64,
            Left::Rest(rest) => rest.range.end - rest.range.start,
        })
    }
}

impl fmt::Debug for FileBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileBody").field("left", &self.size_hint().exact()).finish()
    }
}
