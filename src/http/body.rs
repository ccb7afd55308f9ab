//! The body of an answer.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;

use crate::body::BoxError;
use crate::http::permit::Permit;
use crate::runtime::HttpBody;

type Boxed = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>;

/// The body of an answer: nothing, whole bytes, what a function is still writing, or any other body.
///
/// Dropping it cancels the function that writes it.
///
/// ```
/// use fnhost::http::Body;
/// use http_body::Body as _;
///
/// let body = Body::from("hello");
/// assert_eq!(body.size_hint().exact(), Some(5));
/// assert!(Body::empty().is_end_stream());
/// ```
#[must_use = "dropping the body cancels the function that writes it"]
#[derive(Default)]
pub struct Body {
    kind: Kind,
    /// Given back with the last byte, or when the body is dropped.
    held: Option<Permit>,
}

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Whole(Bytes),
    Function(HttpBody),
    Boxed(Boxed),
}

impl Body {
    /// Creates a body without any bytes.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Creates a body of another one, boxed unless it has ended already.
    ///
    /// ```
    /// use fnhost::http::Body;
    /// use http_body::Body as _;
    ///
    /// let body = Body::new(http_body_util::Full::from("hello"));
    /// assert_eq!(body.size_hint().exact(), Some(5));
    /// ```
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if body.is_end_stream() {
            return Self::empty();
        }
        Self::of(Kind::Boxed(Box::pin(body.map_err(Into::into))))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, held: None }
    }

    /// Holds a permit until the last byte.
    pub(crate) fn holding(mut self, permit: Permit) -> Self {
        self.held = Some(permit);
        if http_body::Body::is_end_stream(&self) {
            self.held = None;
        }
        self
    }

    fn poll_kind(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.kind = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Function(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Kind::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = self.poll_kind(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            *self = Self::empty();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Function(body) => body.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Function(body) => body.size_hint(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

impl From<HttpBody> for Body {
    fn from(body: HttpBody) -> Self {
        Self::of(Kind::Function(body))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::empty() } else { Self::of(Kind::Whole(bytes)) }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("size_hint", &http_body::Body::size_hint(self)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body::Body as _;
    use http_body_util::Full;

    use super::*;
    use crate::admission::{Amount, Gate};
    use crate::block_on::block_on;

    fn collect(body: Body) -> Bytes {
        block_on(body.collect()).unwrap().to_bytes()
    }

    #[test]
    fn every_kind_gives_its_bytes_once() {
        assert_eq!(collect(Body::empty()), "");
        assert_eq!(collect("abc".into()), "abc");
        assert_eq!(collect(Body::from(Vec::new())), "");
        assert_eq!(collect(Body::new(Full::from("abc"))), "abc");
        let mut body = Body::from("abc");
        let mut next = || block_on(body.frame()).map(|frame| frame.unwrap().into_data().unwrap());
        assert_eq!((next(), next()), (Some(Bytes::from("abc")), None));
    }

    #[test]
    fn what_has_ended_says_so() {
        for body in [Body::empty(), "".into(), Body::new(Full::<Bytes>::default())] {
            assert!(body.is_end_stream());
            assert_eq!(body.size_hint().exact(), Some(0));
        }
    }

    #[test]
    fn a_permit_is_held_until_the_last_byte_or_the_drop() {
        let gate = Arc::new(Gate::new(Amount::new(1, 0), 0));
        let hold = |body: Body| body.holding(Permit::take(&gate).unwrap());
        assert!(hold(Body::empty()).held.is_none(), "there is nothing to wait for");
        let mut body = hold(Body::new(Full::from("abc")));
        assert!(block_on(body.frame()).is_some());
        assert!(Permit::take(&gate).is_none());
        assert!(block_on(body.frame()).is_none());
        assert!(gate.is_idle(), "the body is still there, and has ended");
        drop(hold("abc".into()));
        assert!(gate.is_idle());
    }
}
