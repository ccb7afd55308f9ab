//! What every store promises, as tests that each of them passes.

pub(crate) mod letters;
pub(crate) mod messages;
pub(crate) mod order;
pub(crate) mod streams;
pub(crate) mod values;

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::broker::{Bounds, Channel, Draft, Lease, Once, Store, SubmissionId, Verdict};
use crate::wall::{ManualClock, Moment, Wall};

/// A moment that is long for a test and short for a person; stores on servers have no other clock than the real one.
pub(crate) const WHILE: Duration = Duration::from_millis(400);

/// A store to be tested.
pub(crate) struct Rig {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) wall: Wall,
    /// None where the store keeps to real time.
    pub(crate) clock: Option<ManualClock>,
    /// What has to live as long as the store.
    pub(crate) _ground: Box<dyn Any + Send + Sync>,
}

impl Rig {
    pub(crate) async fn pass(&self, time: Duration) {
        match &self.clock {
            Some(clock) => clock.advance(time),
            None => tokio::time::sleep(time).await,
        }
    }

    pub(crate) fn now(&self) -> Moment {
        self.wall.now()
    }

    pub(crate) fn draft(&self, channel: &str, text: &str) -> Draft {
        Draft {
            channel: Channel::new(channel),
            payload: Bytes::copy_from_slice(text.as_bytes()),
            key: None,
            due: self.now(),
            once: None,
        }
    }

    pub(crate) fn keyed(&self, key: &str, text: &str) -> Draft {
        Draft { key: Some(key.into()), ..self.draft("f.keyed", text) }
    }

    pub(crate) fn once(&self, key: &str, text: &str) -> Draft {
        Draft { once: Some(Once { key: key.into(), window: WHILE }), ..self.draft("f.once", text) }
    }

    pub(crate) async fn put(&self, draft: Draft) -> SubmissionId {
        self.store.put(vec![draft]).await.unwrap().remove(0).id
    }

    pub(crate) async fn pull(&self, channel: &str, most: usize) -> Vec<Lease> {
        self.store.pull(&Channel::new(channel), most).await.unwrap()
    }

    pub(crate) async fn take(&self, channel: &str) -> Lease {
        self.pull(channel, 1).await.remove(0)
    }

    /// Tells that nothing is handed out for a while.
    pub(crate) async fn is_quiet(&self, channel: &str) -> bool {
        let channel = Channel::new(channel);
        tokio::time::timeout(WHILE / 2, self.store.pull(&channel, 1)).await.is_err()
    }
}

pub(crate) fn done() -> Verdict {
    Verdict::Done { summary: Bytes::from_static(b"summary") }
}

pub(crate) fn again(due: Moment, attempt: u32) -> Verdict {
    Verdict::Again { due, attempt, notes: Bytes::from(format!("notes {attempt}")) }
}

pub(crate) fn dead() -> Verdict {
    Verdict::Dead { notes: Bytes::from_static(b"why") }
}

pub(crate) fn text(lease: &Lease) -> &str {
    std::str::from_utf8(&lease.payload).unwrap()
}

/// Runs one test against one store.
pub(crate) fn run<F: Future>(
    make: impl AsyncFnOnce(Bounds) -> Rig,
    bounds: Bounds,
    test: impl FnOnce(Rig) -> F,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let limit = Duration::from_secs(60);
        let rig = make(bounds).await;
        tokio::time::timeout(limit, test(rig)).await.expect("it hangs");
    });
}

/// Makes a test of every promise for one store; `$make` is an async function from bounds to a rig.
macro_rules! conforms {
    ($make:path) => {
        $crate::broker::conformance::conforms!(@each $make;
            messages: what_is_put_is_handed_out_and_done,
            messages: nothing_is_handed_out_before_it_is_due,
            messages: who_waits_hears_of_what_is_put_later,
            messages: what_fails_comes_again_with_its_notes,
            messages: a_lease_that_is_dropped_gives_its_message_back,
            messages: a_token_that_is_settled_cannot_be_given_back,
            messages: a_pull_that_is_dropped_takes_nothing,
            messages: each_message_goes_to_one_of_many,
            messages: what_follows_is_kept_with_the_verdict,
            messages: the_same_once_key_is_the_same_message,
            messages: many_at_once_with_one_once_key_are_one_message,
            messages: a_once_key_is_free_after_its_window,
            messages: what_waits_can_be_cancelled,
            messages: a_channel_tells_its_depth,
            messages: channels_are_announced,
            messages: a_closed_store_takes_and_gives_nothing,
            order: one_key_is_handed_out_one_after_another,
            order: a_retry_holds_up_its_key_alone,
            order: cancelling_the_first_lets_the_next_go,
            order: order_holds_for_many_keys_and_many_hands,
            letters: dead_letters_are_listed_in_pages,
            letters: a_dead_letter_is_sent_again_under_its_id,
            letters: a_dead_letter_is_purged,
            streams: items_are_read_in_order_from_a_position,
            streams: a_reader_waits_for_the_next_item,
            streams: reading_is_bounded_by_items_and_bytes,
            streams: shards_are_apart,
            streams: old_items_are_found_by_time_and_trimmed,
            values: a_value_is_replaced_only_at_its_revision,
            values: one_of_many_swaps_wins,
            values: changes_are_told_by_prefix,
        );
    };
    (@each $make:path; $($area:ident: $name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                let bounds = $crate::broker::Bounds::default();
                $crate::broker::conformance::run($make, bounds, $crate::broker::conformance::$area::$name);
            }
        )*

        #[test]
        fn a_full_store_says_so_and_takes_more_when_there_is_room() {
            let bounds = $crate::broker::Bounds { events: 3, ..$crate::broker::Bounds::default() };
            let test = $crate::broker::conformance::messages::a_full_store_says_so_and_takes_more_later;
            $crate::broker::conformance::run($make, bounds, test);
        }
    };
}
pub(crate) use conforms;
