//! A command: standard input to standard output, and several ways to misbehave.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().collect();
    let parameter = arguments.get(2).map(String::as_str);
    match arguments.get(1).map(String::as_str) {
        Some("env") => environment()?,
        Some("args") => print_lines(arguments.iter().map(String::as_str))?,
        Some("exit") => fail(number(parameter)?)?,
        Some("spin") => spin(),
        Some("sleep") => thread::sleep(Duration::from_millis(number(parameter)?)),
        Some("stream") => stream(number(parameter)?)?,
        Some("stderr-flood") => flood(number(parameter)?)?,
        Some("panic") => panic!("command panicked on purpose"),
        _ => upper_case()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn number(parameter: Option<&str>) -> io::Result<u64> {
    let text = parameter.ok_or_else(|| io::Error::other("a number is missing"))?;
    text.parse().map_err(io::Error::other)
}

fn environment() -> io::Result<()> {
    let mut lines: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    lines.sort();
    print_lines(lines.iter().map(String::as_str))
}

fn print_lines<'a>(lines: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

fn fail(code: u64) -> io::Result<()> {
    writeln!(io::stderr(), "about to fail")?;
    std::process::exit(i32::try_from(code).map_err(io::Error::other)?)
}

fn spin() {
    loop {
        std::hint::spin_loop();
    }
}

fn stream(chunks: u64) -> io::Result<()> {
    let chunk = [b'x'; 64 << 10];
    let mut out = io::stdout().lock();
    for _ in 0..chunks {
        out.write_all(&chunk)?;
        out.flush()?;
    }
    Ok(())
}

/// Writes KiB after KiB to standard error.
fn flood(kibibytes: u64) -> io::Result<()> {
    let line = [[b'e'; 1023].as_slice(), b"\n"].concat();
    let mut err = io::stderr().lock();
    for _ in 0..kibibytes {
        err.write_all(&line)?;
    }
    Ok(())
}

fn upper_case() -> io::Result<()> {
    let mut body = Vec::new();
    io::stdin().lock().read_to_end(&mut body)?;
    let text = String::from_utf8_lossy(&body).to_uppercase();
    io::stdout().write_all(text.as_bytes())
}
