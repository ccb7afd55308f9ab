//! What follows from an ending: whole, or cut if the store cannot take that.
//!
//! How large a message may be is the store's matter, and what a function answers the function's. An ending that could not
//! be kept with what follows from it would hold its message, and its place among the deliveries, for ever.

use crate::broker::{Draft, Trouble};

/// What is smaller than this fits wherever an event did.
const LARGE: usize = 64 << 10;
/// How often it is tried whole alone, as most trouble is another.
const WHOLE: u32 = 3;

/// What follows from an ending.
#[derive(Default)]
pub(super) struct Sequel {
    whole: Vec<Draft>,
    /// The same without what may be large; none if nothing is.
    cut: Option<Vec<Draft>>,
}

impl Sequel {
    /// Takes what follows; `cut` makes the same without what may be large.
    pub(super) fn new(whole: Vec<Draft>, cut: impl FnOnce() -> Vec<Draft>) -> Self {
        let is_large = whole.iter().any(|draft| draft.payload.len() > LARGE);
        Self { whole, cut: is_large.then(cut) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }

    /// Returns what the store is asked to keep after so many refusals.
    pub(super) fn after(&self, refusals: u32) -> &[Draft] {
        match &self.cut {
            Some(cut) if self.is_cut_after(refusals) => cut,
            _ => &self.whole,
        }
    }

    /// Counts one more refusal; what is too large is cut the next time.
    pub(super) fn count(refusals: u32, trouble: &Trouble) -> u32 {
        match trouble {
            Trouble::TooLarge { .. } => refusals.max(WHOLE - 1) + 1,
            _ => refusals + 1,
        }
    }

    /// Tells whether it is cut after so many refusals: then it is tried at once, so that trouble that has just ended
    /// cuts nothing.
    pub(super) fn is_cut_after(&self, refusals: u32) -> bool {
        self.cut.is_some() && refusals >= WHOLE && (refusals - WHOLE).is_multiple_of(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Channel;
    use crate::wall::Moment;

    fn draft(size: usize) -> Draft {
        let payload = vec![0; size].into();
        Draft { channel: Channel::new("q.a"), payload, key: None, due: Moment(0), once: None }
    }

    #[test]
    fn what_may_be_too_large_is_cut_now_and_then_after_it_was_refused() {
        let sequel = Sequel::new(vec![draft(1), draft(LARGE + 1)], || vec![draft(1)]);
        let sizes = |refusals| sequel.after(refusals).last().unwrap().payload.len();
        assert_eq!((0..3).map(sizes).collect::<Vec<_>>(), [LARGE + 1; 3]);
        assert_eq!((3..7).map(sizes).collect::<Vec<_>>(), [1, LARGE + 1, 1, LARGE + 1]);
    }

    #[test]
    fn what_is_too_large_is_cut_at_once() {
        let sequel = Sequel::new(vec![draft(LARGE + 1)], || vec![draft(1)]);
        let too_large = Trouble::TooLarge { limit: 1, size: 2 };
        assert_eq!(sequel.after(Sequel::count(0, &too_large))[0].payload.len(), 1);
        assert_eq!(sequel.after(Sequel::count(WHOLE + 1, &too_large))[0].payload.len(), 1);
        let other = Trouble::Failed("away".into());
        assert_eq!(sequel.after(Sequel::count(0, &other))[0].payload.len(), LARGE + 1);
    }

    #[test]
    fn what_is_small_is_never_cut() {
        let sequel = Sequel::new(vec![draft(LARGE)], || unreachable!("nothing is large"));
        assert!((0..100).all(|refusals| sequel.after(refusals)[0].payload.len() == LARGE));
    }
}
