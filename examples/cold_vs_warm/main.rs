//! Measures how cold a cold start is and how warm a warm one, for any guest, and draws a report.
//!
//!     cargo run --release --example cold_vs_warm
//!     cargo run --release --example cold_vs_warm -- handler.wasm event.json
//!
//! Without a file it takes every guest of the repository. Tables come to the terminal, plots into one HTML file.

mod args;
mod cases;
mod first_event;
mod folder;
mod lab;
mod machine;
mod measure;
mod plot;
mod progress;
mod report;
mod results;
mod sample;
mod stats;
mod table;

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use crate::args::{Args, HELP, Task};
use crate::progress::Progress;
use crate::results::Machine;

/// Whatever keeps something from being measured, as a sentence.
type Problem = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Problem> {
    match Task::parse(std::env::args().skip(1))? {
        Task::Help => print!("{HELP}"),
        Task::FirstEvent(words) => first_event::serve(&words)?,
        Task::Measure(args) => measure_all(&args)?,
    }
    Ok(())
}

fn measure_all(args: &Args) -> Result<(), Problem> {
    let (cases, machine, mut progress) = (cases::find(args)?, Machine::look(), Progress::new());
    // What cannot be written is better known before some minutes have passed.
    prepare(&args.out)?;
    println!("{}\n", machine.line());
    if !machine.optimized {
        println!("This is no release build: its times say nothing about fnhost.\n");
    }
    let mut all = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        progress.guest(&case.name, i + 1, cases.len());
        let findings = measure::measure(case, args.seconds, &mut progress);
        progress.clear();
        println!("{}", table::guest(&findings));
        all.push(findings);
    }
    if all.len() > 1 {
        println!("{}", table::summary(&all));
    }
    write(&args.out, &report::html(&machine, &all))?;
    println!("The report with plots is {}", args.out.display());
    if all.iter().all(|findings| findings.rows.is_empty()) {
        return Err("nothing could be measured, for the reasons above".into());
    }
    Ok(())
}

/// Makes sure that the report can be written, and leaves an earlier one as it is.
fn prepare(file: &Path) -> Result<(), Problem> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    let opened = made.and_then(|()| File::options().create(true).append(true).open(file));
    opened.map(drop).map_err(|error| not_written(file, &error))
}

fn write(file: &Path, text: &str) -> Result<(), Problem> {
    std::fs::write(file, text).map_err(|error| not_written(file, &error))
}

fn not_written(file: &Path, error: &std::io::Error) -> Problem {
    format!("the report cannot be written to {}: {error}", file.display()).into()
}
