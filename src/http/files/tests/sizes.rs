//! Large files, and files that change while they are sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http_body::Body;

use super::super::reader::{Reader, read_exact};
use super::*;

const LARGE: usize = 3 << 20;

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7) as u8).collect()
}

fn collect(files: &Files, range: &str) -> Vec<u8> {
    let response = answer(files, Method::GET, "/large.bin", &[("range", range)]);
    block_on(response.into_body().collect()).unwrap().to_bytes().to_vec()
}

#[test]
fn large_files_arrive_whole_and_in_chunks() {
    let site = Site::new();
    let large = bytes(LARGE);
    site.write("large.bin", &large);
    let files = site.files();
    assert!(collect(&files, "") == large);
    for range in [0..LARGE, 1..LARGE - 1, 100_000..LARGE, 262_143..524_288, 5..5 + (256 << 10) + 1] {
        let asked = format!("bytes={}-{}", range.start, range.end - 1);
        assert!(collect(&files, &asked) == large[range], "{asked}");
    }
    let mut body = answer(&files, Method::GET, "/large.bin", &[]).into_body();
    assert_eq!(body.size_hint().exact(), Some(LARGE as u64));
    let frame = block_on(body.frame()).unwrap().unwrap().into_data().unwrap();
    assert!(frame.len() <= 64 << 10, "{}", frame.len());
    assert_eq!(body.size_hint().exact(), Some((LARGE - frame.len()) as u64));
}

#[test]
fn a_file_that_shrinks_ends_with_an_error() {
    let site = Site::new();
    site.write("large.bin", bytes(LARGE));
    let files = site.files();
    let mut body = answer(&files, Method::GET, "/large.bin", &[]).into_body();
    block_on(body.frame()).unwrap().unwrap();
    fs::File::options().write(true).open(site.dir().join("large.bin")).unwrap().set_len(100_000).unwrap();
    let error = loop {
        match block_on(body.frame()).expect("no silent end") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("shrunk"), "{error}");
    assert!(block_on(body.frame()).is_none());
}

#[test]
fn a_file_that_grows_is_sent_as_long_as_it_was_said() {
    let site = Site::new();
    site.write("large.bin", bytes(LARGE));
    let body = answer(&site.files(), Method::GET, "/large.bin", &[]).into_body();
    fs::File::options()
        .write(true)
        .open(site.dir().join("large.bin"))
        .unwrap()
        .set_len(2 * LARGE as u64)
        .unwrap();
    assert_eq!(block_on(body.collect()).unwrap().to_bytes().len(), LARGE);
}

#[test]
fn a_file_that_is_removed_is_still_sent() {
    let site = Site::new();
    let large = bytes(LARGE);
    site.write("large.bin", &large);
    let body = answer(&site.files(), Method::GET, "/large.bin", &[]).into_body();
    fs::remove_file(site.dir().join("large.bin")).unwrap();
    assert!(block_on(body.collect()).unwrap().to_bytes() == large);
}

#[test]
fn what_is_not_in_memory_is_read_by_threads_that_end_with_the_folder() {
    let site = Site::new();
    let large = bytes(LARGE);
    site.write("large.bin", &large);
    let file = Arc::new(fs::File::open(site.dir().join("large.bin")).unwrap());
    let reader = Reader::default();
    let readings: Vec<_> = (0..16).map(|at| reader.begin(&file, at * 1000, 5000).unwrap()).collect();
    for (at, reading) in readings.into_iter().enumerate() {
        let read = block_on(reading).unwrap().unwrap();
        assert!(read == large[at * 1000..at * 1000 + 5000]);
    }
    let short = block_on(reader.begin(&file, LARGE as u64 - 10, 11).unwrap()).unwrap();
    assert_eq!(short.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    let last = reader.begin(&file, 0, 10).unwrap();
    drop(reader);
    assert!(block_on(last).unwrap().unwrap() == large[..10], "a read that has begun is finished");
    assert_eq!(Arc::strong_count(&file), 1);
}

#[test]
fn a_body_that_is_not_read_reads_nothing() {
    let site = Site::new();
    site.write("large.bin", bytes(LARGE));
    let files = site.files();
    let mut bodies: Vec<_> =
        (0..50).map(|_| answer(&files, Method::GET, "/large.bin", &[]).into_body()).collect();
    for body in &mut bodies {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(!matches!(Pin::new(body).poll_frame(&mut cx), Poll::Ready(None | Some(Err(_)))));
    }
    drop(bodies);
    assert_eq!(status(&files, "/app.js", &[]), 200);
}

#[test]
fn small_files_are_read_when_they_are_answered() {
    let site = Site::new();
    let small = bytes(256 << 10);
    site.write("large.bin", &small);
    let body = answer(&site.files(), Method::GET, "/large.bin", &[]).into_body();
    fs::File::options().write(true).open(site.dir().join("large.bin")).unwrap().set_len(0).unwrap();
    assert!(block_on(body.collect()).unwrap().to_bytes() == small);
    let file = fs::File::open(site.dir().join("large.bin")).unwrap();
    assert!(read_exact(&file, 0, 1).is_err());
}
