//! The tool that turns what a guest left in its memories into code: wizer, around calls of our own.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use wasmtime_wizer::{ComponentContext, ModuleContext, Wizer};

use crate::wasm::contract::Live;
use crate::wasm::guest::Guest;
use crate::wasm::snapshot::reading::{ComponentReader, ModuleReader};

/// Code made ready for its guest to be read.
pub(super) struct Negative<'a> {
    wizer: Wizer,
    context: Context<'a>,
    /// The same code, which exports all its memories and globals as well.
    pub(super) instrumented: Vec<u8>,
}

enum Context<'a> {
    Module(ModuleContext<'a>),
    Component(ComponentContext<'a>),
}

impl<'a> Negative<'a> {
    /// Makes the code ready, or says why the tool cannot take it.
    pub(super) fn new(binary: &'a [u8]) -> Result<Self, String> {
        let mut wizer = Wizer::new();
        // Nothing is renumbered, and nobody's export goes.
        wizer.keep_init_func(true);
        let made = catch_unwind(|| {
            if wasmparser::Parser::is_component(binary) {
                let (context, code) = wizer.instrument_component(binary)?;
                Ok((Context::Component(context), code))
            } else {
                let (context, code) = wizer.instrument(binary)?;
                Ok((Context::Module(context), code))
            }
        });
        let (context, instrumented) = made.map_err(|_| panicked())?.map_err(refused)?;
        Ok(Self { wizer, context, instrumented })
    }

    /// Reads a guest of the instrumented code, and writes code that starts where the guest stands.
    pub(super) async fn develop(&self, guest: &mut Guest) -> Result<Vec<u8>, String> {
        let (store, live) = guest.lay_open();
        match (&self.context, live) {
            (Context::Module(context), Live::Module(instance)) => {
                let mut reader = ModuleReader { store, instance };
                guarded(self.wizer.snapshot(context, &mut reader)).await
            }
            (Context::Component(context), Live::Component(instance)) => {
                let mut reader = ComponentReader::new(store, instance);
                let developed = guarded(self.wizer.snapshot_component(context, &mut reader)).await;
                reader.failure().map_or(developed, Err)
            }
            _ => Err("its code is neither module nor component".into()),
        }
    }
}

/// The tool unwraps what it does not expect; then there is no snapshot, and no harm.
async fn guarded(writing: impl Future<Output = wasmtime::Result<Vec<u8>>>) -> Result<Vec<u8>, String> {
    let mut writing = pin!(writing);
    let written = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| writing.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    });
    written.await.ok_or_else(panicked)?.map_err(refused)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn refused(error: wasmtime::Error) -> String {
    format!("the tool cannot take this code: {error:#}")
}

fn panicked() -> String {
    "the tool panicked over this code; report it with the code".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Negative::new(&wat::parse_str(text).unwrap()).err().unwrap_or_default()
    }

    #[test]
    fn what_the_tool_cannot_take_is_named() {
        let sets = "(module (table 1 funcref) (func (table.set (i32.const 0) (ref.null func))))";
        assert!(refusal(sets).contains("table.set"));
        assert!(refusal(r#"(module (import "m" "m" (memory 1)))"#).contains("imported memories"));
        assert!(refusal("(component (component (core module)))").contains("nested components with modules"));
        assert_eq!(refusal(r#"(module (memory (export "memory") 1))"#), "");
    }
}
