//! An ad server: a click is redirected at once, and what is to be done about it is done behind its back.
//!
//!     cargo run --release --example click_processor
//!     cargo run --release --example click_processor -- --check
//!
//! | what | does |
//! |---|---|
//! | `GET /ad/{id}` | publishes the click to the topic `clicks`, and redirects when it is on disk |
//! | subscription `count` | a guest in WebAssembly counts clicks in batches of up to 100 |
//! | subscription `archive` | a filter lets clicks pass that earn money; each becomes a line of a file |
//! | on failure | `alarm` hears of each click that was given up; it stays as a dead letter |
//!
//! The ad `spring` is on pages before anybody has booked it, so its clicks become dead letters. Once it is booked, they are
//! sent again, and nothing was lost. The guest's source is `examples/guests/clicks`.

mod books;
mod check;

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fnhost::http::Gateway;
use fnhost::{
    Batch, Broker, Context, Destination, Event, Failure, Filter, Function, Response, Retry, Runtime, Topic,
    Trigger,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use books::Books;

type Problem = Box<dyn std::error::Error + Send + Sync>;

const COUNT: &[u8] = include_bytes!("../guests/clicks.wasm");
/// Each ad with where it leads, and what a click of it earns.
const ADS: [(&str, &str, u32); 4] = [
    ("lamp", "https://shop.example/lamp", 25),
    ("radio", "https://shop.example/radio", 40),
    ("house", "https://ads.example/about", 0),
    ("spring", "https://garden.example/", 30),
];
/// Those that somebody has booked.
const BOOKED: [&str; 3] = ["house", "lamp", "radio"];

fn main() -> Result<(), Problem> {
    let is_check = std::env::args().any(|word| word == "--check");
    let folder = folder(is_check);
    std::fs::create_dir_all(&folder)?;
    let runtime = Runtime::builder().broker(Broker::embedded(folder.join("broker"))).build()?;
    let books = Arc::new(Books::open(&BOOKED));
    let gateway = runtime.block_on(open(&runtime, &books, &folder))?;
    let listener = TcpListener::bind(("127.0.0.1", if is_check { 0 } else { 8080 }))?;
    let address = listener.local_addr()?;
    println!(
        "Ads are served at http://{address}/ad/lamp, /radio, /house, /spring; kept in {}",
        folder.display()
    );

    let (close, closed) = oneshot::channel();
    let closer = thread::spawn({
        let (runtime, books) = (runtime.clone(), Arc::clone(&books));
        move || {
            let ended = if is_check { check::all(address, &runtime, &books) } else { wait() };
            // Whoever serves may be gone already, and then needs no sign.
            let _ = close.send(());
            ended
        }
    });
    runtime.block_on(gateway.serve(listener, async { drop(closed.await) }))?;
    let ended = closer.join().expect("the thread does not panic");
    // Clicks that nobody has counted yet wait in the folder for the next time.
    runtime.block_on(runtime.shutdown(Duration::from_secs(5)));
    println!("Closed: {}", books.line());
    if is_check {
        std::fs::remove_dir_all(&folder)?;
    }
    ended
}

fn folder(is_check: bool) -> PathBuf {
    match is_check {
        true => std::env::temp_dir().join(format!("fnhost-clicks-{}", std::process::id())),
        false => Path::new(env!("CARGO_MANIFEST_DIR")).join("target/click_processor"),
    }
}

/// Deploys the functions, and lets clicks flow to them.
async fn open(runtime: &Runtime, books: &Arc<Books>, folder: &Path) -> Result<Gateway, Problem> {
    let clicks = runtime.topic("clicks")?;
    let ad = move |_, context: Context| redirect(clicks.clone(), context);
    let ledger = Arc::clone(books);
    let count = Function::wasm("count", COUNT)
        .memory(16 << 20)
        .timeout(Duration::from_secs(1))
        .grant_json("ledger.count", move |count, _| std::future::ready(ledger.count(count)));
    let (archive, archived) = (folder.join("archive.jsonl"), Arc::clone(books));
    let archive = move |click: Event, _| std::future::ready(append(&archive, &archived, &click));
    let alarmed = Arc::clone(books);
    let alarm = move |record: Event, _| std::future::ready(alarm(&alarmed, &record));
    let (ad, archive) = (Function::native("ad", ad), Function::native("archive", archive));
    for function in [ad, count, archive, Function::native("alarm", alarm)] {
        runtime.deploy(function).await?;
    }
    subscribe(runtime).await?;
    Ok(Gateway::builder(runtime).route("GET /ad/{id}", "ad").build()?)
}

async fn subscribe(runtime: &Runtime) -> Result<(), Problem> {
    let pause = Duration::from_millis(100);
    let count = Trigger::topic("clicks")
        .to("count")
        .batch(Batch::of(100).window(pause))
        .retry(Retry::new().attempts(2).backoff(pause, pause))
        .on_failure(Destination::function("alarm"));
    runtime.add_trigger("count", count).await?;
    let earns = Filter::parse(r#"{"type": ["ad.clicked"], "data": {"cents": [{"numeric": [">", 0]}]}}"#)?;
    runtime.add_trigger("archive", Trigger::topic("clicks").to("archive").filter(earns)).await?;
    Ok(())
}

/// Keeps a click, and sends the reader on; what is done about the click, nobody waits for.
async fn redirect(clicks: Topic, context: Context) -> Result<Response, Failure> {
    let id = context.attribute("http.param.id").unwrap_or_default();
    let Some((ad, leads_to, cents)) = ADS.iter().find(|(ad, ..)| *ad == id) else {
        return Ok(Response::from_text("there is no such ad\n").with_attribute("http.status", "404"));
    };
    let click = Event::json("ad.clicked", &json!({ "ad": ad, "cents": cents }))?;
    clicks.publish(click.with_subject(*ad)).await?;
    let found = Response::new().with_attribute("http.status", "302");
    Ok(found.with_attribute("http.header.location", *leads_to))
}

/// Writes a line for a click. One that comes twice has two lines, with the same id.
fn append(archive: &Path, books: &Books, click: &Event) -> Result<Response, Failure> {
    let line = json!({ "id": click.id(), "click": click.body_json::<Value>()? });
    let mut file = OpenOptions::new().create(true).append(true).open(archive)?;
    file.write_all(format!("{line}\n").as_bytes())?;
    books.change(|pages| pages.archived.insert(click.id().into()));
    Ok(Response::new())
}

/// Hears of a click that was given up.
fn alarm(books: &Books, record: &Event) -> Result<Response, Failure> {
    let record: Value = record.body_json()?;
    let (context, said) = (&record["requestContext"], &record["responsePayload"]["errorMessage"]);
    println!(
        "  ALARM {} after {} attempts: {} ({said})",
        context["condition"], context["approximateInvokeCount"], record["requestPayload"]
    );
    books.change(|pages| pages.alarms += 1);
    Ok(Response::new())
}

fn wait() -> Result<(), Problem> {
    println!("It closes at the end of the input (ctrl-d).");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
