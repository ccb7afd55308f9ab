//! What cold starts cost once they are taken off the path: the cache folder, many idle functions, snapshots and
//! prepared guests.
//!
//! `cargo bench --bench starts` runs all; `-- cache`, `-- many`, `-- init`, `-- warm`, `-- large`, `-- prepared` one of
//! them. The
//! guests in JavaScript and Python are built by `tests/guests/large/build.sh`; without them their lines are left
//! out, and it says so.

#[path = "../kit/mod.rs"]
mod kit;
mod cache;
mod large;
mod many;
mod own;
mod prepared;
mod seen;
mod snapshots;

use crate::kit::{Effort, is_wanted};

fn main() {
    if let Some((task, folder)) = own::task() {
        match task.as_str() {
            "deploy" => cache::child(&folder),
            "fill" => many::fill(&folder),
            _ => many::child(&folder),
        }
        return;
    }
    let effort = Effort::from_args();
    if is_wanted("cache") {
        cache::run(effort);
    }
    if is_wanted("init") {
        snapshots::init(effort);
    }
    if is_wanted("warm") {
        snapshots::warm(effort);
    }
    if is_wanted("large") {
        large::run(effort);
    }
    if is_wanted("prepared") {
        prepared::run(effort);
    }
    if is_wanted("many") {
        many::run(effort);
    }
}
