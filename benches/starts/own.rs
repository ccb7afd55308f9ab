//! Processes, folders and guests of the bench's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use fnhost::{Function, Handler, Runtime};

const TASK: &str = "FNHOST_BENCH_TASK";
const FOLDER: &str = "FNHOST_BENCH_FOLDER";
const COUNT: &str = "FNHOST_BENCH_COUNT";

/// What this process was started for, if the bench started it.
pub(crate) fn task() -> Option<(String, PathBuf)> {
    Some((std::env::var(TASK).ok()?, std::env::var_os(FOLDER)?.into()))
}

/// How many of what the task is about.
pub(crate) fn count() -> usize {
    std::env::var(COUNT).ok().and_then(|count| count.parse().ok()).expect("the bench says how many")
}

/// Starts a process for one task after what the shell is to do first, and answers what it printed: names and
/// numbers.
pub(crate) fn process(task: &str, folder: &Path, count: usize, first: &str) -> Vec<(String, f64)> {
    let output = Command::new("sh")
        .args(["-c", &format!(r#"{first} exec "$0""#)])
        .arg(std::env::current_exe().expect("this bench is a file"))
        .env(TASK, task)
        .env(FOLDER, folder)
        .env(COUNT, count.to_string())
        .output()
        .expect("a shell");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{task} failed:\n{out}\n{err}");
    let read = |line: &str| {
        let (name, number) = line.split_once('=')?;
        Some((name.to_string(), number.parse().ok()?))
    };
    out.lines().filter_map(read).collect()
}

/// A folder that is removed in the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("fnhost-bench-{}-{name}", std::process::id())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A guest that a script builds; none where it was not.
pub(crate) fn large(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/large/out").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("{name} is left out: it is not built; run tests/guests/large/build.sh");
    None
}

pub(crate) fn deploy(runtime: &Runtime, function: Function) -> Handler {
    let name = function.name().to_string();
    runtime.block_on(runtime.deploy(function)).expect("deployed");
    runtime.handler(&name).expect("deployed just now")
}
