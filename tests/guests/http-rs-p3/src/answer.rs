//! The way out: a head, then a body that a task of its own writes with back-pressure.

use wasip3::http::types::{ErrorCode, Fields, Response, Trailers};
use wasip3::wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamWriter};
use wasip3::{spawn_local, wit_future, wit_stream};

use crate::Answered;
use crate::question::Incoming;

/// A body that goes out; dropped unfinished, it is cut off.
pub(crate) struct Outgoing {
    stream: StreamWriter<u8>,
    trailers: FutureWriter<Result<Option<Trailers>, ErrorCode>>,
}

/// The end of an outgoing body that the host reads.
pub(crate) struct Reading {
    pub(crate) stream: StreamReader<u8>,
    pub(crate) trailers: FutureReader<Result<Option<Trailers>, ErrorCode>>,
}

impl Outgoing {
    pub(crate) fn new() -> (Self, Reading) {
        let (writer, stream) = wit_stream::new();
        let (ended, trailers) = wit_future::new(|| Err(ErrorCode::InternalError(Some("cut off".into()))));
        (Self { stream: writer, trailers: ended }, Reading { stream, trailers })
    }

    /// Returns whether the other side still reads.
    pub(crate) async fn write(&mut self, bytes: Vec<u8>) -> bool {
        self.stream.write_all(bytes).await.is_empty()
    }

    pub(crate) async fn finish(self, trailers: Result<Option<Trailers>, ErrorCode>) {
        drop(self.stream);
        // Whoever does not want the trailers has read enough.
        let _ = self.trailers.write(trailers).await;
    }

    /// Writes what comes in, a chunk at a time, and ends as it ends.
    pub(crate) async fn pipe(self, from: Incoming) {
        let (mut this, mut from) = (self, from);
        while let Some(chunk) = from.chunk(Vec::new()).await {
            if !this.write(chunk).await {
                return;
            }
        }
        let end = from.finish().await;
        this.finish(end).await;
    }
}

pub(crate) fn text(status: u16, text: &str) -> Answered {
    whole(status, typed("text/plain; charset=utf-8"), text.as_bytes().to_vec())
}

pub(crate) fn whole(status: u16, headers: Fields, bytes: Vec<u8>) -> Answered {
    streamed(status, headers, async |mut body: Outgoing| {
        if body.write(bytes).await {
            body.finish(Ok(None)).await;
        }
    })
}

/// Answers the head; the body is written afterwards.
pub(crate) fn streamed<W>(status: u16, headers: Fields, write: W) -> Answered
where
    W: AsyncFnOnce(Outgoing) + 'static,
{
    let (body, reading) = Outgoing::new();
    let (response, _sent) = Response::new(headers, Some(reading.stream), reading.trailers);
    if response.set_status_code(status).is_err() {
        return text(400, &format!("refused: {status}\n"));
    }
    spawn_local(async move { write(body).await });
    Ok(response)
}

pub(crate) fn typed(content_type: &str) -> Fields {
    let headers = Fields::new();
    headers.set("content-type", &[content_type.into()]).expect("a name and a value that are allowed");
    headers
}
