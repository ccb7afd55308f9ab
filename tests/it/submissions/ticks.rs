//! Triggers that follow the clock.

use std::time::{Duration, UNIX_EPOCH};

use fnhost::testing::ManualClock;
use fnhost::{Broker, Event, Missed, Runtime, Trigger};

use super::{Folder, fine, telling};
use crate::kit::small;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// 2026-03-27, a Friday, 12:00 in UTC.
fn friday() -> ManualClock {
    ManualClock::at(UNIX_EPOCH + Duration::from_secs(1_774_612_800))
}

async fn to_the_next_wait(clock: &ManualClock) {
    while clock.next_wait().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let wait = clock.next_wait().unwrap();
    clock.advance(wait.duration_since(clock.now()).unwrap_or_default());
}

#[tokio::test]
async fn nights_of_a_week_over_the_change_of_the_clocks() {
    let clock = friday();
    let runtime: Runtime = small().clock(&clock).build().unwrap();
    let (report, mut told) = telling("report", fine);
    runtime.deploy(report).await.unwrap();
    let trigger = Trigger::cron("30 2 * * *", "Europe/Berlin").to("report").event(Event::new("report.due"));
    runtime.add_trigger("nightly", trigger).await.unwrap();
    let mut times = Vec::new();
    for _ in 0..3 {
        to_the_next_wait(&clock).await;
        let (event, _) = told.recv().await.unwrap();
        assert_eq!((event.event_type(), event.source()), ("report.due", "/fnhost"));
        times.push(event.id().to_owned());
    }
    // On Sunday half past two is left out, and what is behind it is one hour earlier.
    let expected =
        ["nightly@2026-03-28T01:30:00Z", "nightly@2026-03-29T01:00:00Z", "nightly@2026-03-30T00:30:00Z"];
    assert_eq!(times, expected);
}

#[tokio::test]
async fn a_night_without_a_runtime_is_made_up_for_once() {
    let folder = Folder::new();
    let clock = friday();
    let nightly = || Trigger::cron("0 3 * * *", "UTC").to("report").missed(Missed::Once);
    let start = || small().clock(&clock).broker(Broker::embedded(&folder.0)).build().unwrap();
    {
        let runtime = start();
        let (report, mut told) = telling("report", fine);
        runtime.deploy(report).await.unwrap();
        runtime.add_trigger("nightly", nightly()).await.unwrap();
        to_the_next_wait(&clock).await;
        assert_eq!(told.recv().await.unwrap().0.id(), "nightly@2026-03-28T03:00:00Z");
        runtime.shutdown(Duration::from_secs(5)).await;
    }
    clock.advance(DAY * 3 + DAY / 2);
    let runtime = start();
    let (report, mut told) = telling("report", fine);
    runtime.deploy(report).await.unwrap();
    runtime.add_trigger("nightly", nightly()).await.unwrap();
    assert_eq!(told.recv().await.unwrap().0.id(), "nightly@2026-03-31T03:00:00Z");
    to_the_next_wait(&clock).await;
    assert_eq!(told.recv().await.unwrap().0.id(), "nightly@2026-04-01T03:00:00Z");
}
