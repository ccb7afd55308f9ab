//! A load of requests over connections that stay, which costs little itself.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// Connections to one server.
pub(crate) struct Load {
    runtime: Runtime,
    connections: Vec<Connection>,
}

impl Load {
    pub(crate) fn open(address: SocketAddr, connections: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        let connect = || runtime.block_on(Connection::open(address));
        let connections = (0..connections).map(|_| connect()).collect();
        Self { runtime, connections }
    }

    /// Asks for so long, and answers how many requests a second were answered.
    pub(crate) fn run(&mut self, slice: Duration) -> f64 {
        let (started, mut answers) = (Instant::now(), 0);
        self.runtime.block_on(async {
            let mut asking = JoinSet::new();
            for connection in self.connections.drain(..) {
                asking.spawn(connection.ask_until(started + slice));
            }
            while let Some(asked) = asking.join_next().await {
                let (connection, answered) = asked.expect("all is answered");
                self.connections.push(connection);
                answers += answered;
            }
        });
        answers as f64 / started.elapsed().as_secs_f64()
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket can be told");
        Self { stream, buffer: Vec::with_capacity(4 << 10) }
    }

    async fn ask_until(mut self, end: Instant) -> (Self, u64) {
        let mut answered = 0;
        loop {
            self.ask().await;
            answered += 1;
            if Instant::now() >= end {
                return (self, answered);
            }
        }
    }

    async fn ask(&mut self) {
        self.stream.write_all(REQUEST).await.expect("it reads");
        self.buffer.clear();
        while !is_whole(&self.buffer) {
            let read = self.stream.read_buf(&mut self.buffer).await.expect("it answers");
            assert!(read > 0, "it closed the connection");
        }
        assert!(self.buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&self.buffer));
    }
}

/// Tells whether an answer has come to its end.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let (head, body) = answer.split_at(head + 4);
    match length(head) {
        Some(length) => body.len() >= length,
        None => body.ends_with(b"0\r\n\r\n"),
    }
}

fn length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME))?;
    std::str::from_utf8(&line[NAME.len()..]).ok()?.trim().parse().ok()
}
