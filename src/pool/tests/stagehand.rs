//! What one pool's guests do to the others, and to the one who works for all.

use super::prepared::{Works, keep};
use super::*;
use crate::error::ErrorKind;
use crate::pool::stagehand::Backstage;

/// Wants nothing, and counts how often it is asked.
#[derive(Default)]
struct Onlooker(AtomicUsize);

impl Backstage for Onlooker {
    fn clear_one(&self) -> bool {
        self.0.fetch_add(1, SeqCst);
        false
    }

    fn wants(&self, _: Instant) -> Option<Instant> {
        self.0.fetch_add(1, SeqCst);
        None
    }

    fn is_failing(&self) -> bool {
        false
    }

    fn refill(&self) {}
}

/// Wants three guests.
struct InNeed {
    name: &'static str,
    is_failing: bool,
    due: Instant,
    turns: Arc<Mutex<Vec<&'static str>>>,
}

impl Backstage for InNeed {
    fn clear_one(&self) -> bool {
        false
    }

    fn wants(&self, _: Instant) -> Option<Instant> {
        let had = self.turns.lock().iter().filter(|name| **name == self.name).count();
        (had < 3).then_some(self.due)
    }

    fn is_failing(&self) -> bool {
        self.is_failing
    }

    fn refill(&self) {
        self.turns.lock().push(self.name);
        assert_ne!(self.name, "panics", "as it was told to");
    }
}

impl Yard {
    fn onlooker(&self) -> Arc<Onlooker> {
        let onlooker = Arc::<Onlooker>::default();
        self.keeper.stagehand().enlist(Arc::downgrade(&onlooker) as _);
        until("it is known", || onlooker.0.load(SeqCst) > 0);
        onlooker
    }
}

/// Panics when the first one is dropped.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(self.0.fetch_add(1, SeqCst) > 0, "as it was told to");
    }
}

fn bomb<'a>(pool: &'a Pool<Bomb>, drops: &Arc<AtomicUsize>) -> Lease<'a, Bomb> {
    let Ok(Seat::Empty(vacancy)) = block_on(pool.checkout(&None, 0, need())) else { panic!("none is kept") };
    vacancy.fill(Bomb(Arc::clone(drops)), need())
}

/// Cannot even tell what it needs.
struct Ruin;

impl Factory<Toy> for Ruin {
    fn function(&self) -> &str {
        "ruin"
    }

    fn need(&self) -> Amount {
        panic!("as it was told to")
    }

    fn make(&self, _: usize, _: Amount) -> Result<(Toy, Amount), ErrorKind> {
        Err(ErrorKind::ShuttingDown)
    }
}

#[test]
fn guests_that_take_long_to_make_keep_only_their_own_function_waiting() {
    let yard = Yard::new(16);
    let slow = Works { takes: Duration::from_secs(1), ..yard.works() };
    let attempts = Arc::clone(&slow.attempts);
    let started = Instant::now();
    let first = yard.begun(keep(4, 4), slow);
    until("one is being made", || attempts.load(SeqCst) == 1);
    let second = yard.begun(keep(8, 8), yard.works());
    until("the others stand", || second.ready() == 8);
    assert!(started.elapsed() < Duration::from_millis(1_800), "{:?}", started.elapsed());
    assert_eq!((first.ready(), attempts.load(SeqCst)), (1, 1), "it rests as long as it took");
}

#[test]
fn who_failed_stands_behind_the_others() {
    let (yard, turns) = (Yard::new(16), Arc::<Mutex<Vec<&str>>>::default());
    let due = Instant::now() + Duration::from_millis(300);
    let in_need = |name, is_failing| InNeed { name, is_failing, due, turns: Arc::clone(&turns) };
    let both = [Arc::new(in_need("failed", true)), Arc::new(in_need("made", false))];
    both.iter().for_each(|pool| yard.keeper.stagehand().enlist(Arc::downgrade(pool) as _));
    until("all had their turns", || turns.lock().len() == 6);
    assert_eq!(*turns.lock(), ["made", "made", "made", "failed", "failed", "failed"]);
}

#[test]
fn while_one_takes_long_to_make_nothing_is_left_to_the_stagehand() {
    let yard = Yard::new(16);
    let pool: Arc<Pool<Toy>> = yard.pool_of(keep(0, 16));
    pool.set_heavy(true);
    let works = yard.works();
    let shut = works.shut.lock();
    let _slow = yard.begun(keep(1, 1), works.clone());
    until("it is being made", || works.attempts.load(SeqCst) == 1);
    until("it takes long", || !yard.keeper.stagehand().is_free());
    yard.lease(&pool, &None).0.release(None, Instant::now());
    assert_eq!((pool.shelf.lock().spent.len(), yard.live()), (0, 0));
    drop(shut);
    until("it has time again", || yard.keeper.stagehand().is_free());
}

#[test]
fn clearing_a_guest_away_asks_no_other_pool() {
    let yard = Yard::new(16);
    let onlooker = yard.onlooker();
    let pool: Arc<Pool<Toy>> = yard.pool_of(keep(0, 16));
    let asked = onlooker.0.load(SeqCst);
    for _ in 0..50 {
        pool.set_heavy(true);
        yard.lease(&pool, &None).0.release(None, Instant::now());
        until("it is gone", || yard.keeper.room().is_idle());
    }
    assert_eq!(onlooker.0.load(SeqCst), asked);
}

#[test]
fn nobody_is_called_for_what_may_not_be_made_yet() {
    let yard = Yard::new(16);
    let onlooker = yard.onlooker();
    let failing = Works { fails: Arc::new(100.into()), ..yard.works() };
    let pool = yard.begun(keep(1, 8), failing.clone());
    until("it has failed thrice", || failing.attempts.load(SeqCst) == 3);
    until("it pauses", || pool.wants(Instant::now()).is_some_and(|due| due > Instant::now()));
    let asked = onlooker.0.load(SeqCst);
    let until = Instant::now() + Duration::from_millis(200);
    while Instant::now() < until {
        drop(yard.lease(&pool, &None));
    }
    assert!(onlooker.0.load(SeqCst) - asked <= 3, "{} looks", onlooker.0.load(SeqCst) - asked);
}

#[test]
fn pools_that_are_gone_are_forgotten() {
    let yard = Yard::new(16);
    drop(yard.onlooker());
    let _other = yard.onlooker();
    until("it is forgotten", || yard.keeper.stagehand().crew.lock().pools.len() == 1);
}

#[test]
fn a_guest_that_panics_when_it_is_dropped_hurts_nobody_else() {
    let yard = Yard::new(16);
    let (pool, drops) = (yard.pool_of::<Bomb>(keep(0, 16)), Arc::default());
    pool.set_heavy(true);
    bomb(&pool, &drops).release(None, Instant::now());
    until("its room is free", || yard.keeper.room().is_idle());
    assert_eq!((pool.tally().sums(), pool.shelf.lock().live), ((1, 1, 1), 0));
    let other = yard.begun(keep(2, 2), yard.works());
    until("the thread goes on", || other.ready() == 2);
}

#[test]
fn an_idle_guest_that_panics_when_it_is_dropped_leaves_the_keeper_at_work() {
    let yard = Yard::new(16);
    let keep = Keep { max_uses: 9, idle_timeout: Duration::from_millis(20), ..keep(0, 16) };
    let (pool, drops) = (yard.pool_of::<Bomb>(keep), Arc::default());
    let (first, second) = (bomb(&pool, &drops), bomb(&pool, &drops));
    first.release(None, Instant::now());
    until("the first one's room is free", || yard.keeper.room().out().units() == 1);
    second.release(None, Instant::now());
    until("the second one goes too", || yard.keeper.room().is_idle());
    assert_eq!(drops.load(SeqCst), 2);
}

#[test]
fn a_factory_that_panics_is_tried_again_later_and_leaves_the_others_alone() {
    let yard = Yard::new(16);
    let pool = yard.pool_of::<Toy>(keep(1, 1));
    pool.prepare_with(Box::new(Ruin));
    until("it panics", || pool.shelf.lock().order.is_failing());
    until("nobody is counted", || pool.shelf.lock().live == 0);
    let other = yard.begun(keep(2, 2), yard.works());
    until("the thread goes on", || other.ready() == 2);
}

#[test]
fn a_turn_that_panics_is_not_the_last() {
    let (yard, turns) = (Yard::new(16), Arc::<Mutex<Vec<&str>>>::default());
    let pool = Arc::new(InNeed {
        name: "panics",
        is_failing: false,
        due: Instant::now(),
        turns: Arc::clone(&turns),
    });
    yard.keeper.stagehand().enlist(Arc::downgrade(&pool) as _);
    let started = Instant::now();
    until("it had all turns", || turns.lock().len() == 3);
    assert!(started.elapsed() >= Duration::from_millis(80), "not at once");
    until("it rests", || yard.keeper.stagehand().is_free());
}

#[test]
fn nothing_is_left_to_it_from_before_its_last_look_on() {
    let yard = Yard::new(16);
    let stagehand = yard.keeper.stagehand();
    stagehand.start();
    let crew = stagehand.crew.lock();
    std::thread::scope(|scope| {
        scope.spawn(|| stagehand.close());
        until("it says so before it closes", || !stagehand.works());
        drop(crew);
    });
    stagehand.take_thread().unwrap().join().unwrap();
}

#[test]
fn the_latest_lanes_are_remembered() {
    let yard = Yard::new(4);
    let pool = Pool::<Toy>::new(Arc::clone(&yard.keeper), keep(1, 4), 1000);
    let mut shelf = pool.shelf.lock();
    (0..100).for_each(|lane| shelf.order.note(lane, Instant::now()));
    assert_eq!([shelf.order.next_lane(), shelf.order.next_lane()], [36, 37]);
}

#[test]
fn a_kept_guest_is_near_whatever_number_its_lane_had() {
    let yard = Yard::new(8);
    let pool = yard.pool(10, 8);
    let seats = [0, 1].map(|lane| block_on(pool.checkout(&None, lane, need())).unwrap());
    for seat in seats {
        let Seat::Empty(vacancy) = seat else { panic!("none is kept") };
        vacancy.fill(Toy::new(&yard.live), need()).release(None, Instant::now());
    }
    let Some(Seat::Taken(lease)) = pool.try_checkout(&None, 2, need()) else { panic!("two are kept") };
    assert_eq!(lease.lane, 0, "of two lanes");
    drop(lease);
}
