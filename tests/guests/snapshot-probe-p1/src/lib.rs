//! A core module of the bytes contract that shows what a snapshot keeps; see `probe`.

#[unsafe(no_mangle)]
extern "C" fn fnhost_init() -> i32 {
    match probe::init() {
        Ok(()) => 0,
        Err(message) => {
            bytes_guest::fail("init", &message);
            1
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn fnhost_handle(start: *mut u8, length: usize) -> u64 {
    match probe::handle(&bytes_guest::body(start, length)) {
        Ok(answer) => bytes_guest::answer(answer),
        Err((kind, message)) => {
            bytes_guest::fail(kind, &message);
            0
        }
    }
}
