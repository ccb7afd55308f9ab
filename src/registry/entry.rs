//! One name and its versions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use crate::registry::Qualifier;

/// One name and its versions; it outlives them, so that who follows a name keeps following it.
pub(crate) struct Entry<D> {
    /// The newest version, read by each event.
    newest: ArcSwapOption<Slots<D>>,
    versions: ArcSwapOption<BTreeMap<u64, Slots<D>>>,
    /// Every number ever given; a report or a log that names one must never mean two codes.
    given: Mutex<BTreeSet<u64>>,
    lanes: usize,
}

/// A deployment as one lane sees it.
///
/// Each lane has a counted reference of its own, so that threads of different lanes never write to the same
/// count: a contended one costs 71 ns a time, and each event takes and gives one back.
pub(crate) struct Slot<D> {
    pub(crate) deployment: Arc<D>,
}

/// One slot for each lane.
type Slots<D> = Arc<[Arc<Slot<D>>]>;

impl<D> Entry<D> {
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            newest: ArcSwapOption::empty(),
            versions: ArcSwapOption::empty(),
            given: Mutex::default(),
            lanes: lanes.max(1),
        }
    }

    /// Returns the newest version.
    pub(crate) fn newest(&self, lane: usize) -> Option<Arc<Slot<D>>> {
        self.newest.load().as_ref().map(|slots| Arc::clone(&slots[lane % slots.len()]))
    }

    /// Returns one version.
    pub(crate) fn version(&self, version: u64, lane: usize) -> Option<Arc<Slot<D>>> {
        let versions = self.versions.load();
        let slots = versions.as_ref()?.get(&version)?;
        Some(Arc::clone(&slots[lane % slots.len()]))
    }

    /// Returns all versions, oldest first.
    pub(crate) fn versions(&self) -> Vec<(u64, Arc<D>)> {
        let versions = self.versions.load();
        let all = versions.iter().flat_map(|versions| versions.iter());
        all.map(|(version, slots)| (*version, Arc::clone(&slots[0].deployment))).collect()
    }

    pub(super) fn insert(
        &self,
        wanted: Option<u64>,
        make: impl FnOnce(u64) -> D,
    ) -> Result<(u64, Arc<D>), u64> {
        let version = {
            let mut given = self.given.lock();
            let version = wanted.unwrap_or_else(|| given.last().map_or(1, |last| last + 1));
            if !given.insert(version) {
                return Err(version);
            }
            version
        };
        let deployment = Arc::new(make(version));
        let slot = || Arc::new(Slot { deployment: Arc::clone(&deployment) });
        let slots: Slots<D> = (0..self.lanes).map(|_| slot()).collect();
        self.replace(|versions| drop(versions.insert(version, slots)));
        Ok((version, deployment))
    }

    pub(super) fn remove(&self, qualifier: Qualifier) -> Vec<Arc<D>> {
        let gone = match qualifier {
            Qualifier::Newest => self.versions(),
            Qualifier::Version(version) => self
                .version(version, 0)
                .map(|slot| (version, Arc::clone(&slot.deployment)))
                .into_iter()
                .collect(),
        };
        self.replace(|versions| {
            versions.retain(|version, _| gone.iter().all(|(removed, _)| removed != version))
        });
        gone.into_iter().map(|(_, deployment)| deployment).collect()
    }

    fn replace(&self, change: impl FnOnce(&mut BTreeMap<u64, Slots<D>>)) {
        let mut versions =
            self.versions.load().as_ref().map(|known| BTreeMap::clone(known)).unwrap_or_default();
        change(&mut versions);
        self.newest.store(versions.last_key_value().map(|(_, slots)| Arc::new(Arc::clone(slots))));
        self.versions.store(Some(Arc::new(versions)));
    }
}
