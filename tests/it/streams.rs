//! Answers that are read while they are produced.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fnhost::{Error, Event, Function, Handler, ResponseStream, Runtime};

use crate::kit::{
    COMMAND, COMMAND_P2, ECHO, Latch, MISBEHAVE, assert_quiet, deploy, host, kind, native_holding, runtime,
    small, until,
};

const CHUNK: usize = 64 << 10;
/// Chunks that no test reads to the end.
const ENDLESS: &str = "1000000";

fn streaming(chunks: &str) -> Function {
    Function::wasm("stream", COMMAND).args(["stream", chunks]).max_response(u64::MAX)
}

fn open(runtime: &Runtime, handler: &Handler) -> ResponseStream {
    runtime.block_on(handler.stream(Event::new("any"))).expect("a head")
}

/// Reads to the end: how many bytes came, and how it ended.
fn read(runtime: &Runtime, stream: &mut ResponseStream) -> (usize, Result<(), Error>) {
    runtime.block_on(async {
        let mut bytes = 0;
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => bytes += chunk.len(),
                Err(error) => return (bytes, Err(error)),
            }
        }
        (bytes, Ok(()))
    })
}

#[test]
fn a_commands_output_comes_in_chunks() {
    let runtime = runtime();
    for (name, code) in [("module", COMMAND), ("component", COMMAND_P2)] {
        let function = Function::wasm(name, code).args(["stream", "40"]);
        let handler = deploy(&runtime, function);
        let mut stream = open(&runtime, &handler);
        assert!(stream.report().is_none(), "it has not ended");
        let first = runtime.block_on(stream.next()).unwrap().unwrap();
        assert!(first.len() <= CHUNK, "{}", first.len());
        let (rest, ended) = read(&runtime, &mut stream);
        ended.unwrap();
        assert_eq!(first.len() + rest, 40 * CHUNK);
        assert_eq!(stream.report().expect("it has ended").bytes_out, (40 * CHUNK) as u64);
        assert!(runtime.block_on(stream.next()).is_none(), "the end stays the end");
        assert_quiet(&runtime, &[&handler]);
    }
}

#[test]
fn a_reader_that_pauses_holds_the_guest_and_loses_nothing() {
    let (runtime, handler) = host(streaming("40").timeout(Duration::from_secs(60)));
    let mut stream = open(&runtime, &handler);
    let mut bytes = 0;
    for _ in 0..10 {
        bytes += runtime.block_on(stream.next()).unwrap().unwrap().len();
        let stats = handler.stats().unwrap();
        assert_eq!((stats.running, stats.live, runtime.stats().places_taken), (1, 1, 1));
    }
    let (rest, ended) = read(&runtime, &mut stream);
    ended.unwrap();
    assert_eq!(bytes + rest, 40 * CHUNK);
}

#[test]
fn a_guest_runs_ahead_of_its_reader_by_a_window_only() {
    let timeout = Duration::from_millis(300);
    let (runtime, handler) = host(streaming(ENDLESS).timeout(timeout));
    let mut stream = open(&runtime, &handler);
    until("the deadline frees the guest", || handler.stats().unwrap().live == 0);
    let (bytes, ended) = read(&runtime, &mut stream);
    assert_eq!(kind(ended), "timed-out");
    assert!(bytes <= 5 * CHUNK, "{bytes} bytes were waiting for a reader");
}

#[test]
fn a_deadline_frees_the_guest_even_if_nobody_reads() {
    let timeout = Duration::from_millis(100);
    let (runtime, handler) = host(streaming(ENDLESS).timeout(timeout));
    let mut stream = open(&runtime, &handler);
    runtime.block_on(stream.next()).unwrap().unwrap();
    until("guest, permit and place are free", || {
        let stats = handler.stats().unwrap();
        (stats.running, stats.live, runtime.stats().places_taken) == (0, 0, 0)
    });
    let (_, ended) = read(&runtime, &mut stream);
    assert_eq!(kind(ended), "timed-out");
    let report = stream.report().expect("it has ended");
    assert!(report.total >= timeout, "{report}");
    assert!(runtime.block_on(stream.next()).is_none());
}

#[test]
fn a_dropped_stream_ends_its_guest() {
    let endings = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&endings);
    let runtime = small().observer(move |report| heard.lock().unwrap().push(report.outcome)).build().unwrap();
    let handler = deploy(&runtime, streaming(ENDLESS));
    let mut stream = open(&runtime, &handler);
    runtime.block_on(stream.next()).unwrap().unwrap();
    drop(stream);
    assert_quiet(&runtime, &[&handler]);
    assert_eq!(*endings.lock().unwrap(), [fnhost::Outcome::Error("cancelled")]);
}

#[test]
fn an_answer_that_grows_too_large_ends_its_stream() {
    let limit = (10 * CHUNK) as u64;
    let (runtime, handler) = host(streaming(ENDLESS).max_response(limit));
    let mut stream = open(&runtime, &handler);
    let (bytes, ended) = read(&runtime, &mut stream);
    assert_eq!(kind(ended), "payload-too-large");
    assert!(bytes as u64 <= limit, "{bytes}");
    assert_quiet(&runtime, &[&handler]);
}

#[test]
fn a_failure_before_the_head_is_the_streams_own() {
    let (runtime, handler) = host(Function::wasm("fail", COMMAND).args(["exit", "3"]));
    let error = runtime.block_on(handler.stream(Event::new("any"))).unwrap_err();
    assert_eq!(error.kind().name(), "exited");
    assert!(error.report().is_some());
}

#[test]
fn other_contracts_stream_their_whole_answer() {
    let runtime = runtime();
    let echo = deploy(&runtime, Function::wasm("echo", ECHO));
    let event = Event::bytes("any", "whole").with_content_type("text/plain");
    let mut stream = runtime.block_on(echo.stream(event)).unwrap();
    assert_eq!(stream.content_type(), Some("text/plain"));
    assert_eq!(runtime.block_on(stream.next()).unwrap().unwrap(), "whole");
    assert!(runtime.block_on(stream.next()).is_none());
    assert_eq!(stream.report().expect("it has ended").bytes_out, 5);
    let misbehave = deploy(&runtime, Function::wasm("misbehave", MISBEHAVE));
    let mut stream = runtime.block_on(misbehave.stream(Event::bytes("attributes", "2"))).unwrap();
    assert_eq!(stream.attributes().count(), 2);
    assert_eq!(read(&runtime, &mut stream).0, 2);
}

#[test]
fn a_stream_waits_for_its_permit_like_everybody() {
    let latch = Latch::new();
    let held = native_holding("held", &latch).concurrency(1).queue_timeout(Duration::from_millis(50));
    let (runtime, handler) = host(held);
    let mut running = Box::pin(handler.invoke(Event::new("first")));
    assert!(crate::kit::poll(&mut running).is_pending());
    assert_eq!(kind(runtime.block_on(handler.stream(Event::new("second")))), "timed-out");
    latch.open();
    assert!(runtime.block_on(running).is_ok());
    let mut stream = open(&runtime, &handler);
    assert_eq!(read(&runtime, &mut stream).0, 0);
}
