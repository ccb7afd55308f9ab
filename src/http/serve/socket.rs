//! The socket of a connection: reads and writes, and tells what it sees.
//!
//! An answer that was quick waits until the thread has been round once: then those of all requests that had come go out
//! one after another. A client on the same machine is woken by each of them, and takes the core from whoever is to make
//! the next: small guests were answered 1.5 times as fast in this way.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::connection::Connection;

/// What took longer waits for nobody: others may take as long, and those who wait have waited already.
const QUICK: Duration = Duration::from_micros(200);

/// The socket of a connection.
pub(super) struct Socket {
    stream: Arc<TcpStream>,
    connection: Arc<Connection>,
    is_unwritten: bool,
    /// When the last bytes were read, until an answer to them has had its turn.
    read_at: Option<Instant>,
}

impl Socket {
    pub(super) fn new(stream: Arc<TcpStream>, connection: Arc<Connection>) -> Self {
        Self { stream, connection, is_unwritten: false, read_at: None }
    }

    /// Keeps in mind since when the client takes nothing.
    fn note_written(&mut self, is_unwritten: bool) {
        if self.is_unwritten != is_unwritten {
            self.is_unwritten = is_unwritten;
            self.connection.set_unwritten(is_unwritten);
        }
    }

    /// Lets the others of this thread go first, once for what was read.
    fn poll_turn(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.read_at.take().is_some_and(|read_at| read_at.elapsed() < QUICK) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        send: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(cx));
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
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match read(&self.stream, buf) {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(_) => {
                    self.read_at = Some(Instant::now());
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::task::{Wake, Waker};

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::http::serve::ServeOptions;

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    /// Has a socket read what a client sent, and answers it with the client.
    async fn asked() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let connection = Connection::new((&ServeOptions::default()).into(), Arc::default());
        let mut socket = Socket::new(Arc::new(stream), Arc::new(connection));
        client.writable().await.unwrap();
        client.try_write(b"ask").unwrap();
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 3);
        (socket, client)
    }

    fn run(work: impl Future) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work);
    }

    #[test]
    fn a_quick_answer_lets_the_others_go_first_once() {
        run(async {
            let (mut socket, _client) = asked().await;
            // As if it had been read just now, however long the machine took.
            socket.read_at = Some(Instant::now() + QUICK);
            let bell = Arc::<Bell>::default();
            let waker = Waker::from(Arc::clone(&bell));
            let mut write = || Pin::new(&mut socket).poll_write(&mut Context::from_waker(&waker), b"a");
            assert!(write().is_pending());
            assert_eq!(bell.0.load(SeqCst), 1, "it is polled again");
            assert!(write().is_ready());
            assert!(write().is_ready(), "what else is written does not wait");
        });
    }

    #[test]
    fn what_took_long_waits_for_nobody() {
        run(async {
            let (mut socket, _client) = asked().await;
            socket.read_at = Some(Instant::now() - QUICK);
            let bell = Arc::<Bell>::default();
            let waker = Waker::from(Arc::clone(&bell));
            let write = Pin::new(&mut socket).poll_write(&mut Context::from_waker(&waker), b"a");
            assert!(write.is_ready());
            assert_eq!(bell.0.load(SeqCst), 0);
        });
    }
}
