//! Work that takes long, done on a thread of its own.

use std::thread;

use tokio::sync::oneshot;

use crate::error::ErrorKind;

/// The compiler recurses deeply on deeply nested code.
const STACK: usize = 8 << 20;

/// Who waits for what comes of an errand.
pub(crate) type Wanted<T> = oneshot::Sender<T>;

/// Does work on a thread of its own; nothing is answered when it panicked.
///
/// # Cancel safety
///
/// Dropping the future does not stop the work; what comes of it is forgotten.
pub(crate) async fn run<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Option<T>, ErrorKind> {
    run_while_wanted(name, |_| Some(work())).await
}

/// Does work that may look whether it is still wanted, and answers nothing when it is not.
pub(crate) async fn run_while_wanted<T: Send + 'static>(
    name: &str,
    work: impl FnOnce(&mut Wanted<T>) -> Option<T> + Send + 'static,
) -> Result<Option<T>, ErrorKind> {
    let (mut answer, done) = oneshot::channel();
    let run = move || {
        if let Some(done) = work(&mut answer) {
            // Nobody listens when the future was dropped.
            let _ = answer.send(done);
        }
    };
    let thread = thread::Builder::new().name(name.into()).stack_size(STACK);
    thread
        .spawn(run)
        .map_err(|error| ErrorKind::Engine { reason: format!("a thread cannot start: {error}") })?;
    Ok(done.await.ok())
}
