//! A core module of the bytes contract. The first byte of the event's body says how it behaves,
//! the rest is the parameter.

#![no_std]

mod fnhost;
mod memory;
mod text;

use memory::Region;

const ECHO: u8 = 0;
const POINTER_OUT_OF_BOUNDS: u8 = 1;
const HUGE_LENGTH: u8 = 2;
const ANSWER_IS_INPUT: u8 = 3;
const ANSWER_FROM_NEW_PAGES: u8 = 4;
const FAIL_WITH_INVALID_TEXT: u8 = 5;
const FAIL: u8 = 6;
const LOG_OUT_OF_BOUNDS: u8 = 7;
const LOG_FLOOD: u8 = 8;
const BAD_ATTRIBUTE: u8 = 9;
const MANY_ATTRIBUTES: u8 = 10;
const GET_OUT_OF_BOUNDS: u8 = 11;
const CALL_ECHO: u8 = 12;
const CALL_UNKNOWN: u8 = 13;
const SPIN: u8 = 14;
const UNREACHABLE: u8 = 15;
const COUNT: u8 = 16;
const GET: u8 = 17;
const WRAPPING_ANSWER: u8 = 18;
const REMAINING: u8 = 19;
const FREES: u8 = 20;

/// Near the end of the address space: beyond any memory that this guest is given.
const NOWHERE: Region = Region { start: 0xffff_0000, length: 16 };

#[unsafe(no_mangle)]
extern "C" fn fnhost_alloc(length: usize) -> usize {
    memory::start_over();
    memory::take(length).start
}

#[unsafe(no_mangle)]
extern "C" fn fnhost_handle(start: usize, length: usize) -> u64 {
    if length == 0 {
        return Region::EMPTY.packed();
    }
    let input = Region { start, length };
    let (mode, rest) = (input.bytes()[0], input.after(1));
    behave(mode, input, rest).packed()
}

#[unsafe(no_mangle)]
extern "C" fn fnhost_free(_: usize, _: usize) {
    memory::FREES.set(memory::FREES.get() + 1);
}

fn behave(mode: u8, input: Region, rest: Region) -> Region {
    match mode {
        ECHO => memory::copy(rest.bytes()),
        POINTER_OUT_OF_BOUNDS => NOWHERE,
        HUGE_LENGTH => Region { length: 0x7fff_ffff, ..input },
        ANSWER_IS_INPUT => input,
        ANSWER_FROM_NEW_PAGES => memory::on_new_pages(rest.bytes()),
        WRAPPING_ANSWER => Region { start: 0xffff_fff0, length: 0x20 },
        SPIN => spin(),
        UNREACHABLE => core::arch::wasm32::unreachable(),
        COUNT => count(),
        FREES => text::decimal(memory::FREES.get()),
        _ => ask_the_host(mode, rest),
    }
}

fn ask_the_host(mode: u8, rest: Region) -> Region {
    match mode {
        FAIL_WITH_INVALID_TEXT => fail(&[0xff, 0xfe], &[b'o', 0xc3, 0x28]),
        FAIL => fail(b"teapot", rest.bytes()),
        LOG_OUT_OF_BOUNDS => log_out_of_bounds(),
        LOG_FLOOD => log_flood(text::number(rest.bytes()).unwrap_or(10_000)),
        BAD_ATTRIBUTE => set_bad_attribute(),
        MANY_ATTRIBUTES => set_many(text::number(rest.bytes()).unwrap_or(65)),
        GET_OUT_OF_BOUNDS => get_out_of_bounds(),
        CALL_ECHO => call(b"echo", rest.bytes()),
        CALL_UNKNOWN => call(b"unknown", rest.bytes()),
        GET => get(rest.bytes()),
        REMAINING => text::decimal(fnhost::remaining_ms()),
        _ => fail(b"bad-request", b"no such mode"),
    }
}

fn spin() -> Region {
    loop {
        core::hint::spin_loop();
    }
}

fn count() -> Region {
    memory::COUNT.set(memory::COUNT.get() + 1);
    text::decimal(memory::COUNT.get())
}

fn fail(kind: &[u8], message: &[u8]) -> Region {
    fnhost::fail(kind, message, true);
    Region::EMPTY
}

fn log_out_of_bounds() -> Region {
    fnhost::log_region(fnhost::INFO, NOWHERE);
    memory::copy(b"logged")
}

fn log_flood(lines: u64) -> Region {
    for _ in 0..lines {
        fnhost::log_region(
            fnhost::INFO,
            Region::of(b"a line of a flood of lines that nobody reads to the end"),
        );
    }
    memory::copy(b"flooded")
}

fn set_bad_attribute() -> Region {
    fnhost::set(b"Bad Name!", b"value");
    memory::copy(b"set")
}

fn set_many(attributes: u64) -> Region {
    for i in 0..attributes {
        fnhost::set(text::decimal(i).bytes(), b"value");
    }
    memory::copy(b"set")
}

fn get_out_of_bounds() -> Region {
    fnhost::get(b"type", NOWHERE);
    memory::copy(b"got")
}

fn get(name: &[u8]) -> Region {
    let name = if name.is_empty() { b"type" } else { name };
    let Some(length) = fnhost::get(name, Region::EMPTY) else {
        return fail(b"absent", name);
    };
    let value = memory::take(length);
    fnhost::get(name, value);
    value
}

/// Answers what the host function answered, or its failure as JSON.
fn call(name: &[u8], body: &[u8]) -> Region {
    let length = fnhost::call(name, body).unwrap_or_else(|| fnhost::take(Region::EMPTY));
    let answer = memory::take(length);
    fnhost::take(answer);
    answer
}

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
