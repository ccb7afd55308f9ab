//! Takes more than its share: time, memory, stack, output.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use crate::Answer;

const MIB: usize = 1 << 20;

pub fn spin() -> Answer {
    loop {
        std::hint::spin_loop();
    }
}

pub fn sleep(milliseconds: u64) -> Answer {
    thread::sleep(Duration::from_millis(milliseconds));
    Ok(b"slept".to_vec())
}

pub fn grow(mebibytes: u64) -> Answer {
    let chunks: Vec<Vec<u8>> = (0..mebibytes).map(|_| black_box(vec![1; MIB])).collect();
    Ok(format!("grew {} MiB", black_box(chunks).len()).into_bytes())
}

pub fn flood(kibibytes: u64) -> Answer {
    let line = "f".repeat(1023);
    for _ in 0..kibibytes {
        println!("{line}");
    }
    Ok(b"flooded".to_vec())
}

pub fn huge(bytes: u64) -> Answer {
    Ok(vec![b'h'; bytes as usize])
}

pub fn attributes(count: u64) -> Vec<(String, String)> {
    (0..count).map(|i| (format!("a{i}"), format!("v{i}"))).collect()
}

pub fn recurse_without_end() -> Answer {
    Ok(recurse(0, black_box(u64::MAX)).to_string().into_bytes())
}

/// Uses the result of each step after it returns, so that no step becomes a jump.
#[inline(never)]
fn recurse(depth: u64, last: u64) -> u64 {
    if depth == last {
        return depth;
    }
    recurse(depth + 1, last).rotate_left(7).wrapping_mul(3) ^ depth
}
