//! Guests that end off the path of their event.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// Says which thread drops it, once it may.
struct Heavy {
    shut: Arc<Mutex<()>>,
    ended: Sender<Option<String>>,
}

impl Drop for Heavy {
    fn drop(&mut self) {
        drop(self.shut.lock());
        let _ = self.ended.send(std::thread::current().name().map(String::from));
    }
}

/// Makes heavy guests, and hears of their end.
struct Foundry {
    shut: Arc<Mutex<()>>,
    sender: Sender<Option<String>>,
    ended: Receiver<Option<String>>,
}

impl Foundry {
    fn new() -> Self {
        let (sender, ended) = channel();
        Self { shut: Arc::default(), sender, ended }
    }

    fn lease<'a>(&self, pool: &'a Pool<Heavy>) -> Lease<'a, Heavy> {
        let Ok(Seat::Empty(vacancy)) = block_on(pool.checkout(&None, 0, need())) else {
            panic!("none is kept")
        };
        vacancy.fill(Heavy { shut: Arc::clone(&self.shut), ended: self.sender.clone() }, need())
    }

    /// Serves an event.
    fn serve(&self, pool: &Pool<Heavy>) {
        self.lease(pool).release(None, Instant::now());
    }

    fn ended_by(&self) -> Option<String> {
        self.ended.recv_timeout(Duration::from_secs(10)).expect("a guest ends")
    }
}

fn own_name() -> Option<String> {
    std::thread::current().name().map(String::from)
}

fn heavy(yard: &Yard, most: usize) -> Arc<Pool<Heavy>> {
    let keep = Keep { max_uses: 1, idle_timeout: Duration::from_secs(60), most, prepared: 0 };
    let pool = yard.pool_of(keep);
    pool.set_heavy(true);
    pool
}

#[test]
fn guests_that_take_long_to_drop_are_left_to_the_stagehand() {
    let (yard, foundry) = (Yard::new(8), Foundry::new());
    let pool = heavy(&yard, 8);
    foundry.serve(&pool);
    assert_eq!(foundry.ended_by().as_deref(), Some("fnhost-prepare"));
    until("its room is free", || yard.keeper.room().is_idle());
    assert_eq!((pool.tally().sums(), pool.shelf.lock().live), ((1, 1, 1), 0));
}

#[test]
fn a_guest_whose_call_was_cut_off_ends_with_its_lease() {
    let (yard, foundry) = (Yard::new(8), Foundry::new());
    let pool = heavy(&yard, 8);
    drop(foundry.lease(&pool));
    assert_eq!(foundry.ended_by(), own_name());
    assert!(yard.keeper.room().is_idle());
}

#[test]
fn until_it_has_come_they_live_and_hold_their_room() {
    let (yard, foundry) = (Yard::new(8), Foundry::new());
    let pool = heavy(&yard, 8);
    let shut = foundry.shut.lock();
    foundry.serve(&pool);
    assert_eq!((pool.tally().sums(), yard.keeper.room().out().units()), ((1, 0, 1), 1));
    drop(shut);
    foundry.ended_by();
    until("its room is free", || yard.keeper.room().is_idle());
}

#[test]
fn who_waits_for_room_clears_them_away() {
    let (yard, foundry) = (Yard::new(4), Foundry::new());
    let pool = heavy(&yard, 8);
    let (first, second) = (foundry.lease(&pool), foundry.lease(&pool));
    let shut = foundry.shut.lock();
    first.release(None, Instant::now());
    until("the stagehand has the first one in hand", || pool.shelf.lock().spent.is_empty());
    second.release(None, Instant::now());
    assert_eq!(pool.shelf.lock().spent.len(), 1);
    let other = yard.pool(1, 8);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| drop(block_on(other.checkout(&None, 0, Amount::new(3, 0)))));
        until("the second one is taken in hand too", || pool.shelf.lock().spent.is_empty());
        drop(shut);
        waiting.join().unwrap();
    });
    let ended = [foundry.ended_by(), foundry.ended_by()];
    assert!(ended.iter().any(|name| name.as_deref() != Some("fnhost-prepare")), "{ended:?}");
}

#[test]
fn nothing_is_left_to_it_while_somebody_waits_or_room_is_short_or_it_is_closed() {
    let (yard, foundry) = (Yard::new(3), Foundry::new());
    let pool = heavy(&yard, 8);
    let (first, second) = (foundry.lease(&pool), foundry.lease(&pool));
    first.release(None, Instant::now());
    assert_eq!(foundry.ended_by(), own_name(), "two of three places were taken");
    {
        let mut waiting = pin!(pool.checkout(&None, 0, Amount::new(3, 0)));
        assert!(pending(&mut waiting));
        second.release(None, Instant::now());
        assert_eq!(foundry.ended_by(), own_name());
        assert!(!pending(&mut waiting));
    }
    yard.keeper.stagehand().close();
    foundry.serve(&pool);
    assert_eq!(foundry.ended_by(), own_name());
    assert!(yard.keeper.room().is_idle());
}

#[test]
fn where_events_run_on_all_cores_they_end_with_their_event() {
    let (yard, foundry) = (Yard::new(8), Foundry::new());
    let pool = heavy(&yard, 8);
    let ended_by = |times: usize| {
        let serve = |_, _| {
            // As it is dropped fast, it would not stay heavy.
            pool.set_heavy(true);
            foundry.serve(&pool);
            foundry.ended_by()
        };
        (0..times).fold(None, serve)
    };
    let running = yard.clock.face().run(0).unwrap();
    assert_eq!(
        ended_by(1).as_deref(),
        Some("fnhost-prepare"),
        "one that runs at the same time may be chance"
    );
    assert_eq!(ended_by(20), own_name(), "but not so often");
    drop(running);
    assert_eq!(ended_by(20).as_deref(), Some("fnhost-prepare"), "when it is over a core is left");
}

#[test]
fn they_never_outnumber_what_may_live() {
    let (yard, foundry) = (Yard::new(100), Foundry::new());
    let pool = heavy(&yard, 3);
    let shut = foundry.shut.lock();
    let leases = [foundry.lease(&pool), foundry.lease(&pool)];
    leases.into_iter().for_each(|lease| lease.release(None, Instant::now()));
    until("the stagehand has one in hand", || pool.shelf.lock().spent.len() == 1);
    // The one in hand counts no more, and the other one has to go for the third.
    let (first, second) = (foundry.lease(&pool), foundry.lease(&pool));
    assert_eq!(pool.shelf.lock().live, 3);
    std::thread::scope(|scope| {
        scope.spawn(|| drop(block_on(pool.checkout(&None, 0, need()))));
        until("the one that waits goes", || pool.shelf.lock().spent.is_empty());
        assert_eq!(pool.shelf.lock().live, 3);
        drop(shut);
    });
    drop((first, second));
}

#[test]
fn only_so_many_wait() {
    let (yard, foundry) = (Yard::new(200), Foundry::new());
    let pool = heavy(&yard, 200);
    let mut leases: Vec<_> = (0..40).map(|_| foundry.lease(&pool)).collect();
    let shut = foundry.shut.lock();
    let release = |lease: Lease<'_, Heavy>| lease.release(None, Instant::now());
    leases.pop().map(release);
    until("the stagehand has the first one in hand", || pool.shelf.lock().spent.is_empty());
    let dropping = std::thread::scope(|scope| {
        let dropping = scope.spawn(|| leases.into_iter().for_each(release));
        until("as many wait as may", || pool.shelf.lock().spent.len() == 4);
        assert!(!dropping.is_finished(), "the next one is dropped by who brings it");
        drop(shut);
        dropping.join()
    });
    dropping.unwrap();
    until("all are gone", || yard.keeper.room().is_idle());
}

#[test]
fn closing_leaves_none_behind() {
    let (yard, foundry) = (Yard::new(100), Foundry::new());
    let pool = heavy(&yard, 50);
    let leases: Vec<_> = (0..20).map(|_| foundry.lease(&pool)).collect();
    leases.into_iter().for_each(|lease| lease.release(None, Instant::now()));
    yard.keeper.stagehand().close();
    yard.keeper.stagehand().take_thread().unwrap().join().unwrap();
    assert_eq!((pool.tally().sums(), yard.keeper.room().is_idle()), ((20, 20, 20), true));
}

#[test]
fn the_fastest_of_a_window_says_whether_guests_are_heavy() {
    let yard = Yard::new(8);
    let pool = yard.pool(1, 8);
    let long = Duration::from_millis(5);
    let mut weight = Weight::default();
    let note = |weight: &mut Weight, times: &[Duration]| {
        times.iter().filter_map(|took| weight.note(*took)).next_back()
    };
    assert_eq!(note(&mut weight, &[long; 7]), None);
    assert_eq!(note(&mut weight, &[Duration::ZERO]), Some(false), "seven were held up");
    assert_eq!(note(&mut weight, &[long; 8]), Some(true));
    for _ in 0..8 {
        yard.lease(&pool, &None).0.release(None, Instant::now());
    }
    assert!(!pool.is_heavy(), "a toy is not");
    assert!(yard.keeper.stagehand().take_thread().is_none(), "and needs no thread");
}
