//! A folder behind a route.

use http::header::CONTENT_RANGE;
use http::request::Parts;
use http::{Method, Response, StatusCode};

use crate::http::answer::{Refusal, SOON};
use crate::http::body::Body;
use crate::http::endpoint::reason;
use crate::http::files::Files;
use crate::http::route::pattern::{Pattern, Segment};

/// A folder behind a route.
pub(crate) struct Folder {
    files: Files,
    /// How many segments of a path stand before the part that is below the folder.
    depth: usize,
}

impl Folder {
    /// Checks that the pattern tells which file is meant, and that the files can be served.
    pub(crate) fn build(files: &Files, pattern: &Pattern) -> Result<Self, String> {
        let is_read = |method: &Method| method == Method::GET || method == Method::HEAD;
        if !pattern.methods.iter().all(is_read) {
            return Err("files are only read; name no other method than GET and HEAD".into());
        }
        if !matches!(pattern.segments.last(), Some(Segment::Rest(_))) {
            return Err("files are found by the rest of a path; let it end like /assets/{*path}".into());
        }
        files.check().map_err(reason)?;
        Ok(Self { files: files.clone(), depth: pattern.segments.len() - 1 })
    }

    pub(crate) async fn answer(&self, parts: &Parts) -> Result<Response<Body>, Refusal> {
        let answer = self.files.answer(parts, self.below(parts.uri.path())).await;
        match refused(answer.status()) {
            None => Ok(answer.map(Body::new)),
            Some(refusal) => Err(match answer.headers().get(CONTENT_RANGE) {
                Some(range) => refusal.header(CONTENT_RANGE, range.clone()),
                None => refusal,
            }),
        }
    }

    /// Returns what lies below the folder, as the client wrote it.
    ///
    /// No route takes a path with encoded slashes, so it has as many segments now as when the route was found.
    fn below<'p>(&self, path: &'p str) -> &'p str {
        let path = path.strip_prefix('/').unwrap_or(path);
        path.splitn(self.depth + 1, '/').nth(self.depth).unwrap_or_default()
    }
}

/// Says why a file is not answered, where it is not.
fn refused(status: StatusCode) -> Option<Refusal> {
    let (name, message) = match status {
        StatusCode::NOT_FOUND => ("no-file", "no file has this path"),
        StatusCode::PRECONDITION_FAILED => {
            ("precondition-failed", "the file is in another state than the request asks for")
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            ("range-not-satisfiable", "the file has no such range; the header Content-Range has its length")
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            ("file-unreadable", "the file cannot be read now; try again later")
        }
        _ if status.is_server_error() => ("file-unreadable", "the file cannot be read"),
        _ => return None,
    };
    let refusal = Refusal::new(status, name, message);
    Some(refusal.retry_after((status == StatusCode::SERVICE_UNAVAILABLE).then_some(SOON)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below<'p>(pattern: &str, path: &'p str) -> &'p str {
        let files = Files::new(std::env::temp_dir()).unwrap();
        Folder::build(&files, &Pattern::parse(pattern).unwrap()).unwrap().below(path)
    }

    #[test]
    fn what_the_wildcard_takes_is_the_path_below_as_it_was_written() {
        assert_eq!(below("/{*path}", "/"), "");
        assert_eq!(below("/{*path}", "/a%20b/c.js"), "a%20b/c.js");
        assert_eq!(below("/{*path}", "//a"), "/a");
        assert_eq!(below("/assets/{version}/{*path}", "/assets/7/a/b/"), "a/b/");
        assert_eq!(below("/assets/{version}/{*path}", "/assets/7/"), "");
    }
}
