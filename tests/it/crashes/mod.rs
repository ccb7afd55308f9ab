//! Nothing that was acknowledged is lost, however often its process is killed.
//!
//! A child process submits and handles events and notes both in files; the test kills it again and again, and in the end
//! accounts for each event that was acknowledged.

mod account;
mod child;
#[cfg(all(feature = "nats", feature = "cron"))]
mod crew;
mod embedded;
mod full;
mod notes;
mod steps;
mod submitter;

/// The number of kills, unless a test's own.
const KILLS: &str = "FNHOST_TEST_KILLS";

/// Returns how often a child is killed.
fn kills(unless_set: u32) -> u32 {
    std::env::var(KILLS).ok().and_then(|kills| kills.parse().ok()).unwrap_or(unless_set)
}
