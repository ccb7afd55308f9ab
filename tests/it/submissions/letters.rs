//! Dead letters.

use std::time::Duration;

use fnhost::{Death, Event, Function, Retry, Submission, SubmissionId, Trigger};

use super::{Stand, failing, fine, telling};
use crate::kit::module;

/// Has events of a function given up.
async fn bury(stand: &Stand, name: &str, count: usize) -> Vec<SubmissionId> {
    let (function, _told) = telling(name, failing);
    stand.runtime.deploy(function.retry(Retry::never())).await.unwrap();
    let handler = stand.runtime.handler(name).unwrap();
    let mut ids = Vec::new();
    for number in 0..count {
        let accepted = handler.submit(Event::new(number.to_string())).await.unwrap();
        stand.until_dead(accepted.id()).await;
        ids.push(accepted.id().clone());
    }
    ids
}

#[tokio::test]
async fn they_are_listed_and_say_what_went_wrong() {
    let stand = Stand::in_memory();
    let ids = bury(&stand, "a", 3).await;
    bury(&stand, "b", 1).await;
    let letters = stand.runtime.dead_letters();
    assert_eq!(letters.list(0, 100).await.unwrap().len(), 4);
    let of_a = letters.clone().of_function("a");
    let first = of_a.list(0, 2).await.unwrap();
    assert_eq!(first.iter().map(|letter| &letter.id).collect::<Vec<_>>(), [&ids[0], &ids[1]]);
    let rest = of_a.list(first[1].position, 2).await.unwrap();
    assert_eq!((rest.len(), &rest[0].id), (1, &ids[2]));
    let letter = letters.get(&ids[0]).await.unwrap().unwrap();
    assert_eq!(
        (letter.target.as_str(), letter.death, letter.attempts.len()),
        ("a", Death::RetriesExhausted, 1)
    );
    assert_eq!(letter.event.unwrap().event_type(), "0");
    assert!(letter.attempts[0].message.contains("come again"));
}

#[tokio::test]
async fn those_of_a_queue_and_of_a_subscription_are_told_apart() {
    let stand = Stand::in_memory();
    let (function, _told) = telling("f", failing);
    stand.runtime.deploy(function).await.unwrap();
    let queue = Trigger::queue("orders").to("f").one_by_one().retry(Retry::never());
    stand.runtime.add_trigger("ordering", queue).await.unwrap();
    let topic = Trigger::topic("clicks").to("f").retry(Retry::never());
    stand.runtime.add_trigger("clicking", topic).await.unwrap();
    let order = stand.runtime.queue("orders").unwrap().publish(Event::new("order")).await.unwrap();
    let click = stand.runtime.topic("clicks").unwrap().publish(Event::new("click")).await.unwrap();
    stand.until_dead(order.id()).await;
    stand.until_dead(click[0].id()).await;
    let letters = stand.runtime.dead_letters();
    let [letter] = &letters.clone().of_queue("orders").list(0, 9).await.unwrap()[..] else { panic!("one") };
    assert_eq!(&letter.id, order.id());
    let of_clicks = letters.of_subscription("clicks", "clicking");
    let [letter] = &of_clicks.list(0, 9).await.unwrap()[..] else { panic!("one") };
    assert_eq!(&letter.id, click[0].id());
}

#[tokio::test]
async fn what_dies_again_at_once_is_sent_again_once() {
    let stand = Stand::in_memory();
    bury(&stand, "a", 3).await;
    let (tell, told) = std::sync::mpsc::channel();
    // On a thread of its own: if it never ends, it never waits either.
    let runtime = stand.runtime.clone();
    std::thread::spawn(move || tell.send(runtime.block_on(runtime.dead_letters().send_all_again())));
    assert_eq!(told.recv_timeout(Duration::from_secs(10)).expect("it never ends").unwrap(), 3);
}

#[tokio::test]
async fn one_or_all_are_sent_again() {
    let stand = Stand::in_memory();
    let ids = bury(&stand, "a", 5).await;
    let (mended, mut told) = telling("a", fine);
    stand.runtime.deploy(mended).await.unwrap();
    let letters = stand.runtime.dead_letters().of_function("a");
    assert!(letters.send_again(&ids[2]).await.unwrap());
    stand.until_done(&ids[2]).await;
    assert_eq!(told.recv().await.unwrap().0.event_type(), "2");
    assert_eq!(letters.send_all_again().await.unwrap(), 4);
    for id in &ids {
        stand.until_done(id).await;
    }
    assert!(letters.list(0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_or_all_are_purged() {
    let stand = Stand::in_memory();
    let ids = bury(&stand, "a", 3).await;
    bury(&stand, "b", 1).await;
    let letters = stand.runtime.dead_letters().of_function("a");
    assert!(letters.purge(&ids[0]).await.unwrap());
    assert!(!letters.purge(&ids[0]).await.unwrap());
    assert_eq!(letters.purge_all().await.unwrap(), 2);
    assert_eq!(stand.runtime.dead_letters().list(0, 10).await.unwrap().len(), 1, "that of b");
}

#[tokio::test]
async fn a_guests_trap_and_log_are_in_its_letter() {
    let stand = Stand::in_memory();
    let log = r#"(import "fnhost" "log" (func $log (param i32 i32 i32))) (data (i32.const 8) "before")"#;
    let trap = "(call $log (i32.const 3) (i32.const 8) (i32.const 6)) unreachable";
    let function = Function::wasm("trap", module(log, trap)).retry(Retry::never());
    let hash = stand.runtime.deploy(function).await.unwrap().hash().map(String::from);
    let accepted = stand.runtime.handler("trap").unwrap().submit(Event::new("a")).await.unwrap();
    let Submission::Dead { attempts, .. } = stand.until_dead(accepted.id()).await else { unreachable!() };
    assert_eq!((attempts[0].kind.as_str(), attempts[0].code.clone()), ("trapped", hash));
    assert!(attempts[0].log_tail.contains("before"), "{}", attempts[0].log_tail);
}
