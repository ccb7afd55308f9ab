//! What the host offers, as functions of slices and regions.

use crate::memory::Region;

pub const INFO: i32 = 3;

mod import {
    #[link(wasm_import_module = "fnhost")]
    unsafe extern "C" {
        pub safe fn fail(kind: usize, kind_len: usize, message: usize, message_len: usize, retryable: i32);
        pub safe fn log(level: i32, ptr: usize, len: usize);
        pub safe fn get(name: usize, name_len: usize, out: usize, out_len: usize) -> i32;
        pub safe fn set(name: usize, name_len: usize, value: usize, value_len: usize);
        pub safe fn remaining_ms() -> u64;
        pub safe fn call(name: usize, name_len: usize, body: usize, body_len: usize) -> i32;
        pub safe fn take(out: usize, out_len: usize) -> i32;
    }
}

pub fn fail(kind: &[u8], message: &[u8], retryable: bool) {
    let (kind, message) = (Region::of(kind), Region::of(message));
    import::fail(kind.start, kind.length, message.start, message.length, retryable.into());
}

pub fn log_region(level: i32, line: Region) {
    import::log(level, line.start, line.length);
}

/// The full length of the value, or nothing when there is none.
pub fn get(name: &[u8], out: Region) -> Option<usize> {
    let name = Region::of(name);
    usize::try_from(import::get(name.start, name.length, out.start, out.length)).ok()
}

pub fn set(name: &[u8], value: &[u8]) {
    let (name, value) = (Region::of(name), Region::of(value));
    import::set(name.start, name.length, value.start, value.length);
}

pub fn remaining_ms() -> u64 {
    import::remaining_ms()
}

/// The length of the answer, or nothing after a failure.
pub fn call(name: &[u8], body: &[u8]) -> Option<usize> {
    let (name, body) = (Region::of(name), Region::of(body));
    usize::try_from(import::call(name.start, name.length, body.start, body.length)).ok()
}

/// The full length of the last call's answer.
pub fn take(out: Region) -> usize {
    import::take(out.start, out.length) as usize
}
