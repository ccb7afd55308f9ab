//! A component of the function contract, through the engine's generated bindings.

// The macro writes the engine's unsafe traits; nothing here is written by hand.
#![allow(unsafe_code, reason = "generated implementations of the engine's traits")]

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use self::bindings::exports::fnhost::function::handler::Event;
use self::bindings::{Function, FunctionPre};
use crate::crew::Worker;
use crate::work::{Life, Work};

mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit", world: "fnhost:function/function" });
}

pub(super) fn workers(code: &[u8], work: &Work, life: Life, threads: usize) -> Vec<Worker> {
    let engine = Engine::default();
    let component = Component::new(&engine, code).expect("the guest compiles");
    let pre = Linker::new(&engine).instantiate_pre(&component).expect("the guest imports nothing");
    let pre = FunctionPre::new(pre).expect("a function");
    let worker = |_| match life {
        Life::Fresh => fresh(pre.clone(), work),
        Life::Live => live(&pre, work),
    };
    (0..threads).map(worker).collect()
}

fn fresh(pre: FunctionPre<()>, work: &Work) -> Worker {
    let event = event(work);
    Box::new(move |look| look(&answer(&mut make(&pre), &event)))
}

fn live(pre: &FunctionPre<()>, work: &Work) -> Worker {
    let (mut guest, event) = (make(pre), event(work));
    Box::new(move |look| look(&answer(&mut guest, &event)))
}

type Guest = (Store<()>, Function);

fn make(pre: &FunctionPre<()>) -> Guest {
    let mut store = Store::new(pre.engine(), ());
    let function = pre.instantiate(&mut store).expect("there is room");
    (store, function)
}

fn answer((store, function): &mut Guest, event: &Event) -> Vec<u8> {
    let answer = function.fnhost_function_handler().call_handle(store, event).expect("no trap");
    answer.expect("no failure").body
}

/// Made once: with typed bindings a host may keep it.
fn event(work: &Work) -> Event {
    Event {
        id: "01a1fa5c-88f9-7224-9d96-ae804c7e17c4".into(),
        source: "/fnhost".into(),
        type_: "bench".into(),
        subject: None,
        time: None,
        data_content_type: None,
        data_schema: None,
        extensions: Vec::new(),
        body: work.body.to_vec(),
    }
}
