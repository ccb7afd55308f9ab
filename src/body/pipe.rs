//! An answer's bytes on their way from who writes them to who reads them, with the head of an HTTP answer before and
//! its trailers behind.
//!
//! A pipe promises that a writer waits once `window` bytes are unread, so that a slow reader is back-pressure
//! and nothing piles up, and that each side learns when the other is gone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use http::response::Parts;
use parking_lot::Mutex;

/// Makes a pipe of which so many bytes may be unread.
pub(crate) fn pipe(window: usize) -> (Writer, Reader) {
    let shared = Arc::new(Mutex::new(Shared { window, ..Shared::default() }));
    (Writer(Arc::clone(&shared)), Reader(shared))
}

#[derive(Default)]
struct Shared {
    chunks: VecDeque<Bytes>,
    unread: usize,
    total: u64,
    window: usize,
    written: bool,
    /// Everything was written that was to be; not so if the writer went away before.
    complete: bool,
    unheard: bool,
    deadline: Option<Instant>,
    head: Option<Box<Parts>>,
    trailers: Option<Box<HeaderMap>>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The end that is written.
pub(crate) struct Writer(Arc<Mutex<Shared>>);

/// Knows how much was written, also after both ends are gone.
pub(crate) struct Written(Arc<Mutex<Shared>>);

impl Written {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.lock().total
    }
}

/// The end that is read.
pub(crate) struct Reader(Arc<Mutex<Shared>>);

impl Writer {
    /// Returns how much may be written now; none once the reader is gone.
    pub(crate) fn room(&self) -> Option<usize> {
        let shared = self.0.lock();
        (!shared.unheard).then(|| shared.window.saturating_sub(shared.unread))
    }

    /// Waits until something may be written or the reader is gone.
    pub(crate) fn poll_ready(&self, waker: &Waker) -> Poll<()> {
        let mut shared = self.0.lock();
        if shared.unheard || shared.unread < shared.window {
            return Poll::Ready(());
        }
        shared.writer = Some(waker.clone());
        Poll::Pending
    }

    pub(crate) fn written(&self) -> Written {
        Written(Arc::clone(&self.0))
    }

    /// Tells the reader until when something may be written.
    pub(crate) fn set_deadline(&self, deadline: Instant) {
        self.0.lock().deadline = Some(deadline);
    }

    /// Hands over the head of an HTTP answer, before anything is written.
    pub(crate) fn open(&self, head: Parts) {
        let mut shared = self.0.lock();
        shared.head = Some(Box::new(head));
        let waker = shared.reader.take();
        drop(shared);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Says that everything was written.
    pub(crate) fn complete(&self) {
        self.0.lock().complete = true;
    }

    /// Leaves the trailers, which come after everything that was written.
    pub(crate) fn leave(&self, trailers: HeaderMap) {
        self.0.lock().trailers = Some(Box::new(trailers));
    }

    pub(crate) fn write(&self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        let mut shared = self.0.lock();
        shared.total += chunk.len() as u64;
        if shared.unheard {
            return;
        }
        shared.unread += chunk.len();
        shared.chunks.push_back(chunk);
        let waker = shared.reader.take();
        drop(shared);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut shared = self.0.lock();
        shared.written = true;
        let waker = shared.reader.take();
        drop(shared);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Reader {
    /// Returns until when something may be written, once the writer knows.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.lock().deadline
    }

    /// Tells whether the head is known: it was handed over, or something was written without one.
    pub(crate) fn has_begun(&self) -> bool {
        let shared = self.0.lock();
        shared.head.is_some() || !shared.chunks.is_empty()
    }

    pub(crate) fn take_head(&self) -> Option<Box<Parts>> {
        self.0.lock().head.take()
    }

    pub(crate) fn take_trailers(&self) -> Option<Box<HeaderMap>> {
        self.0.lock().trailers.take()
    }

    /// Tells whether everything was written that was to be, and read.
    pub(crate) fn is_complete(&self) -> bool {
        let shared = self.0.lock();
        shared.complete && shared.chunks.is_empty()
    }

    /// Takes the next chunk; none at the end.
    pub(crate) fn poll_next(&self, waker: &Waker) -> Poll<Option<Bytes>> {
        let mut shared = self.0.lock();
        let Some(chunk) = shared.chunks.pop_front() else {
            if shared.written {
                return Poll::Ready(None);
            }
            shared.reader = Some(waker.clone());
            return Poll::Pending;
        };
        shared.unread -= chunk.len();
        let writer = shared.writer.take();
        drop(shared);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Some(chunk))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut shared = self.0.lock();
        shared.unheard = true;
        shared.chunks.clear();
        let waker = shared.writer.take();
        drop(shared);
        waker.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: &Waker = Waker::noop();

    #[test]
    fn a_full_window_holds_the_writer_until_something_is_read() {
        let (writer, reader) = pipe(4);
        assert_eq!(writer.room(), Some(4));
        writer.write("abcd".into());
        assert_eq!((writer.room(), writer.poll_ready(NOBODY)), (Some(0), Poll::Pending));
        assert_eq!(reader.poll_next(NOBODY), Poll::Ready(Some("abcd".into())));
        assert_eq!(writer.poll_ready(NOBODY), Poll::Ready(()));
    }

    #[test]
    fn each_side_learns_that_the_other_is_gone() {
        let (writer, reader) = pipe(4);
        assert_eq!(reader.poll_next(NOBODY), Poll::Pending);
        writer.write("a".into());
        drop(writer);
        assert_eq!(reader.poll_next(NOBODY), Poll::Ready(Some("a".into())));
        assert_eq!(reader.poll_next(NOBODY), Poll::Ready(None));
        let (writer, reader) = pipe(0);
        drop(reader);
        assert_eq!((writer.room(), writer.poll_ready(NOBODY)), (None, Poll::Ready(())));
    }
}
