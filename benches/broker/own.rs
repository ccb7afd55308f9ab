//! Folders, processes and a bare file of the bench's own.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fnhost::{Broker, Context, Event, Function, Handler, Probe, Response, Runtime};

/// How large the body of an event is.
pub(crate) const BODY: usize = 400;
/// What is kept of such an event, roughly.
const RECORD: usize = 512;

const FOLDER: &str = "FNHOST_BENCH_FOLDER";
const COUNT: &str = "FNHOST_BENCH_COUNT";

/// What this process was started for, if the bench started it.
pub(crate) fn task() -> Option<(PathBuf, u64)> {
    Some((std::env::var_os(FOLDER)?.into(), std::env::var(COUNT).ok()?.parse().ok()?))
}

/// Starts a process that fills a folder and ends as if it were killed; answers what it printed.
pub(crate) fn process(folder: &Path, count: u64) -> String {
    let output = Command::new(std::env::current_exe().expect("this bench is a file"))
        .env(FOLDER, folder)
        .env(COUNT, count.to_string())
        .output()
        .expect("it starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A folder on the disk that the repository stands on, as a temporary one may be memory; removed in the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        Self(target.join(format!("broker-{}-{name}", std::process::id())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A runtime that keeps events in a folder and has a function that does nothing.
pub(crate) fn open(folder: &Path, probe: &Probe) -> (Runtime, Handler) {
    let broker = Broker::embedded(folder).probe(probe).max_events(2_000_000);
    let runtime = Runtime::builder().broker(broker).build().expect("the folder is this bench's own");
    let nothing = async |_: Event, _: Context| Ok(Response::new());
    runtime.block_on(runtime.deploy(Function::native("count", nothing))).expect("deployed");
    let handler = runtime.handler("count").expect("deployed just now");
    (runtime, handler)
}

pub(crate) fn event() -> Event {
    Event::bytes("click", vec![b'x'; BODY])
}

/// A file to which records are appended and made safe: what any such store has to do at least.
pub(crate) struct Bare {
    file: File,
    _path: Folder,
}

impl Bare {
    pub(crate) fn new() -> Self {
        let path = Folder::new("bare");
        Self { file: File::create(path.path()).expect("a file of its own"), _path: path }
    }

    pub(crate) fn append(&mut self, records: usize) {
        for _ in 0..records {
            self.file.write_all(&[b'x'; RECORD]).expect("there is room");
        }
        self.file.sync_data().expect("the disk takes it");
    }

    /// Answers records a second.
    pub(crate) fn rate(&mut self, records: usize, time: Duration) -> f64 {
        let (began, mut count) = (Instant::now(), 0);
        while began.elapsed() < time {
            self.append(records);
            count += records;
        }
        count as f64 / began.elapsed().as_secs_f64()
    }
}
