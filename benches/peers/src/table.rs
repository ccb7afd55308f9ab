//! The table, in Markdown.

use crate::measure::{Effort, Times};
use crate::work::{Life, Work};

pub(crate) fn print_head(effort: Effort) {
    println!(
        "Time for an event, from its body in hand to the answer's: medians of {} rounds, in which the peers take \
         turns.\nTwo threads: time for an event on each thread, which is two by what both do together.\n",
        effort.rounds
    );
    println!("| work | fnhost | bare wasmtime, defaults | extism | extism / fnhost (lowest to highest) |");
    println!("|---|---|---|---|---|");
}

pub(crate) fn print_row(work: &Work, life: Life, threads: usize, times: &Times) {
    let threads = if threads == 1 { "" } else { ", two threads" };
    let [fnhost, bare, extism] = [times.fnhost, times.bare, times.extism].map(duration);
    let ratio = times.ratio;
    println!(
        "| {}, {life}{threads} | {fnhost} | {bare} | {extism} | {:.1} ({:.1} to {:.1}) |",
        work.title, ratio.median, ratio.lowest, ratio.highest
    );
}

fn duration(us: f64) -> String {
    match us {
        ..1.0 => format!("{us:.2} us"),
        ..100.0 => format!("{us:.1} us"),
        _ => format!("{us:.0} us"),
    }
}
