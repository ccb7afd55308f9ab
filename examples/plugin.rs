//! A host application with an extension point, a plug-in that behaves, one that does not, and what the host sees.
//!
//!     cargo run --release --example plugin
//!
//! A shop lets others compute prices. A plug-in gets an order, may ask the shop for a unit price, and answers the
//! total: `examples/guests/plugin-good` does, `examples/guests/plugin-bad` tries everything else.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use fnhost::{Context, Error, ErrorKind, Event, Failure, Function, Handler, Runtime};
use serde::{Deserialize, Serialize};

const GOOD: &[u8] = include_bytes!("guests/plugin-good.wasm");
const BAD: &[u8] = include_bytes!("guests/plugin-bad.wasm");

static PRICES: LazyLock<BTreeMap<&str, u64>> = LazyLock::new(|| BTreeMap::from([("A-1", 250), ("B-2", 999)]));

#[derive(Serialize)]
struct Order {
    sku: &'static str,
    quantity: u64,
}

#[derive(Deserialize)]
struct Total {
    discount_percent: u64,
    total_cents: u64,
}

#[derive(Deserialize)]
struct Lookup {
    sku: String,
}

#[derive(Serialize)]
struct Price {
    unit_cents: u64,
}

fn main() -> Result<(), Error> {
    // Someone may want to keep count of what plug-ins cost: an observer hears the report of every event.
    let heard = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&heard);
    let runtime = Runtime::builder()
        .observer(move |_| {
            count.fetch_add(1, SeqCst);
        })
        .build()?;

    let good = deploy(&runtime, plugin("good", GOOD))?;
    let bad = deploy(&runtime, plugin("bad", BAD))?;

    println!("The plug-in that behaves:\n");
    price(&good, "A-1", 12, (10, 2_700))?;
    price(&good, "B-2", 1, (0, 999))?;
    let error = good.invoke_blocking(order("C-3", 1)?).expect_err("there is no such thing");
    println!("  1 of C-3: {error}\n");
    assert!(matches!(error.kind(), ErrorKind::Failed(failure) if failure.kind() == "unknown-sku"));

    println!("The one that does not, while the other goes on:\n");
    let others = thread::spawn(move || sell_on(&good));
    misbehave(&bad)?;
    let sold = others.join().expect("the other plug-in is not disturbed")?;
    println!("Meanwhile the other plug-in has priced {sold} orders, each as it should.");
    assert_eq!(heard.load(SeqCst), 3 + 5 + sold, "the observer heard of every event, however it ended");
    Ok(())
}

/// The extension point: what each plug-in may use, and how much of it.
fn plugin(name: &str, code: &'static [u8]) -> Function {
    Function::wasm(name, code)
        .memory(16 << 20)
        .timeout(Duration::from_millis(200))
        .grant_json("price.lookup", look_up)
}

/// The one thing of the shop that a plug-in may ask for.
async fn look_up(lookup: Lookup, _: Context) -> Result<Price, Failure> {
    let price = PRICES.get(lookup.sku.as_str());
    let unknown = || Failure::new("unknown-sku", format!("the shop does not sell {:?}", lookup.sku));
    price.map(|cents| Price { unit_cents: *cents }).ok_or_else(unknown)
}

fn deploy(runtime: &Runtime, function: Function) -> Result<Handler, Error> {
    let deployed = runtime.block_on(runtime.deploy(function))?;
    println!("Plug-in {:?} compiled in {:.0?}.", deployed.name(), deployed.compile_time());
    runtime.handler(deployed.name())
}

fn order(sku: &'static str, quantity: u64) -> Result<Event, Error> {
    Event::json("order.priced", &Order { sku, quantity })
}

fn price(plugin: &Handler, sku: &'static str, pieces: u64, expected: (u64, u64)) -> Result<(), Error> {
    let response = plugin.invoke_blocking(order(sku, pieces)?)?;
    let total: Total = response.json()?;
    println!("  {pieces} of {sku}: {} cents, {} % off", total.total_cents, total.discount_percent);
    assert_eq!((total.discount_percent, total.total_cents), expected);
    Ok(())
}

/// Tells whether the host sees what it should.
type Expected = fn(&ErrorKind) -> bool;

/// Makes the plug-in try one thing after the other; the quantity says what.
fn misbehave(plugin: &Handler) -> Result<(), Error> {
    let tries: [(u64, &str, Expected); 5] = [
        (13, "never ends", |kind| matches!(kind, ErrorKind::TimedOut { .. })),
        (14, "takes all memory", |kind| matches!(kind, ErrorKind::MemoryExceeded { .. })),
        (15, "panics", |kind| matches!(kind, ErrorKind::Trapped { .. })),
        (16, "reads a file of the host", |kind| matches!(kind, ErrorKind::Failed(_))),
        (
            17,
            "calls what was not granted",
            |kind| matches!(kind, ErrorKind::Failed(failure) if failure.kind() == "not-granted"),
        ),
    ];
    for (quantity, what, is_expected) in tries {
        let error = plugin.invoke_blocking(order("A-1", quantity)?).expect_err("it misbehaves");
        println!("  It {what}:\n    {error}");
        let report = error.report().expect("every event has a report");
        println!("    after {:.1?}, at most {} KiB of memory", report.total, report.peak_memory >> 10);
        if !report.log_tail.is_empty() {
            // A guest wrote this: printed as a debug string it cannot move the cursor or forge lines.
            println!("    its log ends with {:?}", report.log_tail.trim_end());
        }
        println!();
        assert!(is_expected(error.kind()), "{quantity}: {error:?}");
    }
    let stats = plugin.stats()?;
    assert_eq!((stats.live, stats.running), (0, 0), "nothing of it is left");
    Ok(())
}

/// Prices orders for half a second; each must be right, whatever other plug-ins do.
fn sell_on(plugin: &Handler) -> Result<u64, Error> {
    let (started, mut sold) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_millis(500) {
        let response = plugin.invoke_blocking(order("A-1", 10)?)?;
        assert_eq!(response.json::<Total>()?.total_cents, 2_250);
        sold += 1;
        thread::sleep(Duration::from_millis(1));
    }
    Ok(sold)
}
