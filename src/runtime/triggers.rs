//! The triggers of a runtime, by name.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::broker::Channel;
use crate::delivery::Name;
use crate::error::{Error, ErrorKind};
use crate::runtime::Runtime;
use crate::trigger::{Plan, Trigger};

/// The triggers of a runtime.
#[derive(Default)]
pub(crate) struct Triggers(Mutex<BTreeMap<String, Added>>);

/// What there is to be ended.
enum Added {
    Feed(Channel),
    Stream,
    #[cfg(feature = "cron")]
    Timetable,
}

impl Runtime {
    /// Adds a trigger under a name: it works from now on, whenever its function is deployed.
    ///
    /// The name is that of a topic's subscription, and of a schedule among all runtimes of the broker.
    ///
    /// # Errors
    ///
    /// Invalid configuration: what is wrong with the trigger, or a name or a source that has one. Why the broker cannot
    /// keep it.
    pub async fn add_trigger(&self, name: &str, trigger: impl Into<Trigger>) -> Result<(), Error> {
        let core = self.core();
        if core.is_closed() {
            return Err(ErrorKind::ShuttingDown.into());
        }
        let refused = |reason: String| Error::configuration(format!("trigger {name:?}: {reason}"));
        Name::parse("trigger", name).map_err(Error::configuration)?;
        let plan = trigger.into().plan(name).map_err(refused)?;
        let taken = || refused("there is one of that name; remove it first".into());
        // Before anything is kept: a trigger that is refused leaves no subscription, and no other filter.
        if core.triggers.0.lock().contains_key(name) {
            return Err(taken());
        }
        if let Plan::Subscription { topic, filter, .. } = &plan {
            let pattern = filter.as_ref().map(|filter| filter.pattern());
            core.delivery.topics.subscribe(&*core.delivery.store, (topic, name), pattern).await?;
        }
        let mut triggers = core.triggers.0.lock();
        if triggers.contains_key(name) {
            return Err(taken());
        }
        let added = match plan {
            Plan::Feed(feed) | Plan::Subscription { feed, .. } => {
                let channel = feed.channel.clone();
                if !core.delivery.add_feed(feed) {
                    return Err(refused(
                        "another trigger takes from that queue; one of them is enough".into(),
                    ));
                }
                Added::Feed(channel)
            }
            Plan::Stream(consumer) => {
                core.delivery.add_stream(consumer);
                Added::Stream
            }
            #[cfg(feature = "cron")]
            Plan::Timetable(table) => {
                core.delivery.add_timetable(*table);
                Added::Timetable
            }
        };
        triggers.insert(name.into(), added);
        Ok(())
    }

    /// Removes a trigger from this runtime; false if there is none of that name. What is under way goes on.
    pub fn remove_trigger(&self, name: &str) -> bool {
        let core = self.core();
        match core.triggers.0.lock().remove(name) {
            Some(Added::Feed(channel)) => core.delivery.remove_feed(&channel),
            // It is there as long as its name is.
            Some(Added::Stream) => drop(core.delivery.remove_stream(name)),
            #[cfg(feature = "cron")]
            Some(Added::Timetable) => core.delivery.remove_timetable(name),
            None => return false,
        }
        true
    }

    /// Returns the names of all triggers, in order.
    pub fn triggers(&self) -> Vec<String> {
        self.core().triggers.0.lock().keys().cloned().collect()
    }
}
