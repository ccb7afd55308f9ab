//! A client on a plain socket: as little of HTTP as `--check` needs.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Problem;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

/// Sends one request on a connection of its own; `headers` are whole lines.
pub(crate) fn send(shop: SocketAddr, request: &str, headers: &[&str], body: &str) -> Result<Answer, Problem> {
    let mut socket = TcpStream::connect(shop)?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    let extra: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    // In HTTP/1.0 the end of the connection is the end of the answer.
    let head = format!("{request} HTTP/1.0\r\nhost: {shop}\r\ncontent-length: {}\r\n{extra}\r\n", body.len());
    socket.write_all(head.as_bytes())?;
    socket.write_all(body.as_bytes())?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Answer::parse(&answer).ok_or_else(|| format!("{request} is answered by no HTTP: {answer:?}").into())
}

impl Answer {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, head: head.to_ascii_lowercase(), body: body.into() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Reads one member of a JSON body as text; empty where there is none.
    pub(crate) fn member(&self, pointer: &str) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        match body.pointer(pointer) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}
