//! A core module of the bytes contract.

use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc};

use crate::crew::Worker;
use crate::work::{Life, Work};

pub(super) fn workers(code: &str, work: &Work, life: Life, threads: usize) -> Vec<Worker> {
    let binary = wat::parse_str(code).expect("the guest is well formed");
    let module = Module::new(&Engine::default(), binary).expect("the guest compiles");
    let worker = |_| match life {
        Life::Fresh => fresh(module.clone(), work),
        Life::Live => live(&module, work),
    };
    (0..threads).map(worker).collect()
}

fn fresh(module: Module, work: &Work) -> Worker {
    let body = work.body.clone();
    Box::new(move |look| look(Guest::new(&module).answer(&body)))
}

fn live(module: &Module, work: &Work) -> Worker {
    let (mut guest, body) = (Guest::new(module), work.body.clone());
    Box::new(move |look| look(guest.answer(&body)))
}

/// An instance, its exports looked up once.
struct Guest {
    store: Store<()>,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    handle: TypedFunc<(u32, u32), u64>,
}

impl Guest {
    fn new(module: &Module) -> Self {
        let mut store = Store::new(module.engine(), ());
        let instance = Instance::new(&mut store, module, &[]).expect("the guest imports nothing");
        Self {
            memory: instance.get_memory(&mut store, "memory").expect("exported"),
            alloc: instance.get_typed_func(&mut store, "fnhost_alloc").expect("exported"),
            handle: instance.get_typed_func(&mut store, "fnhost_handle").expect("exported"),
            store,
        }
    }

    fn answer(&mut self, body: &[u8]) -> &[u8] {
        let length = body.len() as u32;
        let at = self.alloc.call(&mut self.store, length).expect("room");
        self.memory.write(&mut self.store, at as usize, body).expect("within memory");
        let packed = self.handle.call(&mut self.store, (at, length)).expect("an answer");
        let (start, length) = ((packed >> 32) as usize, packed as u32 as usize);
        &self.memory.data(&self.store)[start..][..length]
    }
}
