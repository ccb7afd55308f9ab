//! What one invocation may consume.

use std::time::Duration;

/// One mebibyte.
pub(crate) const MIB: u64 = 1 << 20;
/// What one page of linear memory holds.
pub(crate) const PAGE: u64 = 64 << 10;

/// The limits of one function.
///
/// Each has a default, a setter of the same name on [`Function`](crate::Function), and an error of its
/// own when an event meets it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Linear memory of one guest, summed over all its memories; 128 MiB.
    pub memory: u64,
    /// Elements of one table; 20,000.
    pub table_elements: u32,
    /// The time a handler may take; 3 seconds.
    pub timeout: Duration,
    /// The time that making a guest and its init may take; 10 seconds.
    pub init_timeout: Duration,
    /// The time that an event may wait to start; 30 seconds.
    pub queue_timeout: Duration,
    /// Body of an event; 6 MiB.
    pub event: u64,
    /// Body of a response; 6 MiB.
    pub response: u64,
    /// What the guest may log for one event; 256 KiB. More is cut and counted.
    pub log: u64,
    /// Size of the code; 64 MiB.
    pub code: u64,
    /// What a guest may hand to the host in one call; the response limit and 1 MiB more unless set.
    pub host_call: Option<u64>,
    /// Fuel for one event, where the runtime meters it; none unless set.
    pub fuel: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 128 * MIB,
            table_elements: 20_000,
            timeout: Duration::from_secs(3),
            init_timeout: Duration::from_secs(10),
            queue_timeout: Duration::from_secs(30),
            event: 6 * MIB,
            response: 6 * MIB,
            log: 256 << 10,
            code: 64 * MIB,
            host_call: None,
            fuel: None,
        }
    }
}

impl Limits {
    /// Returns what a guest may hand to the host in one call.
    pub fn host_call_bytes(&self) -> u64 {
        self.host_call.unwrap_or(self.response.saturating_add(MIB))
    }
}
