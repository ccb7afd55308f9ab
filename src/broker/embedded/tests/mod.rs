//! The store in a folder: what it promises, and what it does when the disk or the process fails.

mod crash;
mod crowd;
mod folder;
mod group;
mod many;
mod media;
mod promises;
mod races;
mod refused;
mod reopen;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::FutureExt;

use self::media::Media;
use crate::broker::conformance::Rig;
use crate::broker::embedded::{Embedded, Probe};
use crate::broker::{Bounds, Channel, Draft, Lease, Store};
use crate::wall::{ManualClock, Wall};

/// A folder of a test's own, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("fnhost-broker-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self) -> Result<Arc<Embedded>, String> {
        let wall = Wall::Manual(ManualClock::at(SystemTime::now()));
        Embedded::open(&self.0, wall, Bounds::default(), Probe::default())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Opens a store on what a test takes for a disk.
fn open(media: &Media, clock: &ManualClock) -> Result<Arc<Embedded>, String> {
    watched(media, clock, Probe::default())
}

fn watched(media: &Media, clock: &ManualClock, probe: Probe) -> Result<Arc<Embedded>, String> {
    let media = media.clone();
    let ground = Box::new(move || Ok(Box::new(media.clone()) as _));
    let wall = Wall::Manual(clock.clone());
    Embedded::on(Path::new("/store/events.redb"), ground, (wall, Bounds::default()), probe)
}

fn rig(store: Arc<Embedded>, clock: &ManualClock) -> Rig {
    Rig { store, wall: Wall::Manual(clock.clone()), clock: Some(clock.clone()), _ground: Box::new(()) }
}

fn clock() -> ManualClock {
    ManualClock::at(SystemTime::now())
}

/// Takes all that may be handed out now in a channel.
fn drain(store: &Arc<Embedded>, channel: &str) -> Vec<Lease> {
    let (channel, mut all) = (Channel::new(channel), Vec::new());
    while let Some(leases) = store.pull(&channel, 64).now_or_never() {
        all.extend(leases.unwrap());
    }
    all
}

fn draft(channel: &str, text: &str, clock: &ManualClock) -> Draft {
    Draft {
        channel: Channel::new(channel),
        payload: Bytes::copy_from_slice(text.as_bytes()),
        key: None,
        due: clock.now().into(),
        once: None,
    }
}

fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(120), test).await.expect("it hangs") })
}
