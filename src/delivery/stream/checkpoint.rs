//! How far a shard has been read.
//!
//! Who begins to read a shard writes the checkpoint anew, as it was, and moves it on only at the revision that came of that.
//! So whoever read the shard before cannot move it any more, neither on nor back, however late it wakes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::broker::{Shard, Store, Trouble};
use crate::delivery::stream::Position;

/// What the store keeps of it.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// A trigger of the same name may have read another stream.
    stream: String,
    /// Who wrote it; for who looks.
    owner: String,
    next: u64,
}

/// How far a shard has been read, by its only reader.
pub(super) struct Checkpoint {
    key: String,
    owner: String,
    stream: String,
    next: u64,
    revision: u64,
}

impl Checkpoint {
    /// Takes over where the last reader was, or begins at a position; none if another is faster.
    pub(super) async fn take(
        store: &dyn Store,
        (key, owner): (&str, &str),
        shard: &Shard,
        start: Position,
    ) -> Result<Option<Self>, Trouble> {
        let known = store.get(key).await?;
        let kept = known.as_ref().and_then(|known| serde_json::from_slice::<Kept>(&known.value).ok());
        let next = match kept.filter(|kept| *kept.stream == *shard.stream) {
            Some(kept) => kept.next,
            None => begin(store, shard, start).await?,
        };
        let (key, owner, stream) = (key.into(), owner.into(), shard.stream.to_string());
        let mut taken = Self { key, owner, stream, next, revision: 0 };
        let revision = known.map(|known| known.revision);
        Ok(taken.write(store, revision, next).await?.then_some(taken))
    }

    /// Returns the first sequence that is not done.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Moves it on; false if another reads the shard by now.
    pub(super) async fn advance(&mut self, store: &dyn Store, next: u64) -> Result<bool, Trouble> {
        self.write(store, Some(self.revision), next).await
    }

    async fn write(&mut self, store: &dyn Store, revision: Option<u64>, next: u64) -> Result<bool, Trouble> {
        let kept = Kept { stream: self.stream.clone(), owner: self.owner.clone(), next };
        let value = Bytes::from(serde_json::to_vec(&kept).expect("text and numbers can be written"));
        let Some(revision) = store.swap(&self.key, revision, value).await? else { return Ok(false) };
        (self.revision, self.next) = (revision, next);
        Ok(true)
    }
}

async fn begin(store: &dyn Store, shard: &Shard, start: Position) -> Result<u64, Trouble> {
    match start {
        Position::Latest => store.end(shard).await,
        Position::Oldest => Ok(1),
        Position::At(time) => store.seek(shard, time.into()).await,
    }
}
