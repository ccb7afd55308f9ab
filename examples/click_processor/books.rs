//! What is known of clicks: the part of the host's own that no sandbox holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use fnhost::Failure;
use serde::Deserialize;

use crate::Problem;

/// How long `--check` waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is known of clicks.
pub(crate) struct Books {
    pages: Mutex<Pages>,
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct Pages {
    /// The clicks of each ad, by id: one that is brought twice counts once.
    pub(crate) clicks: BTreeMap<String, BTreeSet<String>>,
    pub(crate) archived: BTreeSet<String>,
    pub(crate) batches: usize,
    pub(crate) alarms: usize,
}

/// What the guest asks to be counted.
#[derive(Deserialize)]
pub(crate) struct Count {
    ad: String,
    clicks: Vec<String>,
}

impl Books {
    /// Opens the books of some ads; others are counted only once they are [`book`](Self::book)ed.
    pub(crate) fn open(ads: &[&str]) -> Self {
        let clicks = ads.iter().map(|ad| ((*ad).to_owned(), BTreeSet::new())).collect();
        let pages = Pages { clicks, ..Pages::default() };
        Self { pages: Mutex::new(pages), changed: Condvar::new() }
    }

    pub(crate) fn book(&self, ad: &str) {
        self.change(|pages| pages.clicks.insert(ad.into(), BTreeSet::new()));
    }

    /// Counts clicks of one ad: the host function `ledger.count`.
    pub(crate) fn count(&self, count: Count) -> Result<usize, Failure> {
        self.change(|pages| {
            pages.batches += 1;
            let Some(clicks) = pages.clicks.get_mut(&count.ad) else {
                return Err(Failure::new("unknown-ad", format!("nobody has booked {:?}", count.ad)));
            };
            clicks.extend(count.clicks);
            Ok(clicks.len())
        })
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Pages) -> T) -> T {
        let changed = change(&mut self.pages.lock().expect("nobody panics with the books"));
        self.changed.notify_all();
        changed
    }

    /// Waits until something is so, or says that it never was.
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&Pages) -> bool) -> Result<(), Problem> {
        let pages = self.pages.lock().expect("nobody panics with the books");
        let waited = self.changed.wait_timeout_while(pages, PATIENCE, |pages| !is_so(pages));
        let (pages, _) = waited.expect("nobody panics with the books");
        println!("{what}: {}", pages.line());
        is_so(&pages).then_some(()).ok_or_else(|| format!("{what}: it did not come to that").into())
    }

    /// Returns what was counted in one line.
    pub(crate) fn line(&self) -> String {
        self.pages.lock().expect("nobody panics with the books").line()
    }
}

impl Pages {
    pub(crate) fn clicks_of(&self, ad: &str) -> usize {
        self.clicks.get(ad).map_or(0, BTreeSet::len)
    }

    fn line(&self) -> String {
        let ads = self.clicks.keys().map(|ad| format!("{ad} {}", self.clicks_of(ad)));
        let ads = ads.collect::<Vec<_>>().join(", ");
        format!(
            "{ads}; in {} calls of the ledger, {} archived, {} given up",
            self.batches,
            self.archived.len(),
            self.alarms
        )
    }
}
