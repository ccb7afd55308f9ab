//! Submits an event at each tick of a schedule.
//!
//! Every runtime that has the trigger submits every tick, under the tick's name as its key: so there is one event for each
//! tick, and none is lost with the runtime that would have submitted it. How far they have come stands in the store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::broker::{Draft, Once, State, SubmissionId, Trouble};
use crate::context::Context;
use crate::delivery::{Delivery, PAUSE, Parcel, channel_of};
use crate::event::Event;
use crate::schedule::{Jitter, Schedule, tick_name};
use crate::wall::Moment;

/// A tick that is later than this was missed.
const GRACE: i64 = 60_000;
/// How many missed ticks are made up for at most, the newest ones.
const MOST_MISSED: usize = 1_000;
/// How long a tick's name is known to be taken; longer than any runtime may lag behind another.
const WINDOW: Duration = Duration::from_secs(48 * 3600);
/// How far ahead the others may have come; less than the window, as what they submitted must not be submitted again.
const AHEAD: i64 = 24 * 3_600_000;

/// What becomes of ticks at which no runtime was there, the machine slept, or over which its clock was set: those that
/// are more than a minute late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missed {
    /// They are left out.
    #[default]
    Skip,
    /// The last one is made up for.
    Once,
    /// All are made up for, up to 1,000, the newest ones.
    All,
}

impl Missed {
    /// Returns how many are made up for.
    fn most(self) -> usize {
        match self {
            Self::Skip => 0,
            Self::Once => 1,
            Self::All => MOST_MISSED,
        }
    }
}

/// What becomes of a tick while the event of the one before is not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overlap {
    /// Both run at once.
    Allow,
    /// Its event waits until the one before is done or given up.
    #[default]
    Wait,
    /// It is left out.
    Skip,
}

/// A schedule, and what its ticks become.
pub(crate) struct Timetable {
    pub(crate) name: String,
    pub(crate) schedule: Schedule,
    pub(crate) jitter: Jitter,
    pub(crate) target: String,
    pub(crate) function: String,
    pub(crate) event: Event,
    pub(crate) missed: Missed,
    pub(crate) overlap: Overlap,
}

/// How far all runtimes have come.
#[derive(Serialize, Deserialize)]
struct Progress {
    /// The last tick that was submitted or left out.
    tick: i64,
    /// What it was kept as.
    id: Option<String>,
}

/// Follows one timetable.
pub(crate) struct Ticker {
    pub(crate) delivery: Arc<Delivery>,
    pub(crate) table: Timetable,
}

impl Ticker {
    pub(crate) async fn run(self) {
        loop {
            match self.step().await {
                Ok(Some(wake)) => self.delivery.wall.until(wake).await,
                Ok(None) | Err(Trouble::Closed) => return,
                Err(trouble) => {
                    tracing::warn!(
                        ?trouble,
                        trigger = self.table.name,
                        "a tick cannot be submitted; it is tried again"
                    );
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Submits what is due, and tells when the next tick is; none if there will never be one.
    async fn step(&self) -> Result<Option<Moment>, Trouble> {
        let (mut progress, mut revision) = self.load().await?;
        let now = self.delivery.wall.now().0 as i64;
        for tick in self.due(progress.tick, now) {
            let id = self.submit(tick, progress.id.as_deref()).await?;
            progress = Progress { tick, id: id.or(progress.id) };
            revision = match self.save(&progress, Some(revision)).await? {
                Some(revision) => revision,
                // Another runtime was faster: it goes on from where that one is.
                None => return Ok(Some(Moment(now as u64))),
            };
        }
        // What was left out is not looked at again, but need not be noted before the next tick.
        let from = self.table.schedule.last_between(progress.tick, self.recent(now)).unwrap_or(progress.tick);
        Ok(self.next_due(from, now))
    }

    /// Returns when the first tick comes that is not due yet.
    fn next_due(&self, from: i64, now: i64) -> Option<Moment> {
        let mut tick = from;
        loop {
            tick = self.table.schedule.next_after(tick)?;
            let at = self.due_at(tick);
            if at > now {
                return Some(Moment(at as u64));
            }
        }
    }

    fn due_at(&self, tick: i64) -> i64 {
        let delay = self.table.jitter.delay(&self.table.name, tick);
        tick.saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX))
    }

    /// Returns a moment up to which every tick is missed that was not submitted.
    fn recent(&self, now: i64) -> i64 {
        now - GRACE - i64::try_from(self.table.jitter.most().as_millis()).unwrap_or(i64::MAX / 2)
    }

    /// Returns the ticks to be submitted now, oldest first.
    fn due(&self, last: i64, now: i64) -> Vec<i64> {
        let schedule = &self.table.schedule;
        // Of what is long past only the newest ticks can matter.
        let begin = self.begin(last, now);
        let ticks = schedule.ticks_between(begin, now, usize::MAX);
        // Up to the first that is not due: a later one that its jitter lets come sooner waits, so that none is passed over.
        let ticks: Vec<i64> = ticks.take_while(|tick| self.due_at(*tick) <= now).collect();
        let (late, timely): (Vec<i64>, Vec<i64>) =
            ticks.into_iter().partition(|tick| self.due_at(*tick) + GRACE < now);
        late[late.len().saturating_sub(self.table.missed.most())..].iter().copied().chain(timely).collect()
    }

    /// Finds from when on ticks are looked at: no more than may be made up for.
    fn begin(&self, last: i64, now: i64) -> i64 {
        let schedule = &self.table.schedule;
        let mut begin = last.max(self.recent(now));
        for _ in 0..self.table.missed.most() {
            match schedule.last_between(last, begin) {
                Some(tick) => begin = tick - 1,
                None => break,
            }
        }
        begin.max(last)
    }

    /// Submits the event of a tick; none if it is left out as the one before is not done.
    async fn submit(&self, tick: i64, before: Option<&str>) -> Result<Option<String>, Trouble> {
        let store = &self.delivery.store;
        if self.table.overlap == Overlap::Skip
            && let Some(before) = before
        {
            let state = store.state(&SubmissionId::new(before)).await?;
            if matches!(state, Some(State::Waiting { .. } | State::Running { .. })) {
                tracing::info!(
                    trigger = self.table.name,
                    tick,
                    "a tick is left out, as the one before is not done"
                );
                return Ok(None);
            }
        }
        let kept = store.put(vec![self.draft(tick)]).await?;
        Ok(kept.into_iter().next().map(|kept| kept.id.as_str().to_owned()))
    }

    fn draft(&self, tick: i64) -> Draft {
        let name = tick_name(&self.table.name, tick);
        let event =
            self.table.event.clone().with_id(name.clone()).with_time(Moment(tick as u64).to_rfc3339());
        let context = Context::new().with_attribute("trigger", self.table.name.clone());
        Draft {
            channel: channel_of(&self.table.function),
            payload: Parcel::new(event, self.table.target.clone(), &context).encode(),
            key: (self.table.overlap == Overlap::Wait).then(|| format!("trigger {}", self.table.name).into()),
            due: self.delivery.wall.now(),
            once: Some(Once { key: format!("cron.{name}").into(), window: WINDOW }),
        }
    }

    fn key(&self) -> String {
        format!("cron.{}", self.table.name)
    }

    /// Reads how far all have come; who is first, or cannot make sense of it, begins with now.
    async fn load(&self) -> Result<(Progress, u64), Trouble> {
        loop {
            let (known, now) =
                (self.delivery.store.get(&self.key()).await?, self.delivery.wall.now().0 as i64);
            let revision = known.as_ref().map(|known| known.revision);
            let progress = known.and_then(|known| postcard::from_bytes::<Progress>(&known.value).ok());
            // A clock that was far ahead must not stop all others until then.
            let progress = progress.filter(|progress| progress.tick.saturating_sub(now) < AHEAD);
            if let (Some(progress), Some(revision)) = (progress, revision) {
                return Ok((progress, revision));
            }
            let progress = Progress { tick: now, id: None };
            if let Some(revision) = self.save(&progress, revision).await? {
                return Ok((progress, revision));
            }
        }
    }

    async fn save(&self, progress: &Progress, revision: Option<u64>) -> Result<Option<u64>, Trouble> {
        let value = postcard::to_stdvec(progress).expect("numbers and text can be written");
        self.delivery.store.swap(&self.key(), revision, Bytes::from(value)).await
    }
}
