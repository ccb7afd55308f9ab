//! One connection to a server, closed when it is dropped.

use std::fmt;
use std::sync::Arc;

use hyper::client::conn::http1;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::origin::Origin;
use super::sending::Sending;

/// Who may use a connection again: the tenant that it was opened for, for the same origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) origin: Origin,
    pub(crate) tenant: Option<Arc<str>>,
}

/// A connection that one request at a time goes over.
pub(crate) struct Connection {
    pub(crate) sender: http1::SendRequest<Sending>,
    /// Where its driver runs; a body may be dropped on a thread that knows no runtime.
    pub(crate) runtime: Handle,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Lets the connection run by itself.
    pub(crate) fn drive(
        sender: http1::SendRequest<Sending>,
        driver: impl Future<Output = hyper::Result<()>> + Send + 'static,
    ) -> Self {
        let runtime = Handle::current();
        // What goes wrong there is told to whoever waits for the answer.
        let driver = runtime.spawn(async { drop(driver.await) });
        Self { sender, runtime, driver }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("closed", &self.sender.is_closed()).finish_non_exhaustive()
    }
}
