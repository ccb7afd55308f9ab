//! A core module of the bytes contract whose init takes long: it computes the table from which each event is answered.

use std::sync::OnceLock;

static TABLE: OnceLock<Vec<u8>> = OnceLock::new();

#[unsafe(no_mangle)]
extern "C" fn fnhost_init() -> i32 {
    match TABLE.set(mixing::table()) {
        Ok(()) => 0,
        Err(_) => {
            bytes_guest::fail("init", "init ran before");
            1
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn fnhost_handle(start: *mut u8, length: usize) -> u64 {
    let body = bytes_guest::body(start, length);
    let table = TABLE.get().expect("init has run");
    bytes_guest::answer(mixing::answer(table, &body).into_bytes())
}
