//! A guest whose init takes long: it computes the table from which each event is answered.

use std::sync::OnceLock;

wit_bindgen::generate!({ path: "../../../wit", world: "fnhost:function/function-with-init" });

use exports::fnhost::function::{handler, init};
use handler::{Event, Failure, Response};

struct InitSlow;

static TABLE: OnceLock<Vec<u8>> = OnceLock::new();

impl init::Guest for InitSlow {
    fn init() -> Result<(), String> {
        TABLE.set(mixing::table()).map_err(|_| "init ran before".into())
    }
}

impl handler::Guest for InitSlow {
    fn handle(event: Event) -> Result<Response, Failure> {
        let table = TABLE.get().expect("init has run");
        let body = mixing::answer(table, &event.body).into_bytes();
        Ok(Response { content_type: Some("text/plain".into()), attributes: Vec::new(), body })
    }
}

export!(InitSlow);
