//! What every store promises, in memory.

use std::time::SystemTime;

use crate::broker::conformance::{Rig, conforms};
use crate::broker::{Bounds, Memory};
use crate::wall::{ManualClock, Wall};

async fn rig(bounds: Bounds) -> Rig {
    let clock = ManualClock::at(SystemTime::now());
    let wall = Wall::Manual(clock.clone());
    let store = Memory::new(wall.clone(), bounds);
    Rig { store, wall, clock: Some(clock), _ground: Box::new(()) }
}

conforms!(rig);
