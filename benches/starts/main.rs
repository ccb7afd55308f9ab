//! What cold starts cost once they are taken off the path: the cache folder, many idle functions, snapshots and
//! prepared guests.
//!
//! `cargo bench --bench starts` runs all; `-- cache`, `-- many`, `-- init`, `-- warm`, `-- prepared` one of them. The
//! guests in JavaScript and Python are built by `tests/guests/large/build.sh`; without them their lines are left
//! out, and it says so.

#[path = "../kit/mod.rs"]
mod kit;
mod cache;
mod many;
mod own;

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
    if is_wanted("many") {
        many::run(effort);
    }
}
