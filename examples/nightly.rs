//! A shop that books its sales in batches, and closes its books every night at three, in the time of Berlin.
//!
//!     cargo run --release --example nightly               in real time; a night comes every five seconds
//!     cargo run --release --example nightly -- --check    with a clock that is moved by hand through a week
//!
//! `--check` goes through the night in which summer time begins, closes the shop for three nights and opens it again (a missed
//! night is made up for once), and lets a stocktaking last longer than the hour after which it comes again.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use fnhost::testing::ManualClock;
use fnhost::{
    Batch, Broker, Context, Event, Function, Missed, Overlap, Response, Runtime, ScheduleTrigger, Trigger,
};
use tokio::sync::Semaphore;

type Problem = Box<dyn std::error::Error + Send + Sync>;

const HOUR: Duration = Duration::from_secs(3600);
/// Friday, 27 March 2026, 20:00 in Berlin.
const FRIDAY: Duration = Duration::from_secs(1_774_638_000);
/// How long `--check` waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the functions tell.
#[derive(Debug, PartialEq)]
enum Told {
    Booked(usize),
    Closed { night: String, sales: usize },
    Counting,
}

fn main() -> Result<(), Problem> {
    match std::env::args().any(|word| word == "--check") {
        true => check(),
        false => live(),
    }
}

/// Lets ten sales a second flow for half a minute.
fn live() -> Result<(), Problem> {
    let runtime = Runtime::new()?;
    let (tell, _told) = channel();
    open(&runtime, &tell, Arc::new(Semaphore::new(1)))?;
    runtime.block_on(runtime.add_trigger("night", night("*/5 * * * * *")))?;
    for sale in 0..300 {
        runtime.block_on(runtime.queue("sales")?.publish(Event::json("sale", &sale)?))?;
        std::thread::sleep(Duration::from_millis(100));
    }
    runtime.block_on(runtime.shutdown(HOUR));
    Ok(())
}

/// Deploys the functions, and has sales booked in batches.
fn open(runtime: &Runtime, tell: &Sender<Told>, shelves: Arc<Semaphore>) -> Result<(), Problem> {
    let till = Arc::new(Mutex::new(0));
    let book = {
        let (till, tell) = (Arc::clone(&till), tell.clone());
        Function::native("book", move |batch: Event, _| {
            let sales = batch.batch().map(|sales| sales.len());
            let booked = sales.map(|sales| {
                *till.lock().expect("nobody panics with the till") += sales;
                println!("  booked {sales} sales together");
                say(&tell, Told::Booked(sales));
                Response::new()
            });
            std::future::ready(booked.map_err(Into::into))
        })
    };
    let close = {
        let tell = tell.clone();
        Function::native("close", move |night: Event, _| {
            let sales = std::mem::take(&mut *till.lock().expect("nobody panics with the till"));
            println!("{}: {sales} sales", night.id());
            say(&tell, Told::Closed { night: night.time().unwrap_or_default().into(), sales });
            std::future::ready(Ok(Response::new()))
        })
    };
    runtime.block_on(async {
        for function in [book, close, stocktaking(tell.clone(), shelves)] {
            runtime.deploy(function).await?;
        }
        let batches = Batch::of(100).window(Duration::from_millis(200));
        runtime.add_trigger("book", Trigger::queue("sales").to("book").batch(batches)).await?;
        Ok(())
    })
}

/// Returns what lasts until there is a shelf to be counted.
fn stocktaking(tell: Sender<Told>, shelves: Arc<Semaphore>) -> Function {
    Function::native("stocktaking", move |_: Event, _: Context| {
        let (tell, shelves) = (tell.clone(), Arc::clone(&shelves));
        async move {
            say(&tell, Told::Counting);
            shelves.acquire().await?.forget();
            Ok(Response::new())
        }
    })
    .timeout(PATIENCE)
}

fn say(tell: &Sender<Told>, what: Told) {
    // In real time nobody listens.
    let _ = tell.send(what);
}

fn night(expression: &str) -> ScheduleTrigger {
    Trigger::cron(expression, "Europe/Berlin").to("close").missed(Missed::Once)
}

/// A shop whose clock is moved by hand.
struct Shop {
    runtime: Runtime,
    clock: ManualClock,
    told: Receiver<Told>,
    shelves: Arc<Semaphore>,
}

fn check() -> Result<(), Problem> {
    let folder = std::env::temp_dir().join(format!("fnhost-nightly-{}", std::process::id()));
    let clock = ManualClock::at(SystemTime::UNIX_EPOCH + FRIDAY);
    let shop = Shop::open(&folder, &clock)?;
    shop.sell(250)?;
    shop.expect_night(7, "2026-03-28T02:00:00.000Z", 250)?;
    shop.sell(30)?;
    println!("Summer time begins: this night is an hour shorter.");
    shop.expect_night(23, "2026-03-29T01:00:00.000Z", 30)?;
    shop.expect_night(24, "2026-03-30T01:00:00.000Z", 0)?;
    shop.runtime.block_on(shop.runtime.shutdown(PATIENCE));

    println!("The shop is closed for three nights and half a day, and opens again.");
    clock.advance(84 * HOUR);
    let shop = Shop::open(&folder, &clock)?;
    shop.expect(&Told::Closed { night: "2026-04-02T01:00:00.000Z".into(), sales: 0 })?;
    shop.expect_night(12, "2026-04-03T01:00:00.000Z", 0)?;
    shop.overlap()?;
    shop.runtime.block_on(shop.runtime.shutdown(PATIENCE));
    std::fs::remove_dir_all(folder)?;
    println!("Everything is as it should be.");
    Ok(())
}

impl Shop {
    fn open(folder: &PathBuf, clock: &ManualClock) -> Result<Self, Problem> {
        let runtime = Runtime::builder().broker(Broker::embedded(folder)).clock(clock).build()?;
        let (tell, told) = channel();
        let shelves = Arc::new(Semaphore::new(0));
        open(&runtime, &tell, Arc::clone(&shelves))?;
        runtime.block_on(runtime.add_trigger("night", night("0 3 * * *")))?;
        Ok(Self { runtime, clock: clock.clone(), told, shelves })
    }

    /// Publishes sales, and waits until all are booked.
    fn sell(&self, sales: usize) -> Result<(), Problem> {
        let queue = self.runtime.queue("sales")?;
        let events = (0..sales).map(|sale| Event::json("sale", &sale));
        self.runtime.block_on(queue.publish_all(events.collect::<Result<Vec<_>, _>>()?))?;
        let mut booked = 0;
        while booked < sales {
            match self.told.recv_timeout(PATIENCE)? {
                Told::Booked(some) => booked += some,
                other => return Err(format!("{other:?} instead of sales").into()),
            }
        }
        Ok(())
    }

    fn expect(&self, wanted: &Told) -> Result<(), Problem> {
        let told = self.told.recv_timeout(PATIENCE).map_err(|_| format!("nothing instead of {wanted:?}"))?;
        if told == *wanted { Ok(()) } else { Err(format!("{told:?} instead of {wanted:?}").into()) }
    }

    /// Moves the clock to the night, once the schedule waits for it.
    fn expect_night(&self, hours: u32, night: &str, sales: usize) -> Result<(), Problem> {
        self.advance(hours)?;
        self.expect(&Told::Closed { night: night.into(), sales })
    }

    fn advance(&self, hours: u32) -> Result<(), Problem> {
        self.await_tick(hours)?;
        self.clock.advance(hours * HOUR);
        Ok(())
    }

    /// Waits until all that is due now has been submitted, and the next tick is waited for.
    fn await_tick(&self, hours: u32) -> Result<(), Problem> {
        let then = self.clock.now() + hours * HOUR;
        let began = Instant::now();
        while self.clock.next_wait() != Some(then) {
            if began.elapsed() > PATIENCE {
                return Err(format!("waited for is {:?} and not {then:?}", self.clock.next_wait()).into());
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Has the stocktaking last for three hours: the hours at which it goes on are left out.
    fn overlap(&self) -> Result<(), Problem> {
        let hourly = Trigger::every(HOUR).to("stocktaking").overlap(Overlap::Skip);
        self.runtime.block_on(self.runtime.add_trigger("stocktaking", hourly))?;
        self.advance(1)?;
        self.expect(&Told::Counting)?;
        self.advance(1)?;
        self.advance(1)?;
        self.await_tick(1)?;
        if let Ok(told) = self.told.recv_timeout(Duration::from_millis(200)) {
            return Err(format!("{told:?} while the stocktaking goes on").into());
        }
        self.shelves.add_permits(1);
        println!("A stocktaking of three hours: two that would have begun meanwhile were left out.");
        Ok(())
    }
}
