//! What every core module of the bytes contract written with the standard library needs.

mod import {
    #[link(wasm_import_module = "fnhost")]
    unsafe extern "C" {
        pub safe fn fail(
            kind: *const u8,
            kind_len: usize,
            message: *const u8,
            message_len: usize,
            retryable: i32,
        );
    }
}

#[unsafe(no_mangle)]
extern "C" fn fnhost_alloc(length: usize) -> *mut u8 {
    Box::into_raw(vec![0_u8; length].into_boxed_slice()).cast()
}

#[unsafe(no_mangle)]
extern "C" fn fnhost_free(start: *mut u8, length: usize) {
    drop(owned(start, length));
}

/// Takes over an event's body that the host wrote to what `fnhost_alloc` gave it.
pub fn body(start: *mut u8, length: usize) -> Box<[u8]> {
    if length == 0 { Box::default() } else { owned(start, length) }
}

fn owned(start: *mut u8, length: usize) -> Box<[u8]> {
    // SAFETY: the host gives back what `fnhost_alloc` or `answer` gave away, once.
    unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(start, length)) }
}

/// Gives an answer away, packed as `fnhost_handle` returns it; the host hands it to `fnhost_free`.
pub fn answer(body: Vec<u8>) -> u64 {
    let length = body.len() as u64;
    let start = Box::into_raw(body.into_boxed_slice()).cast::<u8>();
    (start as u64) << 32 | length
}

/// Fails the event, or the start of the guest.
pub fn fail(kind: &str, message: &str) {
    import::fail(kind.as_ptr(), kind.len(), message.as_ptr(), message.len(), 0);
}
