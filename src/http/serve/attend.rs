//! The task of one connection: polls it until it ends, is told to, or takes too long.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::connection::{Connection, Order, Verdict};
use super::socket;

/// How long a client may go on sending after the last answer, which it would lose if the socket were just closed.
const LINGER: Duration = Duration::from_secs(2);
/// How much of that is read.
const LINGER_BYTES: usize = 1 << 20;
const SCRATCH: usize = 8 << 10;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The last answer is given, though the client may still be sending.
    Over,
    /// There is nothing more to say to the client.
    Gone,
    /// What is left to send cannot be sent.
    Cut,
}

/// Serves one connection to its end; `retire` makes it take no further request.
pub(super) async fn attend<C: Future>(
    stream: Arc<TcpStream>,
    connection: Arc<Connection>,
    http: C,
    retire: impl Fn(Pin<&mut C>),
) {
    match speak(&stream, &connection, http, retire).await {
        Ending::Over => linger(&stream, &connection).await,
        Ending::Gone => {}
        // Otherwise the system keeps what nobody takes for minutes.
        Ending::Cut => drop(stream.set_zero_linger()),
    }
}

async fn speak<C: Future>(
    stream: &Arc<TcpStream>,
    connection: &Arc<Connection>,
    http: C,
    retire: impl Fn(Pin<&mut C>),
) -> Ending {
    let mut http = pin!(http);
    let mut closed = pin!(socket::closed_by_client(Arc::clone(stream)));
    let mut watch = pin!(Watch::over(connection));
    let mut is_retiring = false;
    poll_fn(|cx| {
        loop {
            match connection.heed(cx.waker()) {
                Order::Leave => return Poll::Ready(Ending::Cut),
                Order::Retire if !is_retiring => {
                    is_retiring = true;
                    retire(http.as_mut());
                }
                _ => {}
            }
            if http.as_mut().poll(cx).is_ready() {
                return Poll::Ready(if is_retiring { Ending::Gone } else { Ending::Over });
            }
            // An idle connection reads by itself, and learns of the end there.
            if connection.requests() > 0 && closed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ending::Gone);
            }
            match watch.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Verdict::Expired { stalled: true }) => return Poll::Ready(Ending::Cut),
                Poll::Ready(Verdict::Expired { stalled: false }) => return Poll::Ready(Ending::Gone),
                Poll::Ready(_) => connection.order(Order::Retire),
            }
        }
    })
    .await
}

/// One timer for all that may take too long.
struct Watch<'a> {
    connection: &'a Connection,
    timer: Pin<Box<Sleep>>,
}

impl<'a> Watch<'a> {
    fn over(connection: &'a Connection) -> Self {
        Self { connection, timer: Box::pin(tokio::time::sleep(Duration::ZERO)) }
    }
}

impl Watch<'_> {
    /// Answers what time makes of the connection, once that is not to wait.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Verdict> {
        while self.timer.as_mut().poll(cx).is_ready() {
            match self.connection.judge(Instant::now()) {
                Verdict::Wait(end) => self.timer.as_mut().reset(end.into()),
                verdict => return Poll::Ready(verdict),
            }
        }
        Poll::Pending
    }
}

/// Reads what the client still sends, for a while, so that it gets to see the answer.
async fn linger(stream: &TcpStream, connection: &Connection) {
    if socket::close_sending(stream).is_err() {
        return;
    }
    let mut limit = pin!(tokio::time::sleep(LINGER));
    let mut left = LINGER_BYTES;
    poll_fn(|cx| {
        let told = connection.heed(cx.waker());
        if told == Order::Leave || limit.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while left > 0 {
            match stream.poll_read_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => break,
                Poll::Ready(Ok(())) => match stream.try_read(&mut [0; SCRATCH]) {
                    Ok(read @ 1..) => left = left.saturating_sub(read),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    _ => break,
                },
            }
        }
        Poll::Ready(())
    })
    .await;
}
