//! What a host must wait for, cut short or survive.

use std::hint::black_box;
use std::io::{self, Write as _};

use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{ErrorCode, ResponseOutparam};

use crate::answer::{Answer, text, typed};
use crate::question::Question;

const MIB: usize = 1 << 20;

pub(crate) fn slow(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    wait(question.query.nanoseconds("ms"));
    text(out, 200, "slow\n")
}

/// Sends the head and one chunk, waits, and sends another.
pub(crate) fn hold(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let mut answer = begun(out)?;
    wait(question.query.nanoseconds("ms"));
    answer.write_all(b"released\n")?;
    answer.finish(None)
}

/// Goes on after the answer is complete.
pub(crate) fn after(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    text(out, 200, "answered\n")?;
    wait(question.query.nanoseconds("ms"));
    eprintln!("after");
    Ok(())
}

/// Answers without a look at the body.
pub(crate) fn early(out: ResponseOutparam) -> io::Result<()> {
    text(out, 200, "early\n")
}

/// Leaves the body unfinished.
pub(crate) fn forget(out: ResponseOutparam) -> io::Result<()> {
    begun(out).map(drop)
}

pub(crate) fn trap_late(out: ResponseOutparam) -> io::Result<()> {
    let _held = begun(out)?;
    core::arch::wasm32::unreachable()
}

/// Takes and touches memory 1 MiB at a time.
pub(crate) fn memory(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    for at in 0..question.query.number("mib") {
        let mut block = Vec::new();
        if block.try_reserve_exact(MIB).is_err() {
            return text(out, 507, &format!("refused at {at} MiB\n"));
        }
        block.resize(MIB, 1);
        taken.push(black_box(block));
    }
    text(out, 200, &format!("took {} MiB\n", taken.len()))
}

/// Answers an error code instead of a response.
pub(crate) fn fail(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let text = question.query.value("text").map(str::to_string);
    ResponseOutparam::set(out, Err(ErrorCode::InternalError(text)));
    Ok(())
}

pub(crate) fn spin() -> ! {
    loop {
        black_box(());
    }
}

/// Sends a head and a chunk, which have left the guest when this returns.
fn begun(out: ResponseOutparam) -> io::Result<Answer> {
    let mut answer = Answer::begin(out, 200, typed("text/plain; charset=utf-8"));
    answer.write_all(b"begun\n")?;
    answer.flush()?;
    Ok(answer)
}

fn wait(nanoseconds: u64) {
    monotonic_clock::subscribe_duration(nanoseconds).block();
}
