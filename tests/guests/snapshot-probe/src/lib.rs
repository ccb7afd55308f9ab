//! A guest with init that shows what a snapshot keeps; see `probe`.

wit_bindgen::generate!({ path: "../../../wit", world: "fnhost:function/function-with-init" });

use exports::fnhost::function::{handler, init};
use handler::{Event, Failure, Response};

struct SnapshotProbe;

impl init::Guest for SnapshotProbe {
    fn init() -> Result<(), String> {
        probe::init()
    }
}

impl handler::Guest for SnapshotProbe {
    fn handle(event: Event) -> Result<Response, Failure> {
        let body = probe::handle(&event.body).map_err(failure)?;
        Ok(Response { content_type: Some("application/json".into()), attributes: Vec::new(), body })
    }
}

fn failure((kind, message): probe::Failure) -> Failure {
    Failure { kind: kind.into(), message, retryable: false }
}

export!(SnapshotProbe);
