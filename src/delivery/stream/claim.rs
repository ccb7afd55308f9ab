//! Who reads a shard.
//!
//! A value in the store names the owner and until when. It is taken when it is free or its time is over, and renewed each
//! third of its time, always at the revision that was seen, so that of several takers one wins. The clocks of the
//! machines should agree to within a few seconds; if they do not, a shard may be read by two for a while, of which only
//! one can move the [checkpoint](crate::delivery::stream::checkpoint).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::broker::{Store, Trouble};
use crate::wall::{Moment, Wall};

/// What the store keeps of an owner.
#[derive(Serialize, Deserialize)]
struct Kept {
    owner: String,
    until: u64,
}

impl Kept {
    fn encode(owner: &str, until: Moment) -> Bytes {
        let kept = Self { owner: owner.into(), until: until.0 };
        serde_json::to_vec(&kept).expect("text and numbers can be written").into()
    }
}

/// Exclusive use of a shard, for a time.
#[must_use]
pub(super) struct Claim {
    key: String,
    owner: String,
    time: Duration,
    until: Moment,
    revision: u64,
}

/// What came of an attempt to have a shard.
pub(super) enum Taken {
    Ours(Claim),
    /// Somebody has it until then, unless it is renewed.
    Theirs(Moment),
}

impl Claim {
    /// Takes a shard if nobody has it.
    pub(super) async fn take(
        store: &dyn Store,
        (key, owner): (String, String),
        time: Duration,
        now: Moment,
    ) -> Result<Taken, Trouble> {
        let known = store.get(&key).await?;
        // What cannot be read is taken for nobody's: it would stay for ever.
        let kept = known.as_ref().and_then(|known| serde_json::from_slice::<Kept>(&known.value).ok());
        if let Some(kept) = kept.filter(|kept| kept.until > now.0) {
            return Ok(Taken::Theirs(Moment(kept.until)));
        }
        let until = now.plus(time);
        let revision = known.map(|known| known.revision);
        match store.swap(&key, revision, Kept::encode(&owner, until)).await? {
            Some(revision) => Ok(Taken::Ours(Self { key, owner, time, until, revision })),
            None => Ok(Taken::Theirs(until)),
        }
    }

    /// Returns when it is to be renewed.
    pub(super) fn renewal(&self) -> Moment {
        let early = u64::try_from((self.time * 2 / 3).as_millis()).unwrap_or(u64::MAX);
        Moment(self.until.0.saturating_sub(early))
    }

    /// Returns when somebody else may take it.
    pub(super) fn until(&self) -> Moment {
        self.until
    }

    /// Prolongs it; false if somebody has taken it. Past its time it goes on, too, if nobody has.
    pub(super) async fn renew(&mut self, store: &dyn Store, wall: &Wall) -> Result<bool, Trouble> {
        let until = wall.now().plus(self.time);
        let swapped = store.swap(&self.key, Some(self.revision), Kept::encode(&self.owner, until)).await?;
        let Some(revision) = swapped else { return Ok(false) };
        (self.revision, self.until) = (revision, until);
        Ok(true)
    }

    /// Gives it up, so that another can have it at once; if that fails, its time has to pass.
    pub(super) async fn release(self, store: &dyn Store) {
        let freed = store.swap(&self.key, Some(self.revision), Kept::encode("", Moment(0))).await;
        if let Err(trouble) = freed {
            tracing::warn!(
                ?trouble,
                key = self.key,
                "a shard cannot be given back; its lease has to run out"
            );
        }
    }
}
