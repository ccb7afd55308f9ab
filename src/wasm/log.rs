//! What a guest logs: told to `tracing` line by line, its tail kept for the report, a flood cut and counted.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tracing::Level;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::context::{Facts, RequestId};
use crate::escape::Escaped;

/// What the report keeps.
const TAIL: usize = 4 << 10;
/// The longest line that is told whole.
const LINE: usize = 1 << 10;
/// What a line takes of the limit at least: telling one costs the host as much as many bytes, and a guest may
/// write thousands of empty ones in one call, which nothing interrupts.
const LEAST_OF_A_LINE: u64 = 64;
/// What a stream takes at once.
const CHUNK: usize = 64 << 10;

/// The log of one guest, shared with its streams.
pub(crate) type SharedLog = Arc<Mutex<Log>>;

/// The log of one guest, begun anew for each event.
pub(crate) struct Log {
    facts: Arc<Facts>,
    request_id: Option<RequestId>,
    left: u64,
    /// How many lines may still be told.
    lines: u64,
    limit: u64,
    dropped: u64,
    tail: VecDeque<u8>,
    stderr: VecDeque<u8>,
    /// The lines that stdout and stderr have begun.
    begun: [Vec<u8>; 2],
}

/// Where logged bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stdout = 0,
    Stderr = 1,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

impl Log {
    pub(crate) fn new(facts: Arc<Facts>, limit: u64) -> Self {
        let begun = [Vec::new(), Vec::new()];
        let (tail, stderr) = (VecDeque::new(), VecDeque::new());
        Self {
            facts,
            request_id: None,
            left: limit,
            lines: limit / LEAST_OF_A_LINE,
            limit,
            dropped: 0,
            tail,
            stderr,
            begun,
        }
    }

    /// Says whose lines come now.
    pub(crate) fn name(&mut self, request_id: RequestId) {
        self.request_id = Some(request_id);
    }

    /// Begins a new event.
    pub(crate) fn begin(&mut self) {
        self.left = self.limit;
        self.lines = self.limit / LEAST_OF_A_LINE;
        self.dropped = 0;
        self.tail.clear();
        self.stderr.clear();
        self.begun.iter_mut().for_each(Vec::clear);
    }

    /// Ends the event: answers the tail, and how much was cut.
    pub(crate) fn end(&mut self) -> (String, u64) {
        for source in [Source::Stdout, Source::Stderr] {
            let rest = std::mem::take(&mut self.begun[source as usize]);
            if !rest.is_empty() {
                self.tell_line(source, &rest);
            }
        }
        let tail = String::from_utf8_lossy(self.tail.make_contiguous()).into_owned();
        (tail, self.dropped)
    }

    /// Takes one message of the log import.
    pub(crate) fn message(&mut self, level: Level, text: &[u8]) {
        let kept = self.keep(text);
        let ended = self.keep(b"\n");
        // What is cut is not told either: a flood must not reach the host's own log as empty lines.
        if kept.is_empty() && ended.is_empty() {
            return;
        }
        if self.may_tell(kept) {
            self.tell(level, "log", &String::from_utf8_lossy(kept));
        }
    }

    /// Takes what was written to a stream, and tells each line that it ends.
    pub(crate) fn write(&mut self, source: Source, bytes: &[u8]) {
        let mut rest = self.keep(bytes);
        if source == Source::Stderr {
            append(&mut self.stderr, rest);
        }
        while let Some(at) = rest.iter().position(|b| *b == b'\n') {
            let mut line = std::mem::take(&mut self.begun[source as usize]);
            line.extend_from_slice(&rest[..at]);
            self.tell_line(source, &line);
            rest = &rest[at + 1..];
        }
        let begun = &mut self.begun[source as usize];
        // What a line has beyond the longest one told is in the tail, or gone: it is not buffered.
        let room = LINE.saturating_sub(begun.len()).min(rest.len());
        begun.extend_from_slice(&rest[..room]);
    }

    /// Keeps as much as the limit allows, and answers that much.
    fn keep<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let (kept, cut) = bytes.split_at(room);
        self.left -= kept.len() as u64;
        self.dropped += cut.len() as u64;
        append(&mut self.tail, kept);
        kept
    }

    /// Returns the last of what was written to stderr.
    pub(crate) fn stderr_tail(&mut self) -> String {
        String::from_utf8_lossy(self.stderr.make_contiguous()).into_owned()
    }

    fn tell_line(&mut self, source: Source, line: &[u8]) {
        if self.may_tell(line) {
            self.tell(Level::INFO, source.name(), &String::from_utf8_lossy(&line[..line.len().min(LINE)]));
        }
    }

    /// Counts a line that is to be told; one too many counts as cut.
    fn may_tell(&mut self, line: &[u8]) -> bool {
        let may = self.lines > 0;
        self.lines = self.lines.saturating_sub(1);
        self.dropped += if may { 0 } else { line.len() as u64 + 1 };
        may
    }

    fn tell(&self, level: Level, stream: &str, text: &str) {
        macro_rules! tell {
            ($level:expr) => {
                tracing::event!(
                    target: "fnhost::guest",
                    $level,
                    function = %self.facts.name,
                    version = self.facts.version,
                    request_id = self.request_id.map(tracing::field::display),
                    stream,
                    "{}",
                    Escaped(text)
                )
            };
        }
        match level {
            Level::ERROR => tell!(Level::ERROR),
            Level::WARN => tell!(Level::WARN),
            Level::INFO => tell!(Level::INFO),
            Level::DEBUG => tell!(Level::DEBUG),
            Level::TRACE => tell!(Level::TRACE),
        }
    }
}

/// Appends, and drops from the front what is too much for a tail.
fn append(tail: &mut VecDeque<u8>, bytes: &[u8]) {
    let fresh = &bytes[bytes.len().saturating_sub(TAIL)..];
    let surplus = (tail.len() + fresh.len()).saturating_sub(TAIL);
    tail.drain(..surplus);
    tail.extend(fresh);
}

/// One standard stream of a guest, written to its log.
#[derive(Clone)]
pub(crate) struct LogStream {
    pub(crate) log: SharedLog,
    pub(crate) source: Source,
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.lock().write(self.source, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK)
    }
}

impl tokio::io::AsyncWrite for LogStream {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        self.log.lock().write(self.source, bytes);
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(limit: u64) -> Log {
        Log::new(Arc::default(), limit)
    }

    #[test]
    fn a_flood_is_cut_and_counted_and_its_tail_stays_small() {
        let mut log = log(10_000);
        for _ in 0..100 {
            log.write(Source::Stdout, &[b'x'; 1000]);
        }
        assert!(log.begun[0].len() <= LINE);
        let (tail, dropped) = log.end();
        assert_eq!((tail.len(), dropped), (TAIL, 90_000));
    }

    #[test]
    fn the_tail_is_the_last_of_all_streams_in_order() {
        let mut log = log(10_000);
        log.write(Source::Stdout, b"one\ntw");
        log.message(Level::WARN, b"three");
        log.write(Source::Stdout, b"o\n");
        assert_eq!(log.end(), ("one\ntwthree\no\n".into(), 0));
        log.begin();
        assert_eq!(log.end(), (String::new(), 0));
    }

    /// Counts what is told.
    #[derive(Clone, Default)]
    struct Told(Arc<std::sync::atomic::AtomicUsize>);

    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Told {
        fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }

    fn told(write: impl FnOnce(&mut Log)) -> (usize, u64) {
        use tracing_subscriber::layer::SubscriberExt;

        let (told, mut log) = (Told::default(), log(6_400));
        let subscriber = tracing_subscriber::registry().with(told.clone());
        tracing::subscriber::with_default(subscriber, || write(&mut log));
        (told.0.load(std::sync::atomic::Ordering::SeqCst), log.end().1)
    }

    #[test]
    fn a_flood_of_lines_is_cut_for_the_hosts_log_too() {
        assert_eq!(told(|log| log.write(Source::Stdout, &[b'\n'; 6_400])), (100, 6_300));
        assert_eq!(told(|log| (0..1_000).for_each(|_| log.message(Level::INFO, b""))), (100, 900));
        let large = told(|log| (0..1_000).for_each(|_| log.message(Level::INFO, &[b'x'; 6_400])));
        assert_eq!(large, (1, 999 * 6_401 + 1));
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        let mut log = log(100);
        log.write(Source::Stderr, b"\xff\xfe\n");
        assert_eq!(log.end().0, "\u{fffd}\u{fffd}\n");
    }
}
