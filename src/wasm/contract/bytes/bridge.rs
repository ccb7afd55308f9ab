//! One call into the guest for each event, where the contract has two.
//!
//! Each call from the host takes a stack to run on, which is an eighth of what an event of a small live guest costs
//! (bench `peers`). A module of ours between the two calls the guest's exports one after the other, on one stack.
//! Making it costs more than it saves once, so only a guest that has served before gets one.

use std::sync::OnceLock;

use wasmtime::{Caller, Engine, Func, Memory, Module, Store, TypedFunc};

use crate::wasm::contract::boxed;
use crate::wasm::state::State;

/// What a backtrace must not show as the guest's.
pub(crate) const NAME: &str = "fnhost-bridge";

const CODE: &str = r#"(module $fnhost-bridge
    (import "guest" "alloc" (func $alloc (param i32) (result i32)))
    (import "guest" "handle" (func $handle (param i32 i32) (result i64)))
    (import "host" "put" (func $put (param i32)))
    (func (export "serve") (param $len i32) (result i64)
        (local $at i32)
        (call $put (local.tee $at (call $alloc (local.get $len))))
        (call $handle (local.get $at) (local.get $len))))"#;

/// The module of ours on one shard, compiled when it is first needed there.
#[derive(Default)]
pub(crate) struct Bridge(OnceLock<Module>);

impl Bridge {
    /// Puts the module before a guest; what it gives takes the body's length and answers as `fnhost_handle` does.
    pub(crate) async fn before(
        &self,
        store: &mut Store<State>,
        [alloc, handle]: [Func; 2],
        memory: Memory,
    ) -> wasmtime::Result<TypedFunc<i32, i64>> {
        let module = self.module(store.engine())?;
        let put = Func::wrap(&mut *store, move |mut guest: Caller<'_, State>, at: i32| {
            super::put(&mut guest, memory, at)
        });
        let imports = [alloc.into(), handle.into(), put.into()];
        let instance = boxed(wasmtime::Instance::new_async(&mut *store, &module, &imports)).await?;
        instance.get_typed_func(&mut *store, "serve")
    }

    fn module(&self, engine: &Engine) -> wasmtime::Result<Module> {
        if let Some(made) = self.0.get() {
            return Ok(made.clone());
        }
        let module = Module::from_binary(engine, &wat::parse_str(CODE)?)?;
        // Two threads may have compiled it; the second one's goes.
        Ok(self.0.get_or_init(|| module).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtrace_knows_the_bridge_by_its_name() {
        let module = Bridge::default().module(&Engine::default()).unwrap();
        assert_eq!(module.name(), Some(NAME));
    }
}
