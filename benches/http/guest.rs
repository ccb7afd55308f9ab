//! The components that are served.

use std::path::Path;

use fnhost::{Function, Isolation};

const HELLO: &[u8] = include_bytes!("../../tests/guests/http-hello.wasm");
const P3: &[u8] = include_bytes!("../../tests/guests/http-hello-p3.wasm");
/// As many as `wasmtime serve` lets into one instance, at once and in all.
const AT_ONCE: u32 = 16;
const IN_ALL: u64 = 128;

/// A component, and how its requests share sandboxes.
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    pub(crate) code: Vec<u8>,
    isolation: Isolation,
}

impl Guest {
    pub(crate) fn named(name: &str) -> Option<Self> {
        let together = Isolation::Concurrent { max_in_flight: AT_ONCE, max_uses: IN_ALL };
        Some(match name {
            "hello" => Self { name: "hello", code: HELLO.into(), isolation: Isolation::Fresh },
            "p3" => Self { name: "p3", code: P3.into(), isolation: together },
            "spidermonkey" => Self {
                name: "spidermonkey",
                code: built("http-spidermonkey.wasm")?,
                isolation: Isolation::Fresh,
            },
            _ => return None,
        })
    }

    pub(crate) fn function(&self) -> Function {
        Function::wasm(self.name, self.code.clone()).concurrency(1_000).isolation(self.isolation)
    }
}

fn built(name: &str) -> Option<Vec<u8>> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/large/out").join(name)).ok()
}
