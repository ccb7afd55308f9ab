//! Guests that stand ready.

use std::sync::atomic::AtomicU32;

use super::*;
use crate::error::ErrorKind;

/// Makes toys.
#[derive(Clone, Default)]
pub(super) struct Works {
    pub(super) live: Arc<AtomicUsize>,
    pub(super) attempts: Arc<AtomicUsize>,
    /// So many attempts fail first; odd ones by a panic.
    pub(super) fails: Arc<AtomicU32>,
    pub(super) takes: Duration,
    /// Held while nothing may be made.
    pub(super) shut: Arc<Mutex<()>>,
}

impl Factory<Toy> for Works {
    fn function(&self) -> &str {
        "toy"
    }

    fn need(&self) -> Amount {
        Amount::new(1, 5)
    }

    fn make(&self, _: usize, _: Amount) -> Result<(Toy, Amount), ErrorKind> {
        self.attempts.fetch_add(1, SeqCst);
        drop(self.shut.lock());
        let until = Instant::now() + self.takes;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        let left = self.fails.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).unwrap_or(0);
        assert!(left.is_multiple_of(2), "as it was told to");
        if left > 0 { Err(ErrorKind::ShuttingDown) } else { Ok((Toy::new(&self.live), need())) }
    }
}

/// Keeps so many ready, of at most so many.
pub(super) fn keep(prepared: usize, most: usize) -> Keep {
    Keep { max_uses: 1, idle_timeout: Duration::from_secs(60), most, prepared }
}

impl Yard {
    pub(super) fn works(&self) -> Works {
        Works { live: Arc::clone(&self.live), ..Works::default() }
    }

    /// A pool whose guests stand ready.
    fn ready(&self, keep: Keep) -> Arc<Pool<Toy>> {
        let pool = self.begun(keep, self.works());
        until("all stand ready", || pool.ready() == keep.prepared);
        pool
    }

    pub(super) fn begun(&self, keep: Keep, works: Works) -> Arc<Pool<Toy>> {
        let pool = self.pool_of(keep);
        pool.prepare_with(Box::new(works));
        pool
    }
}

fn is_prepared(seat: &Option<Seat<'_, Toy>>) -> bool {
    matches!(seat, Some(Seat::Prepared(_)))
}

#[test]
fn a_ready_guest_goes_to_one_event_and_another_takes_its_place() {
    let yard = Yard::new(8);
    let pool = yard.ready(keep(2, 8));
    assert_eq!(
        (yard.live(), yard.keeper.room().out()),
        (2, Amount::new(2, 2)),
        "they take no more than they use"
    );
    for served in 1..=10 {
        let Some(Seat::Prepared(lease)) = pool.try_checkout(&tenant("anybody"), 0, need()) else {
            panic!("one stands ready");
        };
        lease.release(tenant("anybody"), Instant::now());
        until("another one stands", || pool.ready() == 2);
        assert_eq!(pool.tally().sums(), (served + 2, served, served));
    }
}

#[test]
fn a_guest_is_taken_from_the_events_lane_if_one_stands_there() {
    let yard = Yard::new(8);
    let pool = yard.ready(keep(2, 2));
    let lanes = |leases: &[Lease<'_, Toy>]| leases.iter().map(|lease| lease.lane).collect::<Vec<_>>();
    let take = |lane| match pool.try_checkout(&None, lane, need()) {
        Some(Seat::Prepared(lease)) => lease,
        _ => panic!("one stands ready"),
    };
    assert_eq!(lanes(&[take(1), take(1)]), [1, 0], "of two lanes each has one");
    until("where they were taken", || {
        pool.shelf.lock().ready.iter().filter(|ready| ready.lane == 1).count() == 2
    });
}

#[test]
fn a_burst_past_them_makes_its_own_and_never_more_than_may_live() {
    let yard = Yard::new(64);
    let pool = yard.ready(keep(3, 6));
    let (mut leases, mut prepared) = (Vec::new(), 0);
    for _ in 0..6 {
        match block_on(pool.checkout(&None, 0, need())).unwrap() {
            Seat::Prepared(lease) => (prepared, _) = (prepared + 1, leases.push(lease)),
            Seat::Empty(vacancy) => leases.push(vacancy.fill(Toy::new(&yard.live), need())),
            Seat::Taken(_) => panic!("none has served"),
        }
        let (created, discarded, _) = pool.tally().sums();
        assert!(created - discarded <= 6);
    }
    assert!(prepared >= 3);
    yard.keeper.stagehand().call();
    let shelf = pool.shelf.lock();
    assert!(shelf.live - shelf.ready.len() <= 7 && shelf.ready.is_empty(), "as many run as may");
    drop(shelf);
    drop(leases);
    until("they stand again", || pool.ready() == 3);
    until("nobody else lives", || yard.live() == 3);
}

#[test]
fn what_was_made_while_events_came_is_not_one_too_many() {
    let yard = Yard::new(8);
    let works = yard.works();
    let shut = works.shut.lock();
    let pool = yard.begun(keep(1, 1), works.clone());
    until("it is being made", || works.attempts.load(SeqCst) == 1);
    let (lease, ready) = yard.lease(&pool, &None);
    assert!(!ready);
    drop(shut);
    until("it is made and gone", || pool.shelf.lock().live == 1);
    assert_eq!((pool.ready(), pool.tally().sums()), (0, (1, 0, 0)), "it never counted");
    drop(lease);
    until("the next one may stand", || pool.ready() == 1);
}

#[test]
fn they_make_way_after_idle_guests_when_room_is_wanted() {
    let yard = Yard::new(3);
    let idle = yard.pool(10, 1);
    let ready = yard.ready(keep(2, 2));
    yard.lease(&idle, &None).0.release(None, Instant::now());
    let other = yard.pool(10, 3);
    let first = yard.lease(&other, &None).0;
    assert_eq!((idle.idle(), ready.ready()), (0, 2), "the idle one goes first");
    let second = yard.lease(&other, &None).0;
    assert_eq!(ready.ready(), 1);
    drop((first, second));
    until("they are made again", || ready.ready() == 2);
}

#[test]
fn nobody_is_overtaken_by_what_nobody_waits_for() {
    let yard = Yard::new(2);
    let (all, pool) = (yard.keeper.room().try_take(Amount::new(2, 0)).unwrap(), yard.pool(10, 2));
    let works = yard.works();
    let mut waiting = pin!(pool.checkout(&None, 0, Amount::new(2, 0)));
    assert!(pending(&mut waiting));
    let prepared = yard.begun(keep(1, 1), works.clone());
    drop(all);
    let std::task::Poll::Ready(Ok(seat)) = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("who waits is served");
    };
    assert_eq!((prepared.ready(), works.attempts.load(SeqCst)), (0, 0));
    drop(seat);
    until("now there is room", || prepared.ready() == 1);
}

#[test]
fn they_are_given_back_when_nobody_comes_and_made_again_when_somebody_does() {
    let yard = Yard::new(8);
    let pool = yard.ready(Keep { idle_timeout: Duration::from_millis(200), ..keep(3, 8) });
    until("they are given back", || yard.live() == 0 && yard.keeper.room().is_idle());
    assert!(pool.wants(Instant::now()).is_none());
    assert!(!is_prepared(&pool.try_checkout(&None, 0, need())), "the next event makes its own");
    until("and has them made again", || pool.ready() == 3);
}

#[test]
fn under_reuse_what_is_kept_counts_and_tenants_stay_apart() {
    let yard = Yard::new(8);
    let pool = yard.ready(Keep { max_uses: 2, ..keep(2, 8) });
    let take = |name: &str| match pool.try_checkout(&tenant(name), 0, need()) {
        Some(Seat::Prepared(lease)) => (lease, true),
        Some(Seat::Taken(lease)) => (lease, false),
        _ => panic!("it is warm"),
    };
    let (first, second) = (take("a"), take("b"));
    assert!(first.1 && second.1, "a ready guest has no tenant yet");
    until("as none is kept, two are made", || pool.ready() == 2);
    first.0.release(tenant("a"), Instant::now());
    second.0.release(tenant("b"), Instant::now());
    for name in ["a", "b"] {
        let (lease, is_new) = take(name);
        assert!(!is_new, "each finds its own");
        drop(lease);
    }
    assert_eq!((pool.idle(), pool.ready(), pool.tally().sums().0), (0, 2, 4), "two were warm all the time");
}

#[test]
fn none_is_wanted_where_one_is_kept_or_as_many_run_as_may() {
    let yard = Yard::new(8);
    let pool = yard.ready(Keep { max_uses: 2, ..keep(1, 2) });
    let take = || match pool.try_checkout(&tenant("a"), 0, need()) {
        Some(Seat::Prepared(lease)) => lease,
        _ => panic!("one stands ready"),
    };
    let first = take();
    until("another one stands", || pool.ready() == 1);
    let second = take();
    assert_eq!(pool.wants(Instant::now()), None, "as many run as may");
    first.release(tenant("a"), Instant::now());
    assert_eq!((pool.idle(), pool.wants(Instant::now())), (1, None), "one is kept");
    drop(second);
    assert_eq!((pool.idle(), pool.wants(Instant::now())), (1, None), "one is kept, and there is room");
}

#[test]
fn whoever_leaves_a_gap_calls_the_stagehand() {
    let yard = Yard::new(8);
    let pool = yard.ready(keep(2, 2));
    let stagehand = yard.keeper.stagehand();
    // With the thread gone, calls stay where they can be seen.
    stagehand.close();
    stagehand.take_thread().unwrap().join().unwrap();
    stagehand.take_call();
    assert!(yard.keeper.discard_longest_idle() && stagehand.take_call(), "a guest made way");
    let lease = pool.try_checkout(&None, 0, need());
    assert!(is_prepared(&lease) && stagehand.take_call(), "one was taken");
    let second = pool.try_checkout(&None, 0, need());
    assert!(!stagehand.take_call(), "as many run as may");
    drop(lease);
    assert!(stagehand.take_call(), "one may be made again");
    drop(second);
}

#[test]
fn closing_a_pool_discards_them_and_makes_none() {
    let yard = Yard::new(8);
    let works = yard.works();
    let pool = yard.begun(keep(2, 8), works.clone());
    until("they stand", || pool.ready() == 2);
    let shut = works.shut.lock();
    drop(pool.try_checkout(&None, 0, need()));
    until("one more is being made", || works.attempts.load(SeqCst) == 3);
    pool.close();
    assert_eq!((yard.live(), pool.ready()), (0, 0));
    drop(shut);
    until("what was being made goes too", || pool.shelf.lock().live == 0 && yard.keeper.room().is_idle());
    assert_eq!((yard.live(), works.attempts.load(SeqCst)), (0, 3));
}

#[test]
fn a_dropped_pool_takes_them_with_it() {
    let yard = Yard::new(8);
    drop(yard.ready(keep(4, 8)));
    until("they go", || yard.live() == 0 && yard.keeper.room().is_idle());
}

#[test]
fn the_thread_ends_when_the_stagehand_is_closed_and_makes_no_more() {
    let yard = Yard::new(8);
    let works = yard.works();
    let pool = yard.begun(keep(4, 8), works.clone());
    until("they stand", || pool.ready() == 4);
    yard.keeper.stagehand().close();
    yard.keeper.stagehand().take_thread().unwrap().join().unwrap();
    assert!(is_prepared(&pool.try_checkout(&None, 0, need())), "what stands may serve");
    let late = yard.begun(keep(4, 8), works.clone());
    assert_eq!((pool.ready(), late.ready(), works.attempts.load(SeqCst)), (3, 0, 4));
    assert!(yard.keeper.stagehand().take_thread().is_none());
}

#[test]
fn failures_and_panics_are_tried_again_later_and_leave_nothing() {
    let yard = Yard::new(8);
    let works = Works { fails: Arc::new(3.into()), ..yard.works() };
    let started = Instant::now();
    let pool = yard.begun(keep(1, 1), works.clone());
    until("the first one fails", || works.fails.load(SeqCst) == 2);
    until("it leaves nothing", || yard.keeper.room().is_idle() && pool.shelf.lock().live == 0);
    until("the fourth one stands", || pool.ready() == 1);
    assert_eq!(works.attempts.load(SeqCst), 4);
    assert!(started.elapsed() >= Duration::from_millis(100 + 200 + 400), "each pause is longer");
}

#[test]
fn making_them_takes_half_a_core_at_most() {
    let yard = Yard::new(8);
    let started = Instant::now();
    let pool = yard.begun(keep(5, 8), Works { takes: Duration::from_millis(10), ..yard.works() });
    until("all stand", || pool.ready() == 5);
    assert!(started.elapsed() >= Duration::from_millis(5 * 10 + 4 * 10), "{:?}", started.elapsed());
}

#[test]
fn they_give_way_to_running_events_but_not_for_ever() {
    let yard = Yard::new(8);
    let running: Vec<_> = (0..CORES).map(|_| yard.clock.face().run(0).unwrap()).collect();
    let pool = yard.begun(keep(4, 8), yard.works());
    until("the first one stands", || pool.ready() == 1);
    let since = Instant::now();
    until("all stand", || pool.ready() == 4);
    assert!(since.elapsed() >= Duration::from_millis(100), "{:?}", since.elapsed());
    drop(running);
}

#[test]
fn each_function_has_its_turn() {
    let yard = Yard::new(16);
    let slow = Works { takes: Duration::from_millis(20), ..yard.works() };
    let first = yard.begun(keep(8, 8), slow.clone());
    let second = yard.begun(keep(1, 8), yard.works());
    until("the second one need not wait for all of the first", || second.ready() == 1);
    assert!(first.ready() < 8);
}

#[test]
fn threads_that_cancel_and_finish_at_random_share_them_and_leave_nothing() {
    let yard = Yard::new(5);
    let kinds = [(1, 2), (3, 2), (1, 1)];
    let keeps = kinds.map(|(max_uses, prepared)| Keep { max_uses, ..keep(prepared, 2) });
    let pools = keeps.map(|keep| yard.begun(keep, yard.works()));
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let (yard, pools) = (&yard, &pools);
            scope.spawn(move || {
                for round in 0..1_000_usize {
                    let pool = &pools[(thread + round) % 3];
                    pool.set_heavy(round % 100 > 50);
                    let tenant = tenant(["a", "b"][round % 2]);
                    if round % 5 == 0 {
                        let mut left = pin!(pool.checkout(&tenant, thread, need()));
                        let _ = pending(&mut left);
                    } else {
                        let (lease, _) = yard.lease(pool, &tenant);
                        assert!(yard.live() <= 5, "no more guests than places");
                        if round % 3 == 0 { drop(lease) } else { lease.release(tenant, Instant::now()) }
                    }
                }
            });
        }
    });
    pools.iter().for_each(|pool| pool.close());
    until("all is left as it was", || yard.live() == 0 && yard.keeper.room().is_idle());
    until("nobody is counted", || pools.iter().all(|pool| pool.shelf.lock().live == 0));
}
