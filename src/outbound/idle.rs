//! Connections that wait for another request.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::{sleep_until, timeout};

use super::connection::{Connection, Key};

/// How long a connection whose answer was read to the end may take to say that it is ready or closed.
const SETTLING: Duration = Duration::from_millis(100);

/// The idle connections of one function; what is never taken again is closed in time.
#[derive(Debug)]
pub(crate) struct Idle {
    most: usize,
    time: Duration,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// Ordered by when they came.
    kept: VecDeque<Kept>,
    swept: bool,
}

#[derive(Debug)]
struct Kept {
    key: Key,
    until: Instant,
    connection: Connection,
}

impl Idle {
    pub(crate) fn new(most: usize, time: Duration) -> Self {
        Self { most, time, shelf: Mutex::default() }
    }

    /// Takes the connection that was used last, if there is one that still lives.
    ///
    /// # Cancel safety
    ///
    /// A connection that was taken is closed when the future is dropped.
    pub(crate) async fn take(&self, key: &Key) -> Option<Connection> {
        loop {
            let mut connection = self.pop(key)?;
            if let Ok(Ok(())) = timeout(SETTLING, connection.sender.ready()).await {
                return Some(connection);
            }
        }
    }

    fn pop(&self, key: &Key) -> Option<Connection> {
        let mut shelf = self.shelf.lock();
        let now = Instant::now();
        let at = shelf.kept.iter().rposition(|kept| kept.key == *key && now < kept.until)?;
        shelf.kept.remove(at).map(|kept| kept.connection)
    }

    /// Keeps a connection, in the place of the oldest if there are too many.
    pub(crate) fn put(self: &Arc<Self>, key: Key, connection: Connection) {
        if self.most == 0 || connection.sender.is_closed() {
            return;
        }
        let runtime = connection.runtime.clone();
        let mut shelf = self.shelf.lock();
        let oldest = if shelf.kept.len() < self.most { None } else { shelf.kept.pop_front() };
        shelf.kept.push_back(Kept { key, until: Instant::now() + self.time, connection });
        let is_swept = std::mem::replace(&mut shelf.swept, true);
        drop(shelf);
        drop(oldest);
        if !is_swept {
            runtime.spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Closes what has been idle for too long; returns when to look again, unless nothing is left.
    fn close_expired(&self) -> Option<Instant> {
        let mut shelf = self.shelf.lock();
        let now = Instant::now();
        let expired = shelf.kept.partition_point(|kept| kept.until <= now);
        let closed: Vec<_> = shelf.kept.drain(..expired).collect();
        let next = shelf.kept.front().map(|kept| kept.until);
        shelf.swept = next.is_some();
        drop(shelf);
        drop(closed);
        next
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shelf.lock().kept.len()
    }
}

async fn sweep(idle: Weak<Idle>) {
    while let Some(next) = idle.upgrade().and_then(|idle| idle.close_expired()) {
        sleep_until(next.into()).await;
    }
}
