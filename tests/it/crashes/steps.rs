//! What handlers noted: where and when an event began and ended.

use std::path::Path;

use crate::crashes::notes::read;

/// An event, by kind, key and number.
pub(super) type Name = (String, String, u64);

/// What a handler did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Begin,
    Fail,
    End,
}

/// A handler that began, failed or ended.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(all(feature = "nats", feature = "cron")),
    expect(dead_code, reason = "only what runs beside others has to be explained")
)]
pub(super) struct Step {
    pub(super) what: What,
    pub(super) name: Name,
    pub(super) child: u32,
    pub(super) attempt: u32,
    /// Which run of the child's it is.
    pub(super) run: u64,
    /// In microseconds since the epoch.
    pub(super) at: u64,
    /// The same for all runs of one submission.
    pub(super) request: String,
}

impl Step {
    pub(super) fn is_end(&self) -> bool {
        self.what == What::End
    }
}

pub(super) fn name(words: &[String]) -> Name {
    (words[0].clone(), words[1].clone(), words[2].parse().unwrap())
}

/// Reads all steps, in the order in which they were made.
pub(super) fn steps(folder: &Path) -> Vec<Step> {
    read(folder, "runs").iter().map(|words| step(words)).collect()
}

fn step(words: &[String]) -> Step {
    let what = match words[0].as_str() {
        "begin" => What::Begin,
        "fail" => What::Fail,
        _ => What::End,
    };
    Step {
        what,
        name: name(&words[1..]),
        child: words[4].parse().unwrap(),
        attempt: words[5].parse().unwrap(),
        run: words[6].parse().unwrap(),
        at: words[7].parse().unwrap(),
        request: words[8].clone(),
    }
}
