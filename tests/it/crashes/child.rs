//! The process that is killed: it handles events, and submits them as fast as it can.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use fnhost::{
    Broker, Context, Destination, Error, Event, Failure, Function, Response, Retry, Runtime, Trigger,
};

use crate::crashes::notes::{Notes, now};
use crate::crashes::submitter::Submitter;
use crate::kit::{ANSWER_BODY, Dice, module, small};

/// Tells a child where to work, and which of all children it is.
const WORKS: &str = "FNHOST_TEST_CRASHES";
/// Events of ordering keys, some of which fail once; of a guest, that fail once, that fail always, whose outcome is sent
/// on, that come twice.
pub(super) const KINDS: [&str; 7] = ["plain", "keyed", "guest", "flaky", "doomed", "sent", "once"];
/// How many submit at once in one child.
pub(super) const SUBMITTERS: u64 = 4;

/// How children work.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// Others share what is kept, and it may be away for a while.
    pub(super) is_shared: bool,
    /// What is done at first.
    pub(super) begin: fn(&Post),
    /// What is served besides.
    pub(super) add: fn(&Runtime, &Runs) -> Result<(), Error>,
    /// How long an event of a kind takes, in a run of some number.
    pub(super) takes: fn(&str, u64) -> Duration,
    /// What is submitted next, and how long that is waited with.
    pub(super) next: fn(&mut Dice) -> (&'static str, Duration),
}

/// As fast as they can, and nothing besides.
pub(super) const ALONE: Manner = Manner {
    is_shared: false,
    begin: |_| {},
    add: |_, _| Ok(()),
    takes: |_, _| Duration::ZERO,
    next: |dice| (any(dice), Duration::ZERO),
};

/// Returns one of the kinds, each as likely as the other.
pub(super) fn any(dice: &mut Dice) -> &'static str {
    KINDS[dice.roll(KINDS.len() as u64) as usize]
}

/// Where a child works, and who it is.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) folder: PathBuf,
    /// Which of all children.
    pub(super) number: u32,
    /// Which of those that work at the same time.
    pub(super) slot: u32,
}

/// A process of this test's that works until it is killed.
pub(super) fn start(test: &str, post: &Post) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(WORKS, format!("{} {} {}", post.number, post.slot, post.folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Works in the folder that this process was given, and never returns; returns if it was given none.
pub(super) fn work(manner: Manner, broker: impl Fn(&Path) -> Broker) {
    let Ok(given) = std::env::var(WORKS) else { return };
    let mut words = given.splitn(3, ' ');
    let mut word = || words.next().unwrap();
    let (number, slot) = (word().parse().unwrap(), word().parse().unwrap());
    let post = Post { number, slot, folder: word().into() };
    let began = Instant::now();
    let runtime = begin(&post, manner, broker);
    Notes::open(&post.folder, "ups").note(&[&number, &began.elapsed().as_micros()]);
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    own.block_on(async {
        let mut working: Vec<_> = (0..SUBMITTERS)
            .map(|seat| own.spawn(Submitter::new(runtime.clone(), (&post, seat), manner).work()))
            .collect();
        let _ = working.remove(0).await;
    });
    panic!("a submitter ended");
}

/// Serves; what is shared may be away, and is tried again.
fn begin(post: &Post, manner: Manner, broker: impl Fn(&Path) -> Broker) -> Runtime {
    (manner.begin)(post);
    loop {
        match serve(post, manner, broker(&post.folder)) {
            Ok(runtime) => return runtime,
            Err(error) if manner.is_shared && error.is_retryable() => {
                Notes::open(&post.folder, "refusals").note(&[&post.number, &error]);
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => {
                Notes::open(&post.folder, "errors").note(&[&post.number, &error]);
                panic!("{error}");
            }
        }
    }
}

/// Makes a runtime that handles all kinds of events, and notes what it has handled.
pub(super) fn serve(post: &Post, manner: Manner, broker: Broker) -> Result<Runtime, Error> {
    let runtime = small().broker(broker).deliveries(32).build()?;
    let notes = Notes::open(&post.folder, "runs");
    let runs = Runs { notes, child: post.number, manner, count: Arc::default() };
    let quick = Retry::new().attempts(2).backoff(Duration::from_millis(1), Duration::from_millis(5));
    for kind in KINDS {
        let function = match kind {
            "guest" => Function::wasm(kind, module("", ANSWER_BODY)),
            _ => runs.handler(kind),
        };
        let function = match kind {
            "sent" => function.on_success(Destination::queue("out").answer()),
            _ => function,
        };
        runtime.block_on(runtime.deploy(function.retry(quick)))?;
    }
    runtime.block_on(runtime.deploy(runs.handler("sink")))?;
    let sink = Trigger::queue("out").to("sink").one_by_one().visibility(Duration::from_millis(5));
    runtime.block_on(runtime.add_trigger("sink", sink))?;
    (manner.add)(&runtime, &runs)?;
    Ok(runtime)
}

/// Notes which handlers begin and end.
#[derive(Clone)]
pub(super) struct Runs {
    notes: Notes,
    child: u32,
    manner: Manner,
    count: Arc<AtomicU64>,
}

impl Runs {
    /// A function that notes when it begins and when it ends.
    pub(super) fn handler(&self, kind: &'static str) -> Function {
        self.handler_of(kind, |event| event.body_text().unwrap_or("unreadable").to_owned())
    }

    /// A function that notes the same, of events whose key and number are told like this.
    pub(super) fn handler_of(&self, kind: &'static str, name: fn(&Event) -> String) -> Function {
        let runs = self.clone();
        let function = Function::native(kind, move |event: Event, context: Context| {
            let runs = runs.clone();
            async move { runs.run(kind, name(&event), &context).await }
        });
        function.concurrency(16)
    }

    async fn run(&self, kind: &'static str, name: String, context: &Context) -> Result<Response, Failure> {
        let (child, run) = (self.child, self.count.fetch_add(1, SeqCst));
        let (attempt, request) = (context.attempt(), context.request_id());
        self.notes.note(&[&"begin", &kind, &name, &child, &attempt, &run, &now(), &request]);
        match (self.manner.takes)(kind, run) {
            // Others get their turn meanwhile, and kills a place to strike.
            Duration::ZERO => tokio::task::yield_now().await,
            time => tokio::time::sleep(time).await,
        }
        let is_flaky = kind == "flaky" || (kind == "keyed" && name.ends_with('7'));
        let fails = (is_flaky && attempt == 1) || kind == "doomed";
        let what = if fails { "fail" } else { "end" };
        self.notes.note(&[&what, &kind, &name, &child, &attempt, &run, &now(), &request]);
        match fails {
            true => Err(Failure::new("on-purpose", "it was to fail").with_retryable(true)),
            false => Ok(Response::from_text(name)),
        }
    }
}
