//! What an error of the connection means.

use std::error::Error;
use std::io;

use super::origin::Origin;
use super::refusal::{Part, Refusal};

/// Says in our words what the connection said.
pub(crate) fn refusal(error: &hyper::Error, origin: &Origin, max_head: usize) -> Refusal {
    let (origin, reason) = (origin.to_string(), innermost(error).to_string());
    if error.is_parse_too_large() {
        Refusal::TooLarge { part: Part::ResponseHead, limit: max_head as u64 }
    } else if is_closed(error) {
        Refusal::Closed { origin, reason }
    } else {
        Refusal::Protocol { origin, reason }
    }
}

/// Tells whether the connection ended, and not what came over it was wrong.
pub(crate) fn is_closed(error: &hyper::Error) -> bool {
    // Bad chunks come as errors of input and output, too.
    let is_content = |kind| matches!(kind, io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
    let is_io = |error: &io::Error| !is_content(error.kind());
    let is_io = causes(error).any(|cause| cause.downcast_ref().is_some_and(is_io));
    error.is_incomplete_message() || error.is_closed() || error.is_canceled() || is_io
}

fn innermost(error: &hyper::Error) -> &(dyn Error + 'static) {
    causes(error).last().expect("the error itself is the first")
}

fn causes(error: &hyper::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}
