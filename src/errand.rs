//! Work that takes long, done on a thread of its own.

use std::thread;

use tokio::sync::oneshot;

use crate::error::ErrorKind;

/// The compiler recurses deeply on deeply nested code.
const STACK: usize = 8 << 20;

/// Does work on a thread of its own; nothing is answered when it panicked.
///
/// # Cancel safety
///
/// Dropping the future does not stop the work; what comes of it is forgotten.
pub(crate) async fn run<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Option<T>, ErrorKind> {
    let (answer, done) = oneshot::channel();
    let run = move || {
        // Nobody listens when the future was dropped.
        let _ = answer.send(work());
    };
    let thread = thread::Builder::new().name(name.into()).stack_size(STACK);
    thread
        .spawn(run)
        .map_err(|error| ErrorKind::Engine { reason: format!("a thread cannot start: {error}") })?;
    Ok(done.await.ok())
}
