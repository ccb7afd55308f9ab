//! What it costs to keep events in a folder: submissions beside a bare loop that appends and syncs, the way from
//! submission to start, batches of a queue, and a million that wait.
//!
//! `cargo bench --bench broker` runs all; `-- submit`, `-- slow`, `-- latency`, `-- batch`, `-- million` one of them.

#[path = "../kit/mod.rs"]
mod kit;
mod batch;
mod latency;
mod million;
mod own;
mod submit;

use crate::kit::{Effort, is_wanted};

fn main() {
    if let Some((folder, count)) = own::task() {
        million::fill(&folder, count);
        return;
    }
    let effort = Effort::from_args();
    if is_wanted("submit") {
        submit::run(effort);
    }
    if is_wanted("slow") {
        submit::slow(effort);
    }
    if is_wanted("latency") {
        latency::run(effort);
    }
    if is_wanted("batch") {
        batch::run(effort);
    }
    if is_wanted("million") {
        million::run(effort);
    }
}
