//! What the client asks for: the query, the head, and the body as it comes.

use http_parts::{CHUNK, Query};
use wasip3::http::types::{ErrorCode, Headers, Method, Request, Response, Trailers};
use wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult};
use wasip3::wit_future;

pub(crate) struct Question {
    pub(crate) query: Query,
    pub(crate) method: Method,
    pub(crate) headers: Headers,
    pub(crate) request: Request,
}

impl Question {
    pub(crate) fn new(request: Request) -> Self {
        let query = Query::parse(&request.get_path_with_query().unwrap_or_default());
        Self { query, method: request.get_method(), headers: request.get_headers(), request }
    }

    pub(crate) fn body(self) -> Incoming {
        let (_, taken) = wit_future::new(|| Ok(()));
        let (stream, trailers) = Request::consume_body(self.request, taken);
        Incoming { stream, trailers }
    }
}

/// A body that comes in, from the client or from the other side of a fetch.
pub(crate) struct Incoming {
    pub(crate) stream: StreamReader<u8>,
    pub(crate) trailers: FutureReader<Result<Option<Trailers>, ErrorCode>>,
}

impl Incoming {
    pub(crate) fn of(response: Response) -> Self {
        let (_, taken) = wit_future::new(|| Ok(()));
        let (stream, trailers) = Response::consume_body(response, taken);
        Self { stream, trailers }
    }

    /// Returns nothing at the end; whether it was a good end, `finish` says.
    pub(crate) async fn chunk(&mut self, room: Vec<u8>) -> Option<Vec<u8>> {
        let mut room = room;
        room.clear();
        room.reserve(CHUNK);
        let (outcome, chunk) = self.stream.read(room).await;
        matches!(outcome, StreamResult::Complete(_)).then_some(chunk)
    }

    /// Calls with each chunk until the body ends, and returns its trailers.
    pub(crate) async fn each(self, mut with: impl FnMut(&[u8])) -> Result<Option<Trailers>, ErrorCode> {
        let mut this = self;
        let mut room = Vec::new();
        while let Some(chunk) = this.chunk(room).await {
            with(&chunk);
            room = chunk;
        }
        this.finish().await
    }

    pub(crate) async fn finish(self) -> Result<Option<Trailers>, ErrorCode> {
        drop(self.stream);
        self.trailers.await
    }
}
