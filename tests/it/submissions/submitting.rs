//! Submitting, and what becomes of it.

use std::time::Duration;

use fnhost::{
    Broker, Cancellation, Context, ErrorKind, Event, Function, Retry, Runtime, Submission, SubmissionId,
    Submit, ThrottleReason,
};

use super::{Folder, Stand, failing, fine, telling};
use crate::kit::{ANSWER_BODY, module, small};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_guest_gets_what_was_submitted() {
    let stand = Stand::in_memory();
    stand.runtime.deploy(Function::wasm("echo", module("", ANSWER_BODY))).await.unwrap();
    let echo = stand.runtime.handler("echo").unwrap();
    let accepted = echo.submit(Event::bytes("a", "hello")).await.unwrap();
    let report = stand.until(accepted.id(), |state| match state {
        Submission::Done { report, .. } => Some(report),
        _ => None,
    });
    let report = report.await;
    assert_eq!((report.function(), report.bytes_in, report.bytes_out, report.attempt), ("echo", 5, 5, 1));
    assert!(report.code_hash().is_some() && report.handler > Duration::ZERO);
}

#[tokio::test]
async fn the_context_goes_with_the_event() {
    let stand = Stand::in_memory();
    let (function, mut told) = telling("a", fine);
    stand.runtime.deploy(function).await.unwrap();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = Context::new().with_tenant("acme").with_traceparent(trace).with_attribute("color", "blue");
    let id = context.request_id();
    let submit = Submit::new(Event::json("order", &1).unwrap().with_extension("n", 7)).context(context);
    let handler = stand.runtime.handler("a").unwrap();
    handler.submit_with(submit).await.unwrap();
    let (event, context) = told.recv().await.unwrap();
    assert_eq!(
        (event.body_json::<u32>().unwrap(), event.extension("n").unwrap().to_string()),
        (1, "7".into())
    );
    assert_eq!(
        (context.tenant(), context.traceparent(), context.attribute("color")),
        (Some("acme"), Some(trace), Some("blue"))
    );
    assert_eq!((context.request_id(), context.attempt(), context.version()), (id, 1, 1));
    assert!(context.deadline().is_some(), "each attempt has one of its own");
}

#[tokio::test]
async fn an_event_comes_at_its_time() {
    let stand = Stand::in_memory();
    let (function, mut told) = telling("a", fine);
    stand.runtime.deploy(function).await.unwrap();
    let handler = stand.runtime.handler("a").unwrap();
    let due = stand.clock.now() + HOUR;
    let at = handler.submit_at(Event::new("at"), due).await.unwrap();
    let after = handler.submit_after(Event::new("after"), HOUR * 12).await.unwrap();
    assert!(matches!(
        stand.runtime.submission(at.id()).await.unwrap(),
        Some(Submission::Waiting { due: known }) if known.duration_since(due).unwrap_or_default() < Duration::from_millis(1)
    ));
    stand.clock.advance(HOUR - Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(told.try_recv().is_err(), "it is not due");
    stand.clock.advance(Duration::from_secs(1));
    assert_eq!(told.recv().await.unwrap().0.event_type(), "at");
    stand.clock.advance(HOUR * 11);
    assert_eq!(told.recv().await.unwrap().0.event_type(), "after");
    stand.until_done(after.id()).await;
}

#[tokio::test]
async fn a_failure_is_tried_again_and_told() {
    let stand = Stand::in_memory();
    let (function, mut told) = telling("a", failing);
    let retry = Retry::new().attempts(3).backoff(HOUR / 4, HOUR / 4);
    stand.runtime.deploy(function.retry(retry)).await.unwrap();
    let handler = stand.runtime.handler("a").unwrap();
    let accepted = handler.submit(Event::new("a")).await.unwrap();
    let (next, attempts) = stand
        .until(accepted.id(), |state| match state {
            Submission::Retrying { next, attempts } => Some((next, attempts)),
            _ => None,
        })
        .await;
    assert_eq!(next, stand.clock.now() + HOUR / 4);
    assert_eq!((attempts.len(), attempts[0].kind.as_str()), (1, "failed"));
    assert!(attempts[0].message.contains("come again"), "{}", attempts[0].message);
    let Submission::Dead { attempts, .. } = stand.until_dead(accepted.id()).await else { unreachable!() };
    assert_eq!(attempts.len(), 3);
    for attempt in 1..=3 {
        assert_eq!(told.recv().await.unwrap().1.attempt(), attempt);
    }
}

#[tokio::test]
async fn the_target_is_resolved_anew_at_each_attempt() {
    let stand = Stand::in_memory();
    let (first, mut told) = telling("a", failing);
    stand.runtime.deploy(first).await.unwrap();
    let handler = stand.runtime.handler("a").unwrap();
    let accepted = handler.submit(Event::new("a")).await.unwrap();
    assert!(told.recv().await.is_some());
    let (second, mut told) = telling("a", fine);
    stand.runtime.deploy(second).await.unwrap();
    stand.until_done(accepted.id()).await;
    assert_eq!(told.recv().await.unwrap().1.version(), 2);
}

#[tokio::test]
async fn an_event_waits_for_a_version_that_was_removed() {
    let stand = Stand::in_memory();
    let (first, mut told) = telling("a", fine);
    stand.runtime.deploy(first.version(1)).await.unwrap();
    let pinned = stand.runtime.handler("a:1").unwrap();
    let accepted = pinned.submit_after(Event::new("a"), HOUR).await.unwrap();
    let (second, _told) = telling("a", fine);
    stand.runtime.deploy(second.version(2)).await.unwrap();
    stand.runtime.remove("a:1").await.unwrap();
    stand.clock.advance(HOUR);
    let attempts = stand
        .until(accepted.id(), |state| match state {
            Submission::Retrying { attempts, .. } => Some(attempts),
            _ => None,
        })
        .await;
    assert_eq!(attempts[0].kind, "unknown-function");
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn what_waits_is_cancelled_and_what_is_over_is_not() {
    let stand = Stand::in_memory();
    let (function, mut told) = telling("a", fine);
    stand.runtime.deploy(function).await.unwrap();
    let handler = stand.runtime.handler("a").unwrap();
    let later = handler.submit_after(Event::new("a"), HOUR).await.unwrap();
    assert_eq!(stand.runtime.cancel_submission(later.id()).await.unwrap(), Cancellation::Cancelled);
    assert!(matches!(stand.runtime.submission(later.id()).await.unwrap(), Some(Submission::Cancelled)));
    stand.clock.advance(HOUR);
    let now = handler.submit(Event::new("b")).await.unwrap();
    stand.until_done(now.id()).await;
    assert_eq!(told.recv().await.unwrap().0.event_type(), "b");
    assert_eq!(stand.runtime.cancel_submission(now.id()).await.unwrap(), Cancellation::Over);
    let nobody = SubmissionId::new("nobody");
    assert_eq!(stand.runtime.cancel_submission(&nobody).await.unwrap(), Cancellation::Unknown);
}

#[tokio::test]
async fn one_idempotency_key_is_one_event_also_after_a_restart() {
    let folder = Folder::new();
    let key = || Submit::new(Event::new("a")).idempotency_key("invoice-7");
    let first = {
        let stand = Stand::new(Broker::embedded(&folder.0));
        let (function, mut told) = telling("a", fine);
        stand.runtime.deploy(function).await.unwrap();
        let handler = stand.runtime.handler("a").unwrap();
        let first = handler.submit_with(key()).await.unwrap();
        assert!(told.recv().await.is_some());
        stand.until_done(first.id()).await;
        stand.runtime.shutdown(Duration::from_secs(5)).await;
        first
    };
    let stand = Stand::new(Broker::embedded(&folder.0));
    let (function, mut told) = telling("a", fine);
    stand.runtime.deploy(function).await.unwrap();
    let handler = stand.runtime.handler("a").unwrap();
    let second = handler.submit_with(key()).await.unwrap();
    assert_eq!((first.is_known(), second.is_known(), first.id()), (false, true, second.id()));
    let other = handler.submit_with(Submit::new(Event::new("other"))).await.unwrap();
    stand.until_done(other.id()).await;
    assert_eq!(told.recv().await.unwrap().0.event_type(), "other", "the first did not run again");
}

#[tokio::test]
async fn events_of_one_key_keep_their_order_through_retries() {
    let stand = Stand::in_memory();
    let (function, mut told) = telling("a", |context| match context.attempt() {
        1 => failing(context),
        _ => fine(context),
    });
    stand.runtime.deploy(function).await.unwrap();
    let handler = stand.runtime.handler("a").unwrap();
    let mut last = None;
    for number in 0..5 {
        let submit = Submit::new(Event::new(number.to_string())).ordering_key("k");
        last = Some(handler.submit_with(submit).await.unwrap());
    }
    let last = last.unwrap();
    while !matches!(stand.runtime.submission(last.id()).await.unwrap(), Some(Submission::Done { .. })) {
        stand.clock.advance(Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut seen = Vec::new();
    while let Ok((event, _)) = told.try_recv() {
        seen.push(event.event_type().to_owned());
    }
    assert_eq!(seen, ["0", "0", "1", "1", "2", "2", "3", "3", "4", "4"]);
}

#[tokio::test]
async fn a_full_broker_says_so() {
    let stand = Stand::new(Broker::memory().max_events(2));
    let (function, _told) = telling("a", fine);
    stand.runtime.deploy(function).await.unwrap();
    let handler = stand.runtime.handler("a").unwrap();
    for _ in 0..2 {
        handler.submit_after(Event::new("a"), HOUR).await.unwrap();
    }
    let error = handler.submit(Event::new("a")).await.unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::Throttled { reason: ThrottleReason::BrokerFull { events: 2, .. }, .. }
    ));
    assert!(error.is_retryable() && error.to_string().contains("2 events"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused() {
    let stand = Stand::in_memory();
    let (function, _told) = telling("a", fine);
    stand.runtime.deploy(function.max_event(10)).await.unwrap();
    let handler = stand.runtime.handler("a").unwrap();
    let large = handler.submit(Event::bytes("a", "x".repeat(11))).await.unwrap_err();
    assert!(matches!(large.kind(), ErrorKind::PayloadTooLarge { limit: 10, size: 11, .. }), "{large}");
    let wrong = handler.submit(Event::new("a").with_time("yesterday")).await.unwrap_err();
    assert!(matches!(wrong.kind(), ErrorKind::InvalidEvent { .. }), "{wrong}");
    for key in [String::new(), "x".repeat(257)] {
        let key = handler.submit_with(Submit::new(Event::new("a")).ordering_key(key)).await.unwrap_err();
        assert!(key.to_string().contains("give 1 to 256"), "{key}");
    }
    stand.runtime.remove("a").await.unwrap();
    let gone = handler.submit(Event::new("a")).await.unwrap_err();
    assert!(matches!(gone.kind(), ErrorKind::UnknownFunction { .. }), "{gone}");
    stand.runtime.shutdown(Duration::ZERO).await;
    let late = handler.submit(Event::new("a")).await.unwrap_err();
    assert!(matches!(late.kind(), ErrorKind::ShuttingDown), "{late}");
}

#[tokio::test]
async fn each_tenant_has_its_own_keys() {
    let stand = Stand::in_memory();
    let answer =
        |context: &Context| if context.tenant() == Some("a") { failing(context) } else { fine(context) };
    let (function, _told) = telling("f", answer);
    stand.runtime.deploy(function).await.unwrap();
    let handler = stand.runtime.handler("f").unwrap();
    let submit = async |tenant: &str| {
        let context = Context::new().with_tenant(tenant);
        let submit = Submit::new(Event::new("e")).idempotency_key("i").ordering_key("o").context(context);
        handler.submit_with(submit).await.unwrap()
    };
    let (first, again, other) = (submit("a").await, submit("a").await, submit("b").await);
    assert!(again.is_known() && again.id() == first.id());
    assert!(!other.is_known());
    // The first one of the other tenant waits for its next attempt meanwhile.
    stand.until(other.id(), |state| matches!(state, Submission::Done { .. }).then_some(())).await;
    assert!(!matches!(stand.runtime.submission(first.id()).await.unwrap(), Some(Submission::Done { .. })));
}

#[tokio::test]
async fn an_error_that_a_handler_passes_on_is_tried_again() {
    let stand = Stand::in_memory();
    let parse = |context: &Context| {
        let _: u32 = if context.attempt() == 1 { "soup" } else { "7" }.parse()?;
        Ok(fnhost::Response::new())
    };
    let (function, mut told) = telling("a", parse);
    stand.runtime.deploy(function).await.unwrap();
    let accepted = stand.runtime.handler("a").unwrap().submit(Event::new("a")).await.unwrap();
    stand.until_done(accepted.id()).await;
    assert_eq!(told.recv().await.unwrap().1.attempt(), 1);
    assert_eq!(told.recv().await.unwrap().1.attempt(), 2);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let stand = Stand::in_memory();
    let (function, _told) = telling("a", fine);
    let error = stand.runtime.deploy(function.retry(Retry::new().attempts(0))).await.unwrap_err();
    assert!(error.to_string().contains("attempts is 0; give at least 1"), "{error}");
    let error = small().deliveries(0).build().unwrap_err();
    assert!(error.to_string().contains("deliveries is 0"), "{error}");
    let error = small().broker(Broker::memory().max_events(0)).build().unwrap_err();
    assert!(error.to_string().contains("at least 1 event"), "{error}");
}

#[tokio::test]
async fn a_shutdown_lets_events_end_and_leaves_the_rest_for_the_next() {
    let folder = Folder::new();
    let (ended, waiting) = {
        let stand = Stand::new(Broker::embedded(&folder.0));
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let slow = Function::native("a", move |_: Event, _: Context| {
            tell.send(()).unwrap();
            async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Ok(fnhost::Response::new())
            }
        });
        stand.runtime.deploy(slow.concurrency(1)).await.unwrap();
        let handler = stand.runtime.handler("a").unwrap();
        let first = handler.submit(Event::new("first")).await.unwrap();
        assert!(told.recv().await.is_some());
        let second = handler.submit(Event::new("second")).await.unwrap();
        let shutdown = stand.runtime.shutdown(Duration::from_secs(10)).await;
        assert_eq!(shutdown.cancelled, 0);
        (first, second)
    };
    let stand = Stand::new(Broker::embedded(&folder.0));
    assert!(matches!(stand.runtime.submission(ended.id()).await.unwrap(), Some(Submission::Done { .. })));
    assert!(matches!(
        stand.runtime.submission(waiting.id()).await.unwrap(),
        Some(Submission::Waiting { .. })
    ));
    let (function, mut told) = telling("a", fine);
    stand.runtime.deploy(function).await.unwrap();
    assert_eq!(told.recv().await.unwrap().0.event_type(), "second");
}

#[tokio::test]
async fn a_shutdown_without_grace_gives_back_what_runs() {
    let folder = Folder::new();
    let accepted = {
        let stand = Stand::new(Broker::embedded(&folder.0));
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let stuck = Function::native("a", move |_: Event, _: Context| {
            tell.send(()).unwrap();
            std::future::pending()
        });
        stand.runtime.deploy(stuck.timeout(HOUR)).await.unwrap();
        let accepted = stand.runtime.handler("a").unwrap().submit(Event::new("a")).await.unwrap();
        assert!(told.recv().await.is_some());
        assert_eq!(stand.runtime.shutdown(Duration::ZERO).await.cancelled, 1);
        accepted
    };
    let stand = Stand::new(Broker::embedded(&folder.0));
    let (function, mut told) = telling("a", fine);
    stand.runtime.deploy(function).await.unwrap();
    assert_eq!(told.recv().await.unwrap().1.attempt(), 1, "it was no attempt");
    stand.until_done(accepted.id()).await;
}

#[test]
fn it_needs_no_async_runtime_of_the_host() {
    let runtime: Runtime = small().build().unwrap();
    let (function, mut told) = telling("a", fine);
    runtime.block_on(runtime.deploy(function)).unwrap();
    let handler = runtime.handler("a").unwrap();
    runtime.block_on(handler.submit(Event::new("a"))).unwrap();
    assert_eq!(told.blocking_recv().unwrap().0.event_type(), "a");
    runtime.block_on(runtime.shutdown(Duration::from_secs(5)));
}
