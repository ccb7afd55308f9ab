//! A client that is a plain socket, and sees how a body ends.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Long enough for a busy machine, short enough for a test that fails.
const PATIENCE: Duration = Duration::from_secs(60);
const PIECE: u64 = 64 << 10;

/// A connection that is kept for one request after the other.
pub(super) struct Client(BufReader<TcpStream>);

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    headers: HashMap<String, String>,
}

impl Head {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// An answer, as far as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) head: Head,
    pub(super) body: String,
    /// The body ended as it must.
    pub(super) whole: bool,
}

impl Answer {
    /// Returns the status and the body, which must be whole.
    #[track_caller]
    pub(super) fn said(&self) -> (u16, &str) {
        assert!(self.whole, "cut off: {self:?}");
        (self.head.status, &self.body)
    }
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::with_capacity(PIECE as usize, stream))
    }

    /// The same connection, for another thread to write to.
    pub(super) fn writer(&self) -> TcpStream {
        self.0.get_ref().try_clone().expect("a descriptor")
    }

    pub(super) fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("it is sent");
    }

    pub(super) fn get(&mut self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n"));
        self.answer()
    }

    pub(super) fn post(&mut self, path: &str, body: &str) -> Answer {
        let len = body.len();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {len}\r\n\r\n{body}"
        ));
        self.answer()
    }

    pub(super) fn answer(&mut self) -> Answer {
        let head = self.head();
        let mut body = Vec::new();
        let whole = self.body(&head, |piece| body.extend_from_slice(piece));
        Answer { head, body: String::from_utf8_lossy(&body).into_owned(), whole }
    }

    pub(super) fn head(&mut self) -> Head {
        let line = self.line().expect("an answer");
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut headers = HashMap::new();
        while let Some(line) = self.line().filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").expect("a header");
            let before = headers.insert(name.to_owned(), value.to_owned());
            assert_eq!(before, None, "{name} stands there twice");
        }
        Head { status: status.expect("a status"), headers }
    }

    /// Reads the body piece by piece; answers whether it ended as it must.
    pub(super) fn body(&mut self, head: &Head, mut with: impl FnMut(&[u8])) -> bool {
        match head.header("content-length") {
            Some(len) => self.pieces(len.parse().expect("a length"), &mut with),
            None if head.header("transfer-encoding") == Some("chunked") => self.chunks(&mut with),
            None => true,
        }
    }

    /// Reads the next chunk of a body whose length is not known.
    pub(super) fn chunk(&mut self, with: &mut impl FnMut(&[u8])) -> Option<u64> {
        let len = u64::from_str_radix(&self.line()?, 16).ok()?;
        let is_whole = self.pieces(len, with) && self.line()?.is_empty();
        is_whole.then_some(len)
    }

    fn chunks(&mut self, with: &mut impl FnMut(&[u8])) -> bool {
        loop {
            match self.chunk(with) {
                Some(0) => return true,
                Some(_) => {}
                None => return false,
            }
        }
    }

    fn pieces(&mut self, len: u64, with: &mut impl FnMut(&[u8])) -> bool {
        let mut left = len;
        let mut piece = vec![0; PIECE.min(len) as usize];
        while left > 0 {
            let most = PIECE.min(left) as usize;
            let Ok(read @ 1..) = self.0.read(&mut piece[..most]) else { return false };
            with(&piece[..read]);
            left -= read as u64;
        }
        true
    }

    /// Reads a line; none where the connection ends instead.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).ok()?;
        line.strip_suffix("\r\n").map(str::to_owned)
    }

    /// Tells whether the server has closed the connection, without another byte.
    pub(super) fn is_closed(&mut self) -> bool {
        self.0.fill_buf().is_ok_and(<[u8]>::is_empty)
    }
}
