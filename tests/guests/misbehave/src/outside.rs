//! Reaches for what the host grants or denies: host functions, files, sockets, logs.

use std::fmt::Display;
use std::fs;
use std::net::TcpStream;

use crate::exports::fnhost::function::handler::Event;
use crate::exports::fnhost::function::handler::Failure;
use crate::fnhost::function::host;
use crate::wasi::logging::logging;
use crate::{Answer, bad_request, text};

pub fn call(event: &Event) -> Answer {
    host::call(subject(event)?, &event.body)
}

pub fn call_loop(event: &Event) -> Answer {
    let name = subject(event)?;
    loop {
        // Calling is the point; what comes back is not.
        drop(host::call(name, &event.body));
    }
}

pub fn read_file(path: &str) -> Answer {
    fs::read_to_string(path).map(String::into_bytes).map_err(io)
}

pub fn write_file(event: &Event) -> Answer {
    fs::write(subject(event)?, text(&event.body)?).map_err(io)?;
    Ok(b"written".to_vec())
}

pub fn connect(address: &str) -> Answer {
    TcpStream::connect(address).map_err(io)?;
    Ok(b"connected".to_vec())
}

pub fn log(message: &str) -> Answer {
    logging::log(logging::Level::Info, "misbehave", message);
    Ok(b"logged".to_vec())
}

fn subject(event: &Event) -> Result<&str, Failure> {
    event.subject.as_deref().ok_or_else(|| bad_request("the event has no subject".into()))
}

fn io(error: impl Display) -> Failure {
    Failure { kind: "io".into(), message: error.to_string(), retryable: false }
}
