//! fnhost: one runtime with its defaults; threads share the function.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use fnhost::{Event, Function, Handler, Isolation, Runtime};

use crate::crew::Worker;
use crate::work::{Guest, Life, Work};

pub(crate) fn workers(runtime: &Runtime, work: &Work, life: Life, threads: usize) -> Vec<Worker> {
    let handler = deploy(runtime, work.guest, life);
    (0..threads).map(|_| worker(handler.clone(), work)).collect()
}

/// Each case has a function of its own, so that none inherits another's guests.
fn deploy(runtime: &Runtime, guest: Guest, life: Life) -> Handler {
    static CASES: AtomicU32 = AtomicU32::new(0);
    let name = format!("case-{}", CASES.fetch_add(1, Relaxed));
    let function = match guest {
        Guest::Bytes(code) => Function::wasm(&name, code),
        Guest::Component(code) => Function::wasm(&name, code),
    };
    let isolation = match life {
        Life::Fresh => Isolation::Fresh,
        Life::Live => Isolation::Reuse { max_uses: u64::MAX },
    };
    runtime.block_on(runtime.deploy(function.isolation(isolation))).expect("deployed");
    runtime.handler(&name).expect("deployed just now")
}

/// The event is made each time: the others need none, so it is a part of what fnhost costs.
fn worker(handler: Handler, work: &Work) -> Worker {
    let body = work.body.clone();
    Box::new(move |look| {
        let event = Event::bytes("bench", body.clone());
        look(handler.invoke_blocking(event).expect("an answer").bytes());
    })
}
