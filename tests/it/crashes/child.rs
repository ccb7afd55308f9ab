//! The process that is killed: it handles events, and submits them as fast as it can.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fnhost::{Broker, Context, Destination, Event, Failure, Function, Response, Retry, Runtime, Trigger};

use crate::crashes::notes::Notes;
use crate::crashes::submitter::Submitter;
use crate::kit::{ANSWER_BODY, module, small};

/// Tells a child where to work, and which of all children it is.
const WORKS: &str = "FNHOST_TEST_CRASHES";
/// Events of ordering keys, of a guest, that fail once, that fail always, whose outcome is sent on, that come twice.
pub(super) const KINDS: [&str; 7] = ["plain", "keyed", "guest", "flaky", "doomed", "sent", "once"];
/// How many submit at once in one child.
const SUBMITTERS: u64 = 4;

/// A process of this test's that works until it is killed.
pub(super) fn start(test: &str, folder: &Path, number: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(WORKS, format!("{number} {}", folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Works in the folder that this process was given, and never returns; returns if it was given none.
pub(super) fn work(broker: impl Fn(&Path) -> Broker) {
    let Ok(given) = std::env::var(WORKS) else { return };
    let (number, folder) = given.split_once(' ').unwrap();
    let (number, folder) = (number.parse::<u32>().unwrap(), PathBuf::from(folder));
    let began = Instant::now();
    let runtime = match serve(&folder, broker(&folder), number) {
        Ok(runtime) => runtime,
        Err(error) => {
            Notes::open(&folder, "errors").note(&[&number, &error]);
            panic!("{error}");
        }
    };
    Notes::open(&folder, "ups").note(&[&number, &began.elapsed().as_micros()]);
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    own.block_on(async {
        let mut working: Vec<_> = (0..SUBMITTERS)
            .map(|seat| own.spawn(Submitter::new(runtime.clone(), &folder, (number, seat)).work()))
            .collect();
        let _ = working.remove(0).await;
    });
    panic!("a submitter ended");
}

/// Makes a runtime that handles all kinds of events, and notes what it has handled.
pub(super) fn serve(folder: &Path, broker: Broker, number: u32) -> Result<Runtime, fnhost::Error> {
    let runtime = small().broker(broker).deliveries(32).build()?;
    let runs = Notes::open(folder, "runs");
    let quick = Retry::new().attempts(2).backoff(Duration::from_millis(1), Duration::from_millis(5));
    for kind in KINDS {
        let function = match kind {
            "guest" => Function::wasm(kind, module("", ANSWER_BODY)),
            _ => native(kind, (&runs, number)),
        };
        let function = match kind {
            "sent" => function.on_success(Destination::queue("out").answer()),
            _ => function,
        };
        runtime.block_on(runtime.deploy(function.retry(quick)))?;
    }
    runtime.block_on(runtime.deploy(native("sink", (&runs, number))))?;
    let sink = Trigger::queue("out").to("sink").one_by_one().visibility(Duration::from_millis(5));
    runtime.block_on(runtime.add_trigger("sink", sink))?;
    Ok(runtime)
}

/// A function that notes when it begins and when it ends.
fn native(kind: &'static str, (runs, number): (&Notes, u32)) -> Function {
    let runs = runs.clone();
    Function::native(kind, move |event: Event, context: Context| {
        let runs = runs.clone();
        async move {
            let body = event.body_text().unwrap_or("unreadable").to_owned();
            runs.note(&[&"begin", &kind, &body, &number]);
            // Others get their turn meanwhile, and kills a place to strike.
            tokio::task::yield_now().await;
            match kind {
                "flaky" if context.attempt() == 1 => return Err(failure("the first time")),
                "doomed" => return Err(failure("each time")),
                _ => {}
            }
            runs.note(&[&"end", &kind, &body, &number]);
            Ok(Response::from_text(body))
        }
    })
    .concurrency(16)
}

fn failure(when: &str) -> Failure {
    Failure::new("on-purpose", when).with_retryable(true)
}
