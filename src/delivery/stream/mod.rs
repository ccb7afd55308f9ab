//! Records in order, over shards, read from a position.
//!
//! It promises that the records of one key are delivered one after another in the order in which they were appended, each at
//! least once until it is done or given up, as long as the stream keeps it; that a batch that fails holds up its shard
//! and no other; and that of several runtimes on one store one reads a shard at a time, and another goes on when it dies.
//!
//! The store keeps a checkpoint of each shard, the first sequence that is not done. How often a batch has failed and how
//! it was halved is known in memory only: after a restart, or in another runtime, the records from the checkpoint on are
//! tried as if they had not been.
//!
//! An answer that names failed records (`batchItemFailures`, by sequence or by the event's id) means that all before the
//! lowest of them are done. Identifiers that name no record of the batch are ignored, as function services do for streams
//! (for queues they mean that all have failed). A record that was the lowest as often as a batch may be tried is given up
//! alone.
//!
//! It does not share shards out evenly: a runtime takes each that is free when it looks.

mod attempt;
mod checkpoint;
mod claim;
mod collect;
mod consumers;
mod farewell;
mod journal;
mod reader;
mod record;
mod settings;
#[cfg(test)]
mod tests;
mod trial;
mod trigger;

pub(crate) use self::consumers::Consumers;
pub(crate) use self::journal::{Journal, Upkeep};
pub use self::settings::EventStreamOptions;
pub(crate) use self::trigger::Consumer;
pub use self::trigger::{Position, StreamTrigger};
