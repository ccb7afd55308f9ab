//! What needs no function: modes, wishes, and how many futures run at a time.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use crate::block_on::block_on;
use crate::http::cloudevents::accept::Wish;
use crate::http::cloudevents::batch::in_order;
use crate::http::cloudevents::mode::Mode;

fn mode(content_type: &'static str, is_event: bool) -> Result<Mode, u16> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if is_event {
        headers.insert("ce-specversion", HeaderValue::from_static("1.0"));
    }
    Mode::of(&headers).map_err(|refusal| refusal.into_bytes("id").status().as_u16())
}

#[test]
fn the_media_type_tells_the_mode() {
    for structured in [
        "application/cloudevents+json",
        "application/cloudevents+json; charset=UTF-8",
        "Application/CloudEvents+JSON ;a=b; charset=\"utf-8\"",
    ] {
        assert_eq!(mode(structured, false), Ok(Mode::Structured), "{structured}");
        assert_eq!(mode(structured, true), Ok(Mode::Structured), "whatever headers say beside it");
    }
    for batch in ["application/cloudevents-batch+json", "application/cloudevents-batch+json;charset=utf-8"] {
        assert_eq!(mode(batch, false), Ok(Mode::Batch), "{batch}");
    }
    for other in ["", "application/json", "text/application/cloudevents+json", "application/cloudevent+json"]
    {
        assert_eq!((mode(other, true), mode(other, false)), (Ok(Mode::Binary), Err(415)), "{other}");
    }
    for unknown in [
        "application/cloudevents",
        "application/cloudevents+avro",
        "application/cloudevents+json+x",
        "application/cloudevents-batch",
        "application/cloudevents-batch+xml",
        "application/cloudevents+json; charset=utf-16",
        "application/cloudevents-batch+json; charset=latin1",
    ] {
        assert_eq!(mode(unknown, true), Err(415), "{unknown}");
    }
}

#[test]
fn a_request_has_one_media_type() {
    let mut headers = HeaderMap::new();
    headers.append(CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json"));
    headers.append(CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json"));
    assert_eq!(Mode::of(&headers).unwrap_err().into_bytes("id").status(), 400);
}

fn wish(lines: &[&'static str]) -> Wish {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(ACCEPT, HeaderValue::from_static(line));
    }
    Wish::of(&headers)
}

#[test]
fn what_is_accepted_says_how_to_answer() {
    let (structured, batch) = ("application/cloudevents+json", "application/cloudevents-batch+json");
    let wishes: [(&[&str], Wish); 17] = [
        (&[], Wish::Any),
        (&[""], Wish::Any),
        (&[" , "], Wish::Any),
        (&["*/*"], Wish::Any),
        (&["text/html, application/*;q=0.1"], Wish::Any),
        (&["text/html"], Wish::Others),
        (&["text/html", "application/json"], Wish::Others),
        (&["*/*;q=0"], Wish::Others),
        (&["*/*;q=high"], Wish::Others),
        (&["*/*;q=nan"], Wish::Others),
        (&[structured], Wish::Mode(Mode::Structured)),
        (&["text/html", "a/b, Application/CloudEvents+json ; x=y; q=0.3"], Wish::Mode(Mode::Structured)),
        (&["application/cloudevents+json;q=0, */*"], Wish::Others),
        (&[batch], Wish::Mode(Mode::Batch)),
        (&[batch, structured], Wish::Mode(Mode::Structured)),
        (
            &["application/cloudevents-batch+json, application/cloudevents+json;q=0.9"],
            Wish::Mode(Mode::Batch),
        ),
        (
            &["application/cloudevents-batch+json;q=0.1, application/cloudevents+json;Q=1e9"],
            Wish::Mode(Mode::Structured),
        ),
    ];
    for (lines, expected) in wishes {
        assert_eq!(wish(lines), expected, "{lines:?}");
    }
}

#[test]
fn only_so_many_ranges_are_looked_at() {
    let long = format!("{}application/cloudevents+json", "a/b,".repeat(32));
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::try_from(long).unwrap());
    assert_eq!(Wish::of(&headers), Wish::Others);
}

#[test]
fn futures_that_are_ready_all_run_in_one_poll() {
    let answers = RefCell::new(Vec::new());
    let futures = (0..1_000).map(|n| async move { n * 2 });
    block_on(in_order(3, futures, |at, answer| answers.borrow_mut().push((at, answer))));
    assert!(answers.into_inner().into_iter().enumerate().all(|(n, answer)| answer == (n, n * 2)));
}

#[test]
fn no_more_futures_run_than_may() {
    let (running, most, done) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let futures = (0..50).map(|n| {
        let (running, most) = (&running, &most);
        async move {
            running.set(running.get() + 1);
            most.set(running.get().max(most.get()));
            for _ in 0..n % 5 {
                let mut waited = false;
                poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            }
            running.set(running.get() - 1);
        }
    });
    block_on(in_order(4, futures, |_, ()| done.set(done.get() + 1)));
    assert_eq!((most.get(), done.get(), running.get()), (4, 50, 0));
}

#[test]
fn a_future_that_hangs_holds_up_no_other() {
    let done = Cell::new(0);
    let futures = (0..10).map(|n| async move {
        if n == 0 {
            pending::<()>().await;
        }
    });
    {
        let mut all = pin!(in_order(2, futures, |_, ()| done.set(done.get() + 1)));
        assert!(all.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(done.get(), 9);
}
