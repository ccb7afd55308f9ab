//! A pool of plain values.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Waker};
use std::time::Instant;

use super::*;
use crate::block_on::block_on;
use crate::clock::Clock;

mod prepared;
mod stagehand;
mod teardown;

/// Counts itself while it lives.
struct Toy(Arc<AtomicUsize>);

impl Toy {
    fn new(live: &Arc<AtomicUsize>) -> Self {
        live.fetch_add(1, SeqCst);
        Self(Arc::clone(live))
    }
}

impl Drop for Toy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// As if there were so many, whatever the machine has.
const CORES: usize = 2;

struct Yard {
    keeper: Arc<Keeper>,
    live: Arc<AtomicUsize>,
    clock: Clock,
}

impl Yard {
    fn new(places: u32) -> Self {
        let room = Arc::new(Gate::new(Amount::new(places, 1000), 1000));
        let clock = Clock::start(1, || ()).unwrap();
        let stagehand = Stagehand::new(Arc::clone(clock.face()), CORES);
        Self { keeper: Keeper::new(room, stagehand), live: Arc::default(), clock }
    }

    fn pool(&self, max_uses: u64, most: usize) -> Arc<Pool<Toy>> {
        self.pool_with(max_uses, most, Duration::from_secs(60))
    }

    fn pool_with(&self, max_uses: u64, most: usize, idle_timeout: Duration) -> Arc<Pool<Toy>> {
        self.pool_of(Keep { max_uses, idle_timeout, most, prepared: 0 })
    }

    fn pool_of<G: Send>(&self, keep: Keep) -> Arc<Pool<G>> {
        Pool::new(Arc::clone(&self.keeper), keep, 2)
    }

    fn lease<'a>(&self, pool: &'a Pool<Toy>, tenant: &Tenant) -> (Lease<'a, Toy>, bool) {
        match block_on(pool.checkout(tenant, 0, need())).unwrap() {
            Seat::Taken(lease) | Seat::Prepared(lease) => (lease, true),
            Seat::Empty(vacancy) => (vacancy.fill(Toy::new(&self.live), need()), false),
        }
    }

    fn live(&self) -> usize {
        self.live.load(SeqCst)
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        self.keeper.stagehand().close();
        let threads = [self.keeper.stagehand().take_thread(), self.keeper.close()];
        threads.into_iter().flatten().for_each(|thread| drop(thread.join()));
    }
}

/// Waits for something that another thread does.
#[track_caller]
fn until(what: &str, mut is_done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_done() {
        assert!(since.elapsed() < Duration::from_secs(10), "still waiting: {what}");
        std::thread::yield_now();
    }
}

fn need() -> Amount {
    Amount::new(1, 1)
}

fn tenant(name: &str) -> Tenant {
    Some(name.into())
}

fn pending<F: Future>(future: &mut Pin<&mut F>) -> bool {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[test]
fn a_released_guest_serves_again_and_a_dropped_lease_discards() {
    let yard = Yard::new(4);
    let pool = yard.pool(10, 4);
    let (lease, reused) = yard.lease(&pool, &None);
    assert!(!reused);
    lease.release(None, Instant::now());
    assert_eq!((yard.live(), pool.idle()), (1, 1));
    let (lease, reused) = yard.lease(&pool, &None);
    assert!(reused);
    drop(lease);
    assert_eq!((yard.live(), pool.idle(), yard.keeper.room().is_idle()), (0, 0, true));
    assert_eq!(pool.tally().sums(), (1, 1, 1));
}

#[test]
fn a_guest_serves_only_so_often() {
    let yard = Yard::new(4);
    let pool = yard.pool(2, 4);
    yard.lease(&pool, &None).0.release(None, Instant::now());
    yard.lease(&pool, &None).0.release(None, Instant::now());
    assert_eq!((yard.live(), pool.tally().sums()), (0, (1, 1, 2)));
}

#[test]
fn a_guest_never_serves_another_tenant_and_makes_way_for_it() {
    let yard = Yard::new(4);
    let pool = yard.pool(10, 1);
    let (a, b) = (tenant("a"), tenant("b"));
    yard.lease(&pool, &a).0.release(a.clone(), Instant::now());
    let (lease, reused) = yard.lease(&pool, &b);
    assert!(!reused);
    assert_eq!(yard.live(), 1, "with one guest at most, the other tenant's had to go first");
    lease.release(b.clone(), Instant::now());
    assert!(yard.lease(&pool, &b).1);
    let (lease, reused) = yard.lease(&pool, &None);
    assert!(!reused, "nobody's guest is nobody's only");
    drop(lease);
}

#[test]
fn an_idle_guest_of_another_pool_makes_way() {
    let yard = Yard::new(1);
    let (first, second) = (yard.pool(10, 1), yard.pool(10, 1));
    yard.lease(&first, &None).0.release(None, Instant::now());
    let (lease, _) = yard.lease(&second, &None);
    assert_eq!((yard.live(), first.idle()), (1, 0));
    drop(lease);
    assert!(yard.keeper.room().is_idle());
}

#[test]
fn a_guest_is_not_kept_while_somebody_waits_for_its_room() {
    let yard = Yard::new(1);
    let (first, second) = (yard.pool(10, 1), yard.pool(10, 1));
    let (lease, _) = yard.lease(&first, &None);
    let mut waiting = pin!(second.checkout(&None, 0, need()));
    assert!(pending(&mut waiting));
    lease.release(None, Instant::now());
    assert_eq!(first.idle(), 0);
    assert!(!pending(&mut waiting));
}

#[test]
fn a_vacancy_or_a_wait_that_is_dropped_leaves_nothing_behind() {
    let yard = Yard::new(1);
    let pool = yard.pool(10, 1);
    drop(block_on(pool.checkout(&None, 0, need())));
    let (lease, _) = yard.lease(&pool, &None);
    {
        let mut waiting = pin!(pool.checkout(&None, 0, need()));
        assert!(pending(&mut waiting));
    }
    drop(lease);
    assert!(yard.keeper.room().is_idle());
    assert_eq!(pool.shelf.lock().live, 0);
}

#[test]
fn idle_guests_go_after_their_time() {
    let yard = Yard::new(4);
    let pool = yard.pool_with(10, 4, Duration::from_millis(20));
    let started = Instant::now();
    yard.lease(&pool, &None).0.release(None, Instant::now());
    while yard.live() > 0 {
        assert!(started.elapsed() < Duration::from_secs(10), "the keeper forgot it");
        std::thread::yield_now();
    }
    assert!(started.elapsed() >= Duration::from_millis(20));
    // The room follows the guest, by a moment.
    while !yard.keeper.room().is_idle() {
        std::thread::yield_now();
    }
}

#[test]
fn closing_the_keeper_discards_idle_guests_and_keeps_none_after() {
    let yard = Yard::new(4);
    let pool = yard.pool(10, 4);
    yard.lease(&pool, &None).0.release(None, Instant::now());
    let (lease, _) = yard.lease(&pool, &tenant("late"));
    drop(yard.keeper.close().map(std::thread::JoinHandle::join));
    assert_eq!(yard.live(), 1);
    lease.release(tenant("late"), Instant::now());
    assert_eq!((yard.live(), yard.keeper.room().is_idle()), (0, true));
}

#[test]
fn what_a_guest_turns_out_not_to_need_is_given_back() {
    let yard = Yard::new(4);
    let pool = yard.pool(10, 4);
    let Ok(Seat::Empty(vacancy)) = block_on(pool.checkout(&None, 0, Amount::new(2, 500))) else {
        panic!("nothing was idle");
    };
    let lease = vacancy.fill(Toy::new(&yard.live), Amount::new(2, 3));
    assert_eq!(yard.keeper.room().out(), Amount::new(2, 3));
    drop(lease);
    assert!(yard.keeper.room().is_idle());
}

#[test]
fn threads_that_cancel_and_finish_at_random_leave_nothing() {
    let yard = Yard::new(2);
    let pools: Vec<_> = (0..3).map(|_| yard.pool(3, 2)).collect();
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let (yard, pools) = (&yard, &pools);
            scope.spawn(move || {
                for round in 0..1_000_usize {
                    let pool = &pools[(thread + round) % 3];
                    let tenant = tenant(["a", "b"][round % 2]);
                    if round % 5 == 0 {
                        let mut left = pin!(pool.checkout(&tenant, thread, need()));
                        let _ = pending(&mut left);
                    } else {
                        let (lease, _) = yard.lease(pool, &tenant);
                        assert!(yard.live() <= 2, "no more guests than places");
                        if round % 3 == 0 { drop(lease) } else { lease.release(tenant, Instant::now()) }
                    }
                }
            });
        }
    });
    pools.iter().for_each(|pool| pool.clear());
    assert_eq!((yard.live(), yard.keeper.room().is_idle()), (0, true));
}
