//! Finds what a guest holds of the host: a snapshot holds no handles.

use wasmtime_wasi::WasiView;
use wasmtime_wasi::filesystem::Descriptor;

use crate::wasm::state::{State, Wasi};

/// The standard streams, which a module holds from its first call of WASI on.
const STREAMS: usize = 3;

/// Says which handles are open that a new guest would not have.
pub(super) fn left_open(state: &mut State) -> Option<String> {
    let dirs = state.linked.recipe.dirs.len();
    match &mut state.wasi {
        Wasi::None => None,
        Wasi::P2(_) => {
            let open = state.ctx().table.iter_mut().count();
            (open > 0).then(|| many(open))
        }
        Wasi::P1(p1) => {
            let table = p1.ctx().table;
            let open = table.iter_mut().count();
            let is_dir = |entry: &&mut (dyn std::any::Any + Send)| {
                matches!(entry.downcast_ref::<Descriptor>(), Some(Descriptor::Dir(_)))
            };
            let dirs_open = table.iter_mut().filter(is_dir).count();
            let is_file = |entry: &&mut (dyn std::any::Any + Send)| {
                matches!(entry.downcast_ref::<Descriptor>(), Some(Descriptor::File(_)))
            };
            let files = table.iter_mut().filter(is_file).count();
            match open {
                // It has not called WASI so far.
                0 => None,
                // Whatever was closed for it.
                _ if files > 0 => Some(many(files)),
                _ if open == STREAMS + dirs && dirs_open == dirs => None,
                _ if open < STREAMS + dirs => Some("a standard stream or a granted folder closed".into()),
                _ => Some(many(open.saturating_sub(STREAMS + dirs).max(1))),
            }
        }
    }
}

fn many(open: usize) -> String {
    match open {
        1 => "a handle open".into(),
        _ => format!("{open} handles open"),
    }
}
