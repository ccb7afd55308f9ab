//! What is known of one invocation.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longest tenant name.
const MAX_TENANT: usize = 256;

/// Names one invocation: unique, sortable by time, written as a UUID of version 7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u128);

thread_local! {
    /// A random start for this thread, and how many ids it has made.
    static SEQUENCE: Cell<(u64, u64)> = Cell::new((RandomState::new().build_hasher().finish(), 0));
}

impl RequestId {
    /// Makes a new one; no lock, no system call for randomness.
    #[allow(clippy::new_without_default, reason = "each call answers another value")]
    pub fn new() -> Self {
        Self::at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// Makes one for a moment, given as the time since the Unix epoch.
    fn at(since: Duration) -> Self {
        // In 64 bits throughout: a division of 128 costs as much as all the rest.
        let ms = since.as_secs() * 1_000 + u64::from(since.subsec_millis());
        // What is below the millisecond, in steps of 244 ns, keeps ids of one thread in order.
        let fraction = u64::from(since.subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
        let (high, low) = ((ms << 16) | 7 << 12 | fraction, 0b10 << 62 | next_random() >> 2);
        Self(u128::from(high) << 64 | u128::from(low))
    }

    /// Returns the id as text, without the detour over a formatter.
    pub(crate) fn to_shared_text(self) -> Arc<str> {
        self.text().as_str().into()
    }

    /// Makes a trace of which nobody has asked that it be recorded; neither of its ids can be zero.
    #[cfg(feature = "http")]
    pub(crate) fn to_traceparent(self) -> Arc<str> {
        let digits = self.digits();
        let mut text = *b"00-????????????????????????????????-????????????????-00";
        for (at, digits) in [3, 11, 19, 27, 36, 44].into_iter().zip(digits.iter().chain(&digits[2..])) {
            text[at..at + 8].copy_from_slice(digits);
        }
        std::str::from_utf8(&text).expect("hexadecimal digits are ASCII").into()
    }

    fn text(self) -> Text {
        // All digits at once, 16 in each number: a loop over them was a twentieth of a small event (bench `peers`).
        let digits = self.digits();
        let mut text = [b'-'; 36];
        text[..8].copy_from_slice(&digits[0]);
        text[9..13].copy_from_slice(&digits[1][..4]);
        text[14..18].copy_from_slice(&digits[1][4..]);
        text[19..23].copy_from_slice(&digits[2][..4]);
        text[24..28].copy_from_slice(&digits[2][4..]);
        text[28..].copy_from_slice(&digits[3]);
        Text(text)
    }

    fn digits(self) -> [[u8; 8]; 4] {
        let (high, low) = ((self.0 >> 64) as u64, self.0 as u64);
        [hex(high >> 32), hex(high), hex(low >> 32), hex(low)]
    }

    /// Takes an id that was made before.
    pub(crate) fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// Returns the id as a number.
    pub fn as_u128(self) -> u128 {
        self.0
    }
}

/// Writes the lower 32 bits as eight hexadecimal digits.
fn hex(bits: u64) -> [u8; 8] {
    // Each half byte gets a byte of its own, the first one lowest.
    let mut spread = bits.swap_bytes() >> 32;
    spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
    spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    spread = (spread >> 4 | spread << 8) & 0x0f0f_0f0f_0f0f_0f0f;
    // What is above nine needs 39 more to get from behind the nine to the a.
    let letters = (spread + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (spread + 0x3030_3030_3030_3030 + letters * 39).to_le_bytes()
}

/// A permutation of a counter from a random start: never the same twice on one thread, and two threads meet
/// only by the chance of 2^-62 for each pair of ids of one 244 ns.
fn next_random() -> u64 {
    let (start, count) = SEQUENCE.get();
    SEQUENCE.set((start, count.wrapping_add(1)));
    let mut z = start.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// An id as text.
struct Text([u8; 36]);

impl Text {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

thread_local! {
    /// When this thread last looked at both clocks.
    static ANCHOR: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
}

/// How long the two clocks are taken to run alike.
const ANCHOR_LIFE: Duration = Duration::from_millis(100);

/// Tells the time since the Unix epoch at a moment that is now.
fn unix_time(now: Instant) -> Duration {
    match ANCHOR.get().map(|(at, time)| (now.saturating_duration_since(at), time)) {
        Some((passed, time)) if passed < ANCHOR_LIFE => time + passed,
        _ => {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            ANCHOR.set(Some((now, time)));
            time
        }
    }
}

/// What is known of a function's version, shared by all its invocations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) memory_limit: u64,
    /// The BLAKE3 hash of the code; none for native handlers.
    pub(crate) hash: Option<Arc<str>>,
}

/// What is known of one invocation.
///
/// The caller may set a tenant, an earlier deadline, a trace parent and attributes; the runtime fills in the
/// rest, and hands the whole to native handlers, granted functions and, on request, to guests.
///
/// ```
/// use std::time::Duration;
/// use fnhost::Context;
///
/// let context = Context::new()
///     .with_tenant("acme")
///     .with_timeout(Duration::from_millis(250))
///     .with_attribute("color", "blue");
/// assert_eq!(context.tenant(), Some("acme"));
/// assert_eq!(context.attribute("color"), Some("blue"));
/// ```
#[derive(Clone, Debug)]
pub struct Context {
    request_id: RequestId,
    facts: Option<Arc<Facts>>,
    attempt: u32,
    deadline: Option<Instant>,
    tenant: Option<Arc<str>>,
    traceparent: Option<Arc<str>>,
    attributes: Vec<(String, String)>,
    /// The targets that events went through until this one came of them.
    lineage: Option<Arc<[String]>>,
}

impl Context {
    /// Makes a context that says nothing yet, with a request id of its own.
    #[allow(clippy::new_without_default, reason = "each call answers another request id")]
    pub fn new() -> Self {
        Self::nobodys(RequestId::new())
    }

    /// Makes the context of an event that arrives now; `now` spares a second look at the clock.
    pub(crate) fn arriving(now: Instant) -> Self {
        Self::nobodys(RequestId::at(unix_time(now)))
    }

    /// Stands where a context was.
    pub(crate) fn nobodys(request_id: RequestId) -> Self {
        Self {
            request_id,
            facts: None,
            attempt: 1,
            deadline: None,
            tenant: None,
            traceparent: None,
            attributes: Vec::new(),
            lineage: None,
        }
    }

    /// Makes the context of an attempt at an event that was kept.
    pub(crate) fn of_attempt(request_id: RequestId, attempt: u32, lineage: Arc<[String]>) -> Self {
        Self { attempt, lineage: Some(lineage), ..Self::nobodys(request_id) }
    }

    /// Returns the targets that events went through until this one came of them.
    pub(crate) fn lineage(&self) -> &[String] {
        self.lineage.as_deref().unwrap_or_default()
    }

    /// Makes the context of another event that came with this one: the same but for its request id.
    #[cfg(feature = "http")]
    pub(crate) fn sibling(&self) -> Self {
        Self { request_id: RequestId::new(), ..self.clone() }
    }

    /// Sets whose event this is; 1 to 256 bytes. A reused guest never serves two tenants.
    #[must_use]
    pub fn with_tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Sets when the answer must be there; the function's own limits hold as well.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets how long the caller waits from now on.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        let now = Instant::now();
        match now.checked_add(timeout) {
            Some(deadline) => self.with_deadline(deadline),
            None => self,
        }
    }

    /// Sets the W3C trace parent, `00-<trace>-<parent>-<flags>`.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: impl Into<Arc<str>>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }

    /// Sets an attribute that the handler can ask for; the last of a name holds.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((name, value)),
        }
        self
    }

    /// Returns the name of this invocation.
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// Returns the function's name; empty outside of an invocation.
    pub fn function(&self) -> &str {
        self.facts.as_ref().map_or("", |facts| &facts.name)
    }

    /// Returns the function's version; 0 outside of an invocation.
    pub fn version(&self) -> u64 {
        self.facts.as_ref().map_or(0, |facts| facts.version)
    }

    /// Returns which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns when the answer must be there.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns the time left; the longest there is where no deadline is known.
    pub fn remaining(&self) -> Duration {
        self.deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Returns the function's memory limit in bytes; 0 outside of an invocation.
    pub fn memory_limit(&self) -> u64 {
        self.facts.as_ref().map_or(0, |facts| facts.memory_limit)
    }

    /// Returns whose event this is.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// Returns the W3C trace parent.
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// Returns an attribute that the caller set.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns all attributes that the caller set.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Checks what the caller set.
    pub(crate) fn check<E: From<Fault>>(&self) -> Result<(), E> {
        self.fault().map_or(Ok(()), |fault| Err(fault.into()))
    }

    fn fault(&self) -> Option<Fault> {
        if let Some(tenant) = &self.tenant
            && !(1..=MAX_TENANT).contains(&tenant.len())
        {
            let reason = format!("{} bytes long; give 1 to {MAX_TENANT}", tenant.len());
            return Some(Fault { attribute: "tenant", reason });
        }
        let traceparent = self.traceparent.as_deref()?;
        let reason = "is not 00-<32 hex>-<16 hex>-<2 hex> in lower case with ids that are not all zero";
        (!is_traceparent(traceparent)).then(|| Fault { attribute: "traceparent", reason: reason.into() })
    }

    pub(crate) fn fill_in(&mut self, facts: Arc<Facts>, deadline: Instant) {
        self.facts = Some(facts);
        self.deadline = Some(deadline);
    }

    pub(crate) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    pub(crate) fn tenant_key(&self) -> &Option<Arc<str>> {
        &self.tenant
    }
}

/// What is wrong with something that the caller set.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) attribute: &'static str,
    pub(crate) reason: String,
}

/// Tells whether a text is a W3C trace parent of version 00.
pub(crate) fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_some = |part: &[u8]| is_hex(part) && part.iter().any(|b| *b != b'0');
    let Ok(bytes) = <&[u8; 55]>::try_from(text.as_bytes()) else { return false };
    bytes.starts_with(b"00-")
        && is_some(&bytes[3..35])
        && bytes[35] == b'-'
        && is_some(&bytes[36..52])
        && bytes[52] == b'-'
        && is_hex(&bytes[53..])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_text_is_what_a_formatter_would_write() {
        let mut bits = 0x0123_4567_89ab_cdef_u64;
        for _ in 0..1_000 {
            bits = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0xfedc_ba98);
            let id = RequestId(u128::from(bits) << 64 | u128::from(bits.rotate_left(17)));
            let plain = format!("{:032x}", id.0);
            let parts = [&plain[..8], &plain[8..12], &plain[12..16], &plain[16..20], &plain[20..]];
            assert_eq!(id.to_string(), parts.join("-"));
            #[cfg(feature = "http")]
            assert_eq!(*id.to_traceparent(), format!("00-{plain}-{}-00", &plain[16..]));
        }
    }

    #[test]
    fn request_ids_are_unique_sorted_and_uuids() {
        let ids: Vec<RequestId> = (0..10_000).map(|_| RequestId::new()).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        let ordered = ids.windows(2).filter(|pair| pair[0] >> 64 <= pair[1] >> 64).count();
        assert!(ordered >= ids.len() - 2, "a clock that is set back disturbs at most a step");
        let text = ids[0].to_string();
        assert_eq!((text.len(), &text[14..15]), (36, "7"));
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
    }

    impl std::ops::Shr<u32> for RequestId {
        type Output = u128;
        fn shr(self, by: u32) -> u128 {
            self.0 >> by
        }
    }

    #[test]
    fn a_trace_parent_is_checked() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(Context::new().with_traceparent(trace).fault().is_none());
        for wrong in [
            "",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            let fault = Context::new().with_traceparent(wrong).fault().unwrap();
            assert_eq!(fault.attribute, "traceparent", "{wrong}");
        }
    }

    #[test]
    fn a_tenant_has_a_length() {
        assert!(Context::new().with_tenant("").fault().is_some());
        assert!(Context::new().with_tenant("x".repeat(257)).fault().is_some());
        assert!(Context::new().with_tenant("x".repeat(256)).fault().is_none());
    }

    #[test]
    #[cfg(feature = "http")]
    fn a_sibling_differs_in_its_request_id_alone() {
        let context =
            Context::new().with_tenant("acme").with_attribute("a", "1").with_timeout(Duration::MAX / 2);
        let sibling = context.sibling();
        assert_ne!(sibling.request_id(), context.request_id());
        let same = Context { request_id: context.request_id(), ..sibling };
        assert_eq!(format!("{same:?}"), format!("{context:?}"));
    }

    #[test]
    fn the_last_attribute_of_a_name_holds() {
        let context = Context::new().with_attribute("a", "1").with_attribute("a", "2");
        assert_eq!(context.attributes().collect::<Vec<_>>(), [("a", "2")]);
    }
}
