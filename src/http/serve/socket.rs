//! The socket of a connection: reads and writes, and tells what it sees.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::connection::Connection;

/// The socket of a connection.
pub(super) struct Socket {
    stream: Arc<TcpStream>,
    connection: Arc<Connection>,
    is_unwritten: bool,
}

impl Socket {
    pub(super) fn new(stream: Arc<TcpStream>, connection: Arc<Connection>) -> Self {
        Self { stream, connection, is_unwritten: false }
    }

    /// Keeps in mind since when the client takes nothing.
    fn note_written(&mut self, is_unwritten: bool) {
        if self.is_unwritten != is_unwritten {
            self.is_unwritten = is_unwritten;
            self.connection.set_unwritten(is_unwritten);
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        send: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let Poll::Ready(ready) = self.stream.poll_write_ready(cx) else {
                self.note_written(true);
                return Poll::Pending;
            };
            ready?;
            match send(&self.stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                sent => {
                    self.note_written(false);
                    return Poll::Ready(sent);
                }
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match read(&self.stream, buf) {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(_) => {
                    self.connection.received();
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// Reads what there is.
///
/// A read that leaves room has taken all there was. Then the socket counts as not ready, which spares the next read
/// that would only find it empty; an event that comes during the read is not lost, as the state before it is cleared.
fn read(stream: &TcpStream, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
    let mut taken = None;
    let is_drained = stream.try_io(Interest::READABLE, || {
        let read = stream.try_read_buf(buf)?;
        taken = Some(read);
        if read > 0 && buf.has_remaining_mut() { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    match taken {
        Some(read) => Ok(read),
        None => is_drained.map(|()| 0),
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |stream| stream.try_write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The client may be gone already; then there is nobody to tell.
        let _ = close_sending(&self.stream);
        Poll::Ready(Ok(()))
    }
}

/// Says that nothing more is sent.
#[cfg(unix)]
pub(super) fn close_sending(stream: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::shutdown(stream, rustix::net::Shutdown::Write)?)
}

/// Elsewhere the client learns it when the socket is closed.
#[cfg(not(unix))]
pub(super) fn close_sending(_: &TcpStream) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Waits until the client sends nothing more, though what it has sent is not read.
///
/// Whoever reads learns it too, but not while a service leaves the body where it is. Where the system does not tell,
/// this waits for ever.
pub(super) async fn closed_by_client(stream: Arc<TcpStream>) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    loop {
        match stream.ready(Interest::PRIORITY).await {
            Ok(ready) if !ready.is_read_closed() => {
                // Urgent data means nothing here.
                let _: io::Result<()> =
                    stream.try_io(Interest::PRIORITY, || Err(ErrorKind::WouldBlock.into()));
            }
            _ => return,
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = stream;
        std::future::pending::<()>().await
    }
}
