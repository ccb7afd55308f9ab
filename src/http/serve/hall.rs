//! Where connections are counted, told what to do, and found when there is no room for more.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::connection::{Connection, Order};

/// All connections of one server.
pub(super) struct Hall {
    bound: usize,
    seats: Mutex<Seats>,
    door: Arc<Door>,
}

#[derive(Default)]
struct Seats {
    next: u64,
    taken: HashMap<u64, Arc<Connection>>,
}

/// Where whoever accepts connections waits for room.
#[derive(Default)]
pub(super) struct Door {
    is_full: AtomicBool,
    freed: Notify,
}

impl Door {
    /// A connection has become idle; that matters only while there is no room.
    pub(super) fn tell_idle(&self) {
        if self.is_full.load(SeqCst) {
            self.freed.notify_one();
        }
    }
}

impl Hall {
    pub(super) fn new(bound: usize) -> Self {
        Self { bound, seats: Mutex::default(), door: Arc::default() }
    }

    pub(super) fn door(&self) -> &Arc<Door> {
        &self.door
    }

    /// Waits until there is room for one more, and lets the connection go that has waited longest for a request.
    pub(super) async fn room(&self) {
        loop {
            // The flag first, so that whoever becomes idle after the look at them all tells.
            self.door.is_full.store(true, SeqCst);
            if self.seats.lock().taken.len() < self.bound {
                self.door.is_full.store(false, SeqCst);
                return;
            }
            self.spare_one();
            self.door.freed.notified().await;
        }
    }

    /// Tells the connection that has waited longest for a request to leave.
    pub(super) fn spare_one(&self) {
        let seats = self.seats.lock();
        let waiting =
            seats.taken.values().filter_map(|connection| Some((connection.waiting_since()?, connection)));
        let longest = waiting.min_by_key(|(since, _)| *since).map(|(_, connection)| Arc::clone(connection));
        drop(seats);
        if let Some(connection) = longest {
            connection.order(Order::Leave);
        }
    }

    /// Tells all connections the same, and answers how many there are and how many requests they have in flight.
    pub(super) fn order_all(&self, order: Order) -> (usize, usize) {
        let all: Vec<_> = self.seats.lock().taken.values().cloned().collect();
        let requests = all.iter().map(|connection| connection.requests()).sum();
        for connection in &all {
            connection.order(order);
        }
        (all.len(), requests)
    }

    /// Waits until the last connection is gone.
    pub(super) async fn emptied(&self) {
        while !self.seats.lock().taken.is_empty() {
            self.door.freed.notified().await;
        }
    }

    /// Takes a seat for a connection, to be served by the thread with that load.
    pub(super) fn enter(self: &Arc<Self>, connection: Connection, load: &Arc<AtomicUsize>) -> Seat {
        let connection = Arc::new(connection);
        let mut seats = self.seats.lock();
        let number = seats.next;
        seats.next += 1;
        seats.taken.insert(number, Arc::clone(&connection));
        drop(seats);
        load.fetch_add(1, SeqCst);
        Seat { hall: Arc::clone(self), number, connection, load: Arc::clone(load) }
    }
}

/// A connection's seat, free again once this is dropped.
pub(super) struct Seat {
    hall: Arc<Hall>,
    number: u64,
    connection: Arc<Connection>,
    load: Arc<AtomicUsize>,
}

impl Seat {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.load.fetch_sub(1, SeqCst);
        self.hall.seats.lock().taken.remove(&self.number);
        self.hall.door.freed.notify_one();
    }
}
