//! What a host must wait for, cut short or survive.

use std::hint::black_box;

use wasip3::clocks::monotonic_clock::wait_for;
use wasip3::http::types::ErrorCode;
use wasip3::spawn_local;

use crate::Answered;
use crate::answer::{Outgoing, streamed, text, typed};
use crate::question::Question;

const MIB: usize = 1 << 20;
/// In nanoseconds.
const HOUR: u64 = 3_600_000_000_000;

pub(crate) async fn slow(question: &Question) -> Answered {
    wait_for(question.query.nanoseconds("ms")).await;
    text(200, "slow\n")
}

/// Waits in the middle of a call, which keeps its stack.
pub(crate) fn block(question: &Question) -> Answered {
    #[link(wasm_import_module = "wasi:clocks/monotonic-clock@0.3.0")]
    unsafe extern "C" {
        #[link_name = "wait-for"]
        fn wait_here(nanoseconds: u64);
    }
    // SAFETY: the interface has this function, and a number is all that it takes.
    unsafe { wait_here(question.query.nanoseconds("ms")) };
    text(200, "slow\n")
}

/// Sends the head and one chunk, waits, and sends another.
pub(crate) fn hold(question: &Question) -> Answered {
    let pause = question.query.nanoseconds("ms");
    begun(async move |mut body: Outgoing| {
        wait_for(pause).await;
        body.write(b"released\n".to_vec()).await;
        body.finish(Ok(None)).await;
    })
}

/// Goes on after the answer is complete.
pub(crate) fn after(question: &Question) -> Answered {
    let pause = question.query.nanoseconds("ms");
    spawn_local(async move {
        wait_for(pause).await;
        eprintln!("after");
    });
    text(200, "answered\n")
}

/// Leaves the body unfinished.
pub(crate) fn forget() -> Answered {
    begun(async |body: Outgoing| drop(body))
}

pub(crate) fn trap_late() -> Answered {
    begun(async |_body: Outgoing| core::arch::wasm32::unreachable())
}

/// Takes and touches memory 1 MiB at a time.
pub(crate) fn memory(question: &Question) -> Answered {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    for at in 0..question.query.number("mib") {
        let mut block = Vec::new();
        if block.try_reserve_exact(MIB).is_err() {
            return text(507, &format!("refused at {at} MiB\n"));
        }
        block.resize(MIB, 1);
        taken.push(black_box(block));
    }
    text(200, &format!("took {} MiB\n", taken.len()))
}

/// Answers an error code instead of a response.
pub(crate) fn fail(question: &Question) -> Answered {
    Err(ErrorCode::InternalError(question.query.value("text").map(str::to_string)))
}

/// Waits for the clock, because a guest that waits for nothing of the host panics.
pub(crate) async fn never() -> ! {
    loop {
        wait_for(HOUR).await;
    }
}

pub(crate) fn spin() -> ! {
    loop {
        black_box(());
    }
}

/// Sends a head and a chunk, and goes on when the host has taken them.
fn begun(then: impl AsyncFnOnce(Outgoing) + 'static) -> Answered {
    streamed(200, typed("text/plain; charset=utf-8"), async |mut body: Outgoing| {
        if body.write(b"begun\n".to_vec()).await {
            then(body).await;
        }
    })
}
