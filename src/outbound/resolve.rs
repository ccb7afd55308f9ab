//! From a name to its addresses.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// A future without a name.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Lookups of one function at once: less than the threads there are, as one that hangs keeps its thread.
const LOOKUPS: usize = 4;

/// Finds the addresses of a name.
///
/// Its answers are judged and not trusted; the ports in them are connected to as they are, so that a test can send
/// `api.example.com:443` to a port of its own.
pub(crate) trait Resolve: fmt::Debug + Send + Sync {
    /// Looks up a name; called once for each connection.
    fn resolve(&self, name: Arc<str>, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>>;
}

/// The resolver of the operating system, with its files and its search list.
#[derive(Debug)]
pub(crate) struct SystemResolver {
    lookups: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { lookups: Arc::new(Semaphore::new(LOOKUPS)) }
    }
}

impl SystemResolver {
    /// Does the work on a thread that may block, once so few others do.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> BoxFuture<io::Result<T>> {
        let lookups = Arc::clone(&self.lookups);
        Box::pin(async move {
            let permit = lookups.acquire_owned().await.map_err(io::Error::other)?;
            let work = move || {
                // Goes with the work: nobody can stop a lookup that was given up.
                let _permit = permit;
                work()
            };
            tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
        })
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Arc<str>, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        self.run(move || (&*name, port).to_socket_addrs().map(Iterator::collect))
    }
}
