//! What every store promises, in a folder.

use std::time::SystemTime;

use super::Folder;
use crate::broker::Bounds;
use crate::broker::conformance::{Rig, conforms};
use crate::broker::embedded::{Embedded, Probe};
use crate::wall::{ManualClock, Wall};

async fn rig(bounds: Bounds) -> Rig {
    let clock = ManualClock::at(SystemTime::now());
    let wall = Wall::Manual(clock.clone());
    let folder = Folder::new();
    let store = Embedded::open(&folder.0, wall.clone(), bounds, Probe::default()).unwrap();
    Rig { store, wall, clock: Some(clock), _ground: Box::new(folder) }
}

conforms!(rig);
