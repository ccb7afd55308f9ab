//! Names, versions and what stands behind them.
//!
//! A [`Registry`] promises that an event never waits for a writer, as what it reads is replaced whole; that a version
//! number is given once, that a name follows its newest version, and that who holds a [`Slot`] may go on using
//! it after it was removed. A name is looked up when a handler is made, and only that takes a lock. It
//! does not know what a deployment is, and it does not drain: whoever removes gets back what was removed.

mod entry;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

pub(crate) use self::entry::{Entry, Slot};
pub(crate) use self::target::{Qualifier, Target, check_name};

/// Names and what stands behind them.
pub(crate) struct Registry<D> {
    entries: RwLock<BTreeMap<String, Arc<Entry<D>>>>,
    /// Writers come one at a time.
    writing: Mutex<Closed>,
    lanes: usize,
}

/// Whether nothing more is taken.
struct Closed(bool);

/// Why something is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// That version was given before.
    Version(u64),
    /// The registry is closed.
    Closed,
}

impl<D> Registry<D> {
    pub(crate) fn new(lanes: usize) -> Self {
        Self { entries: RwLock::default(), writing: Mutex::new(Closed(false)), lanes }
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Entry<D>>> {
        self.entries.read().get(name).cloned()
    }

    /// Makes the next version of a name, or the given one; a version that was ever given is refused.
    pub(crate) fn insert(
        &self,
        name: &str,
        wanted: Option<u64>,
        make: impl FnOnce(u64) -> D,
    ) -> Result<(u64, Arc<D>), Taken> {
        let closed = self.writing.lock();
        if closed.0 {
            return Err(Taken::Closed);
        }
        let known = self.find(name);
        let entry = known.clone().unwrap_or_else(|| Arc::new(Entry::new(self.lanes)));
        let (version, deployment) = entry.insert(wanted, make).map_err(Taken::Version)?;
        if known.is_none() {
            self.entries.write().insert(name.into(), entry);
        }
        Ok((version, deployment))
    }

    /// Removes one version, or all; answers what was removed.
    ///
    /// A name whose last version goes stays known, so that its numbers are never given again.
    pub(crate) fn remove(&self, target: &Target) -> Vec<Arc<D>> {
        let _writing = self.writing.lock();
        self.find(&target.name).map_or_else(Vec::new, |entry| entry.remove(target.qualifier))
    }

    /// Forgets everything and takes nothing more.
    pub(crate) fn close(&self) {
        let mut closed = self.writing.lock();
        closed.0 = true;
        let entries = std::mem::take(&mut *self.entries.write());
        for entry in entries.values() {
            drop(entry.remove(Qualifier::Newest));
        }
    }

    /// Returns every name that has a version, with its entry.
    pub(crate) fn entries(&self) -> Vec<(String, Arc<Entry<D>>)> {
        let entries = self.entries.read();
        let live = entries.iter().filter(|(_, entry)| !entry.versions().is_empty());
        live.map(|(name, entry)| (name.clone(), Arc::clone(entry))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry<String> {
        Registry::new(2)
    }

    fn put(registry: &Registry<String>, name: &str, wanted: Option<u64>) -> Result<u64, Taken> {
        registry.insert(name, wanted, |version| format!("{name} {version}")).map(|(version, _)| version)
    }

    fn now(registry: &Registry<String>, name: &str) -> Option<String> {
        registry.find(name)?.newest(0).map(|slot| slot.deployment.to_string())
    }

    #[test]
    fn a_name_follows_its_newest_version() {
        let registry = registry();
        assert_eq!(put(&registry, "a", None), Ok(1));
        let entry = registry.find("a").unwrap();
        assert_eq!(put(&registry, "a", None), Ok(2));
        assert_eq!(entry.newest(1).unwrap().deployment.as_str(), "a 2");
        assert_eq!(entry.version(1, 0).unwrap().deployment.as_str(), "a 1");
    }

    #[test]
    fn versions_may_be_given_but_never_twice() {
        let registry = registry();
        assert_eq!(put(&registry, "a", Some(7)), Ok(7));
        assert_eq!(put(&registry, "a", Some(7)), Err(Taken::Version(7)));
        assert_eq!(put(&registry, "a", None), Ok(8));
        assert_eq!(put(&registry, "a", Some(3)), Ok(3));
        assert_eq!(now(&registry, "a").unwrap(), "a 8", "an older number is not the newest");
    }

    #[test]
    fn removing_the_newest_falls_back_and_removing_all_leaves_no_name() {
        let registry = registry();
        (1..=3).for_each(|version| assert_eq!(put(&registry, "a", None), Ok(version)));
        assert_eq!(registry.remove(&Target::parse("a:3").unwrap()).len(), 1);
        assert_eq!(now(&registry, "a").unwrap(), "a 2");
        assert_eq!(registry.remove(&Target::parse("a").unwrap()).len(), 2);
        assert_eq!(now(&registry, "a"), None);
        assert!(registry.entries().is_empty());
        assert_eq!(put(&registry, "a", None), Ok(4), "numbers are never given again");
    }

    #[test]
    fn removing_what_is_not_there_removes_nothing() {
        let registry = registry();
        assert_eq!(put(&registry, "a", None), Ok(1));
        assert!(registry.remove(&Target::parse("a:9").unwrap()).is_empty());
        assert!(registry.remove(&Target::parse("b").unwrap()).is_empty());
    }
}
