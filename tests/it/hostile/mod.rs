//! Guests that break their contracts on purpose, and what the host must make of it.

mod answers;
pub(crate) mod components;
mod imports;
mod making;
mod memory;
mod random;
mod records;
mod resources;

use std::time::Duration;

use fnhost::{Error, Event, Function, Handler, Isolation, Response, Runtime};

/// What every guest here answers to an event without a body.
const FINE: &str = "fine";

/// A core module that answers events without a body rightly, and misbehaves with all others.
///
/// "fine" stands at 8, "name" at 16; the memory has one page and may grow to 64. Replaced are the body of
/// `fnhost_alloc`, the body of `fnhost_handle` after the empty event, and whatever else the module has.
#[derive(Clone, Copy, Debug)]
struct Module<'a> {
    imports: &'a str,
    alloc: &'a str,
    handle: &'a str,
    more: &'a str,
}

impl Default for Module<'_> {
    fn default() -> Self {
        Self { imports: "", alloc: "i32.const 1024", handle: "i64.const 0", more: "" }
    }
}

impl Module<'_> {
    fn text(&self) -> String {
        let Self { imports, alloc, handle, more } = self;
        format!(
            r#"(module
                {imports}
                (memory (export "memory") 1 64)
                (data (i32.const 8) "fine")
                (data (i32.const 16) "name")
                (data (i32.const 24) "\ff\fe")
                (global $calls (mut i32) (i32.const 0))
                (func (export "fnhost_alloc") (param $len i32) (result i32) {alloc})
                (func (export "fnhost_handle") (param $at i32) (param $len i32) (result i64)
                    (if (i32.eqz (local.get $len)) (then (return (i64.const 0x8_0000_0004))))
                    {handle})
                {more})"#
        )
    }

    fn function(&self) -> Function {
        Function::wasm("hostile", self.text()).timeout(Duration::from_millis(300))
    }
}

/// A runtime with one hostile function.
struct House {
    runtime: Runtime,
    handler: Handler,
}

impl House {
    fn of(function: Function) -> Self {
        Self::try_of(function).expect("hostile code is deployed like any other")
    }

    fn try_of(function: Function) -> Result<Self, Error> {
        let runtime = Runtime::builder().places(8).shards(1).build()?;
        let name = function.name().to_string();
        runtime.block_on(runtime.deploy(function))?;
        let handler = runtime.handler(&name)?;
        Ok(Self { runtime, handler })
    }

    fn send(&self, body: impl Into<fnhost::Bytes>) -> Result<Response, Error> {
        self.handler.invoke_blocking(Event::bytes("strike", body.into()))
    }

    /// Asserts that an event without a body is served, and that nothing of what was is left.
    fn is_healthy(&self, what: &str) {
        let answer = self.send("").unwrap_or_else(|error| panic!("{what}: the next event: {error}"));
        assert_eq!(answer.text().unwrap(), FINE, "{what}");
        // A guest that takes long to drop goes after its event.
        let all_gone = || self.runtime.stats().places_taken as usize == self.handler.stats().unwrap().idle;
        crate::kit::until("large guests end", all_gone);
        let (stats, all) = (self.handler.stats().unwrap(), self.runtime.stats());
        assert_eq!((stats.running, stats.waiting), (0, 0), "{what}: {stats:?}");
        assert_eq!(stats.live, stats.idle, "{what}: {stats:?}");
        assert_eq!(all.places_taken as usize, stats.idle, "{what}: {all:?}");
    }
}

/// Asserts that the function answers a body with this kind of error, saying this, in both isolations, and the next
/// event rightly.
fn refuses(function: impl Fn() -> Function, kind: &str, saying: &str) {
    let _busy = crate::kit::busy();
    for isolation in [Isolation::Fresh, Isolation::Reuse { max_uses: 100 }] {
        let house = House::of(function().isolation(isolation));
        house.is_healthy("before");
        for round in 0..2 {
            let what = format!("{isolation:?}, round {round}, {kind}, {saying:?}");
            let error = house.send("some body").err().unwrap_or_else(|| panic!("{what}: it answered"));
            assert_eq!(error.kind().name(), kind, "{what}: {error}");
            assert!(error.to_string().contains(saying), "{what}: {error}");
            house.is_healthy(&what);
        }
        let stats = house.runtime.stats();
        drop(house);
        assert!(stats.places_taken <= 1, "{stats:?}");
    }
}

/// The same for a core module.
fn module_refuses(module: Module<'_>, kind: &str, saying: &str) {
    refuses(|| module.function(), kind, saying);
}
