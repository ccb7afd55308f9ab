//! The standard streams of guests.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::body::Writer;
use crate::error::Payload;
use crate::wasm::fault::{Refused, invalid};
pub(crate) use crate::wasm::log::Source;
use crate::wasm::log::{LogStream, SharedLog};

/// What a stream takes at once.
const CHUNK: usize = 64 << 10;

/// Makes a stream that writes to the log.
pub(crate) fn log(log: &SharedLog, source: Source) -> LogStream {
    LogStream { log: SharedLog::clone(log), source }
}

/// The answer of a command: collected, or passed on as it comes.
#[derive(Clone)]
pub(crate) struct Answer(Arc<Mutex<State>>);

struct State {
    to: To,
    written: u64,
    limit: u64,
}

enum To {
    Buffer(BytesMut),
    Reader(Arc<Writer>),
}

impl Answer {
    pub(crate) fn new(sink: Option<Writer>, limit: u64) -> Self {
        let to = sink.map_or_else(|| To::Buffer(BytesMut::new()), |writer| To::Reader(Arc::new(writer)));
        Self(Arc::new(Mutex::new(State { to, written: 0, limit })))
    }

    /// Takes what was collected.
    pub(crate) fn take(&self) -> Bytes {
        match &mut self.0.lock().to {
            To::Buffer(buffer) => std::mem::take(buffer).freeze(),
            To::Reader(_) => Bytes::new(),
        }
    }

    fn reader(&self) -> Option<Arc<Writer>> {
        match &self.0.lock().to {
            To::Buffer(_) => None,
            To::Reader(writer) => Some(Arc::clone(writer)),
        }
    }
}

impl IsTerminal for Answer {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Answer {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only guests of WASI 0.3 would ask for this one, and none is linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Answer {
    async fn ready(&mut self) {
        if let Some(reader) = self.reader() {
            poll_fn(|cx| reader.poll_ready(cx.waker())).await;
        }
    }
}

impl OutputStream for Answer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut state = self.0.lock();
        // Who writes more than there is room for does not wait for the reader, but fills the host.
        if let To::Reader(writer) = &state.to {
            match writer.room() {
                None => return Err(StreamError::Closed),
                Some(room) if bytes.len() > room => {
                    return Err(StreamError::Trap(invalid(
                        "it wrote more to stdout than check-write allowed",
                    )));
                }
                Some(_) => {}
            }
        }
        state.written += bytes.len() as u64;
        let (limit, size) = (state.limit, state.written);
        if size > limit {
            return Err(StreamError::Trap(Refused::TooLarge { what: Payload::Response, limit, size }.into()));
        }
        match &mut state.to {
            To::Buffer(buffer) => buffer.extend_from_slice(&bytes),
            To::Reader(writer) => writer.write(bytes),
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        match self.reader() {
            None => Ok(CHUNK),
            Some(reader) => match reader.room() {
                Some(room) => Ok(room.min(CHUNK)),
                None => Err(StreamError::Closed),
            },
        }
    }
}
