//! What everything around the guest costs: an event through resolve, admit, call and conclude to a handler in
//! Rust, and checkout of a kept guest, alone and contended.

mod kit;

use bytes::Bytes;
use fnhost::{Context, Event, Function, Response, Runtime};

use crate::kit::{Effort, compare, is_wanted, print, print_head};

fn main() {
    let effort = Effort::from_args();
    let runtime = Runtime::builder().places(64).build().expect("a runtime");
    print_head("around the guest (the twin makes the same event and answers it)");
    if is_wanted("native") {
        native(effort, &runtime);
    }
}

fn native(effort: Effort, runtime: &Runtime) {
    let echo = async |event: Event, _: Context| Ok(Response::from_bytes(event.body().clone()));
    runtime.block_on(runtime.deploy(Function::native("echo", echo))).expect("deployed");
    let handler = runtime.handler("echo").expect("deployed just now");
    let body = Bytes::from(vec![7; 256]);
    let mut ours = |runs| {
        runtime.block_on(async {
            for _ in 0..runs {
                drop(handler.invoke(Event::bytes("bench", body.clone())).await.expect("an answer"));
            }
        });
    };
    let mut twin = |runs| {
        for _ in 0..runs {
            let event = Event::bytes("bench", body.clone());
            drop(std::hint::black_box(Response::from_bytes(event.body().clone())));
        }
    };
    print("native handler", compare(effort, &mut ours, &mut twin), None);
}
