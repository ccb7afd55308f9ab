//! HTTP: requests to a component behind the gateway, beside a bare route of axum and the same component under the
//! bare engine, served as `wasmtime serve` does.
//!
//! `cargo bench --bench http` lets them take turns in one process, with 64 connections each; names of guests select
//! some. `-- serve WHO [GUEST] PORT` serves one of them until the process is stopped, for a load generator such as
//! `wrk -t2 -c64`. The guest in JavaScript is built by `tests/guests/large/build.sh http-spidermonkey`; without it its
//! lines are left out.

#[path = "../kit/mod.rs"]
mod kit;
mod bare;
mod floor;
mod guest;
mod load;
mod serving;
mod turns;
mod twin;

use std::net::TcpListener;

use crate::guest::Guest;
use crate::kit::{Effort, is_wanted};
use crate::serving::Who;
use crate::turns::compare;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["serve", who, port] => serve(who, "hello", port),
        ["serve", who, guest, port] => serve(who, guest, port),
        ["serve", ..] => {
            println!(
                "usage: serve axum|axum-serve|fnhost|warm|handler|bare|twin|tuned [hello|p3|spidermonkey] PORT"
            )
        }
        _ => take_turns(Effort::from_args()),
    }
}

fn serve(who: &str, guest: &str, port: &str) {
    let who = Who::named(who).expect("one of those that are served");
    let guest = Guest::named(guest).expect("one of the guests, and built");
    let port: u16 = port.parse().expect("a port");
    serving::serve(who, &guest, TcpListener::bind(("127.0.0.1", port)).expect("a free port"));
}

fn take_turns(effort: Effort) {
    println!("thousand requests a second, and ours to theirs: the median round, the lowest and the highest");
    for (name, whos) in [
        ("hello", &[Who::Axum, Who::Handler, Who::Twin, Who::Tuned][..]),
        ("p3", &[Who::Twin, Who::Tuned]),
        ("spidermonkey", &[Who::Tuned]),
    ] {
        if !is_wanted(name) {
            continue;
        }
        match Guest::named(name) {
            Some(guest) => compare(effort, &guest, whos),
            None => println!("{name}: not built"),
        }
    }
}
