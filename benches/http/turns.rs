//! Ours and theirs take turns under the same load.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use crate::guest::Guest;
use crate::kit::{Effort, spread};
use crate::load::Load;
use crate::serving::{self, Who};

const CONNECTIONS: usize = 64;

/// Prints a line for ours and each of the others.
pub(crate) fn compare(effort: Effort, guest: &Guest, others: &[Who]) {
    let guest = Arc::new(Guest::named(guest.name).expect("it is there"));
    let whos: Vec<Who> = std::iter::once(Who::Fnhost).chain(others.iter().copied()).collect();
    let mut loads: Vec<Load> = whos.iter().map(|who| Load::open(start(*who, &guest), CONNECTIONS)).collect();
    for load in &mut loads {
        load.run(effort.slice);
    }
    let slice = effort.slice.min(Duration::from_millis(190));
    let rounds: Vec<Vec<f64>> =
        (0..effort.rounds).map(|_| loads.iter_mut().map(|load| load.run(slice)).collect()).collect();
    for (at, who) in whos.iter().enumerate() {
        let rate = spread(rounds.iter().map(|rates| rates[at])).1 / 1e3;
        let (lowest, median, highest) = spread(rounds.iter().map(|rates| rates[0] / rates[at]));
        let name = format!("{} {}", guest.name, who.name());
        println!("{name:<32} {rate:>8.2}   {median:>6.2} ({lowest:.2} .. {highest:.2})");
    }
}

fn start(who: Who, guest: &Arc<Guest>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let guest = Arc::clone(guest);
    std::thread::spawn(move || serving::serve(who, &guest, listener));
    address
}
