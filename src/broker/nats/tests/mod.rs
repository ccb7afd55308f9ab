//! Against a real server.

mod crew;
mod danger;
mod once;
mod rate;
mod restarts;
mod server;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use self::server::Server;
use crate::broker::conformance::{Rig, conforms};
use crate::broker::nats::{Cluster, Nats};
use crate::broker::{Bounds, Store};
use crate::clock::Clock;
use crate::wall::Wall;

/// Returns a namespace that no other test has.
fn namespace() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("t{}", NEXT.fetch_add(1, SeqCst))
}

/// Returns the system's time, and the clock that it stands on.
fn wall() -> (Wall, Clock) {
    let clock = Clock::start(1, || ()).unwrap();
    (Wall::System(Arc::clone(clock.face())), clock)
}

fn open(nats: Nats, bounds: Bounds, wall: Wall) -> Arc<Cluster> {
    std::thread::spawn(move || Cluster::open(nats, bounds, wall).unwrap()).join().unwrap()
}

async fn rig(bounds: Bounds) -> Rig {
    let (wall, clock) = wall();
    let nats = Nats::at(Server::shared().url()).namespace(namespace()).ack_wait(Duration::from_secs(5));
    let store = open(nats, bounds, wall.clone());
    Rig { store: store as Arc<dyn Store>, wall, clock: None, _ground: Box::new(clock) }
}

conforms!(rig);
