//! Reads what a guest left in its memories and globals, for the tool.

use std::collections::HashMap;

use wasmparser::ValType;
use wasmtime::component::{ComponentNamedList, Lift, WasmList};
use wasmtime::{Store, Val};
use wasmtime_wizer::{ComponentInstanceState, InstanceState, SnapshotVal};

use crate::wasm::state::State;

/// Reads a module.
pub(super) struct ModuleReader<'a> {
    pub(super) store: &'a mut Store<State>,
    pub(super) instance: wasmtime::Instance,
}

impl InstanceState for ModuleReader<'_> {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut *self.store, name).expect("the tool exported it");
        match global.get(&mut *self.store) {
            Val::I32(value) => SnapshotVal::I32(value),
            Val::I64(value) => SnapshotVal::I64(value),
            Val::F32(bits) => SnapshotVal::F32(bits),
            Val::F64(bits) => SnapshotVal::F64(bits),
            Val::V128(value) => SnapshotVal::V128(value.as_u128()),
            _ => unreachable!("the tool refuses mutable references"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        let memory = self.instance.get_memory(&mut *self.store, name).expect("the tool exported it");
        contents(memory.data(&*self.store));
    }
}

/// Reads a component, by calls of functions that the tool put into it.
pub(super) struct ComponentReader<'a> {
    store: &'a mut Store<State>,
    instance: wasmtime::component::Instance,
    /// Each memory grows by a page when it is read, so each is read once.
    memories: HashMap<String, Vec<u8>>,
    failure: Option<String>,
}

impl<'a> ComponentReader<'a> {
    pub(super) fn new(store: &'a mut Store<State>, instance: wasmtime::component::Instance) -> Self {
        Self { store, instance, memories: HashMap::new(), failure: None }
    }

    /// Tells why something could not be read; then what the tool wrote is worth nothing.
    pub(super) fn failure(self) -> Option<String> {
        self.failure
    }

    async fn call<T: Lift + Send + Sync + 'static>(&mut self, instance: &str, func: &str) -> Option<T>
    where
        (T,): ComponentNamedList + Lift,
    {
        let called = self.try_call(instance, func).await;
        called.map_err(|error| self.failure = Some(format!("its memories cannot be read: {error:#}"))).ok()
    }

    async fn try_call<T: Lift + Send + Sync + 'static>(
        &mut self,
        instance: &str,
        func: &str,
    ) -> wasmtime::Result<T>
    where
        (T,): ComponentNamedList + Lift,
    {
        let missing = || wasmtime::Error::msg("what the tool put in is not there");
        let found = self.instance.get_export_index(&mut *self.store, None, instance).ok_or_else(missing)?;
        let found =
            self.instance.get_export_index(&mut *self.store, Some(&found), func).ok_or_else(missing)?;
        let func = self.instance.get_typed_func::<(), (T,)>(&mut *self.store, found)?;
        Ok(func.call_async(&mut *self.store, ()).await?.0)
    }
}

impl ComponentInstanceState for ComponentReader<'_> {
    async fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        func: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        if !self.memories.contains_key(func) {
            let list: Option<WasmList<u8>> = self.call(instance, func).await;
            let bytes = list.map_or_else(Vec::new, |list| list.as_le_slice(&*self.store).to_vec());
            self.memories.insert(func.into(), bytes);
        }
        contents(&self.memories[func]);
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.call(instance, func).await.unwrap_or_default()
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.call(instance, func).await.unwrap_or_default()
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.call(instance, func).await.map_or(0, f32::to_bits)
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.call(instance, func).await.map_or(0, f64::to_bits)
    }
}
