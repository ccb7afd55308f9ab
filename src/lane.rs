//! Which lane a thread keeps to: counters, references and engines are split by it, so that threads stay apart.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::runtime::{Handle, RuntimeFlavor};

thread_local! {
    /// The thread runs its async runtime for as long as it lives.
    static STEADY: Cell<bool> = const { Cell::new(false) };
    static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Returns this thread's number, given round robin; whoever has fewer lanes takes it modulo.
pub(crate) fn home() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NUMBER.get().unwrap_or_else(|| {
        let number = NEXT.fetch_add(1, Relaxed);
        NUMBER.set(Some(number));
        number
    })
}

/// Says that this thread runs its async runtime for as long as it lives.
#[cfg(feature = "http")]
pub(crate) fn settle() {
    STEADY.set(true);
}

/// Returns the async runtime of this thread, if a task that is put there will go on.
///
/// One of a single thread goes on only while that thread is in it, and nobody knows how long that is.
pub(crate) fn runtime() -> Option<Handle> {
    let here = Handle::try_current().ok()?;
    (here.runtime_flavor() == RuntimeFlavor::MultiThread || STEADY.get()).then_some(here)
}
