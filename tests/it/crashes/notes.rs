//! What children write down, so that it outlives them.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A file to which lines are appended whole; many processes may.
#[derive(Clone, Debug)]
pub(super) struct Notes(Arc<File>);

impl Notes {
    pub(super) fn open(folder: &Path, name: &str) -> Self {
        let file = File::options().create(true).append(true).open(folder.join(name)).unwrap();
        Self(Arc::new(file))
    }

    /// Appends a line in one write, which a kill does not tear.
    pub(super) fn note(&self, words: &[&dyn Display]) {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        (&*self.0).write_all(format!("{}\n", words.join(" ")).as_bytes()).unwrap();
    }
}

/// Reads the lines of a file, as words.
pub(super) fn read(folder: &Path, name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
    // The last may be half there, as it is being written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| line.split(' ').map(Into::into).collect()).collect()
}

/// Returns the time, as all processes know it, in microseconds since the epoch.
pub(super) fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}
