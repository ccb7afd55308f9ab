//! That events of one key run one after another, whoever runs them, and that each tick is one event.

use std::collections::{BTreeMap, BTreeSet};

use crate::crashes::crew::blame::{Span, Troubles};
use crate::crashes::crew::habits::{PERIOD, TICK, WAITING};
use crate::crashes::steps::Step;

/// What is known of a key.
#[derive(Default)]
struct Key {
    /// The last that has begun.
    last: u64,
    /// It has ended at least once.
    has_ended: bool,
    at: u64,
}

/// Of each ordering key an event begins only when those before have ended, and none begins again once a later one has
/// begun; ticks that wait for each other have such a key. Answers how many keys there are.
pub(super) fn keys_are_in_order(steps: &[Step], troubles: &Troubles) -> usize {
    let mut keys: BTreeMap<(&str, &str), Key> = BTreeMap::new();
    let is_keyed = |step: &&Step| {
        let (kind, key, _) = &step.name;
        kind == "keyed" || (kind == TICK && WAITING.contains(&key.as_str()))
    };
    for step in steps.iter().filter(is_keyed) {
        let number = step.name.2;
        let key = keys.entry((&step.name.0, &step.name.1)).or_default();
        if number > key.last {
            assert!(key.last == 0 || key.has_ended, "{step:?} before {} has ended", key.last);
            assert!(!step.is_end(), "{step:?} has not begun");
            *key = Key { last: number, has_ended: false, at: step.at };
        } else if number < key.last {
            // A run that went on though its lease had run out ends late, and is explained as any that comes again.
            let span = Span { from: key.at.min(step.at), to: step.at };
            assert!(step.is_end() || troubles.was_held_up(step.child, span), "{step:?} behind {}", key.last);
        }
        key.has_ended |= step.is_end() && number == key.last;
    }
    keys.len()
}

/// Of each trigger every tick has become one event, which has run; what is missing is told, as it may come yet.
pub(super) fn missing_tick(steps: &[Step], until: u64) -> Option<String> {
    let mut triggers: BTreeMap<&str, BTreeMap<u64, bool>> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.name.0 == TICK) {
        *triggers.entry(&step.name.1).or_default().entry(step.name.2).or_default() |= step.is_end();
    }
    for (trigger, ticks) in triggers {
        let first = *ticks.keys().next()?;
        let missing = (first..=until).step_by(PERIOD.as_secs() as usize);
        if let Some(tick) = missing.into_iter().find(|tick| ticks.get(tick) != Some(&true)) {
            return Some(format!("the tick {tick} of {trigger}"));
        }
    }
    None
}

/// Each tick was submitted once, however often it ran; answers how many there were.
pub(super) fn ticks_are_single(steps: &[Step]) -> usize {
    let mut ticks: BTreeMap<(&str, u64), BTreeSet<&str>> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.name.0 == TICK) {
        ticks.entry((&step.name.1, step.name.2)).or_default().insert(&step.request);
    }
    for (tick, requests) in &ticks {
        assert_eq!(requests.len(), 1, "the tick {tick:?} is {} events: {requests:?}", requests.len());
    }
    ticks.len()
}
