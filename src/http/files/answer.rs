//! From a request to a file: find, judge, cut, answer.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::time::SystemTime;

use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderName, LAST_MODIFIED, LOCATION, RANGE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Response, StatusCode, request};

use super::Files;
use super::body::FileBody;
use super::conditions::{self, Verdict};
use super::folder::Found;
use super::media;
use super::name::Name;
use super::range::{self, Asked};
use super::tag::State;
use super::variants::{self, Encoding};

const INDEX: &str = "index.html";

/// What is to be answered with.
struct Chosen {
    found: Found,
    name: Name,
    encoding: Option<Encoding>,
    is_fallback: bool,
}

/// What a request finds.
enum Outcome {
    File(Box<Chosen>),
    /// A folder that was named without its slash.
    Folder,
    Nothing,
}

/// Answers a request.
pub(super) fn answer(files: &Files, request: &request::Parts, path: &str) -> Response<FileBody> {
    if request.method != Method::GET && request.method != Method::HEAD {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match find(files, request, path) {
        Ok(Outcome::File(chosen)) => send(files, request, *chosen).unwrap_or_else(|error| failed(&error)),
        Ok(Outcome::Folder) => redirect(request),
        Ok(Outcome::Nothing) => plain(StatusCode::NOT_FOUND),
        Err(error) => failed(&error),
    }
}

fn find(files: &Files, request: &request::Parts, path: &str) -> io::Result<Outcome> {
    let Some(name) = Name::parse(path, files.hidden) else { return Ok(Outcome::Nothing) };
    let found = match open(files, &name)? {
        Some(found) if found.is_folder() && !request.uri.path().ends_with('/') => return Ok(Outcome::Folder),
        Some(found) if found.is_folder() => {
            let index = name.join(INDEX);
            open(files, &index)?.map(|found| (found, index))
        }
        Some(found) if !name.is_folder() => Some((found, name.clone())),
        _ => None,
    };
    match found.filter(|(found, _)| found.is_file()) {
        Some((found, name)) => {
            let is_fallback = files.fallback_page().is_some_and(|page| page.path() == name.path());
            choose(files, request, found, name, is_fallback)
        }
        None => fall_back(files, request, &name),
    }
}

/// Opens what has a name; none where there is nothing that may be served.
fn open(files: &Files, name: &Name) -> io::Result<Option<Found>> {
    match files.folder.find(name) {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_out_of_resources(&error) => Err(error),
        // That it must not be read, or leads out of the folder, is nobody's business.
        Err(_) => Ok(None),
    }
}

fn is_out_of_resources(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let errno = Errno::from_io_error(error);
        matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::IO | Errno::AGAIN))
    }
    #[cfg(not(unix))]
    {
        error.kind() == ErrorKind::OutOfMemory
    }
}

/// Answers the page of a single-page application, to who goes to an address and not to who misses a file.
fn fall_back(files: &Files, request: &request::Parts, name: &Name) -> io::Result<Outcome> {
    let Some(page) = files.fallback_page() else { return Ok(Outcome::Nothing) };
    if name.extension().is_some() || !variants::accepts_pages(&request.headers) {
        return Ok(Outcome::Nothing);
    }
    match open(files, page)?.filter(Found::is_file) {
        Some(found) => choose(files, request, found, page.clone(), true),
        None => Ok(Outcome::Nothing),
    }
}

/// Takes the encoded file that stands beside, if the client takes it.
fn choose(
    files: &Files,
    request: &request::Parts,
    found: Found,
    name: Name,
    is_fallback: bool,
) -> io::Result<Outcome> {
    let accepted = if files.precompressed { variants::accepted(&request.headers) } else { Vec::new() };
    for encoding in accepted {
        if let Some(found) = open(files, &name.beside(encoding.extension))?.filter(Found::is_file) {
            let encoding = Some(encoding);
            return Ok(Outcome::File(Box::new(Chosen { found, name, encoding, is_fallback })));
        }
    }
    Ok(Outcome::File(Box::new(Chosen { found, name, encoding: None, is_fallback })))
}

/// Judges conditions and range, and answers with what is left of the file.
fn send(files: &Files, request: &request::Parts, chosen: Chosen) -> io::Result<Response<FileBody>> {
    let state = State::new(&chosen.found.metadata, SystemTime::now());
    let (vary, caching) = (vary(files, &chosen), caching(files, &chosen));
    let mut response = match conditions::judge(&request.headers, &state) {
        Verdict::Failed => return Ok(plain(StatusCode::PRECONDITION_FAILED)),
        Verdict::NotModified => plain(StatusCode::NOT_MODIFIED),
        Verdict::Go => send_bytes(files, request, &state, chosen)?,
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, state.etag());
    headers.insert(LAST_MODIFIED, state.last_modified());
    let optional = [(VARY, vary), (CACHE_CONTROL, caching)];
    headers.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    Ok(response)
}

fn caching(files: &Files, chosen: &Chosen) -> Option<HeaderValue> {
    let no_cache = || HeaderValue::from_static("no-cache");
    if chosen.is_fallback { Some(no_cache()) } else { files.cache_control.clone() }
}

/// What the answer depends on beside the address.
fn vary(files: &Files, chosen: &Chosen) -> Option<HeaderValue> {
    Some(HeaderValue::from_static(match (files.precompressed, chosen.is_fallback) {
        (true, true) => "accept-encoding, accept",
        (true, false) => "accept-encoding",
        (false, true) => "accept",
        (false, false) => return None,
    }))
}

fn send_bytes(
    files: &Files,
    request: &request::Parts,
    state: &State,
    chosen: Chosen,
) -> io::Result<Response<FileBody>> {
    let len = chosen.found.metadata.len();
    let (status, range) = match asked(request, state, len) {
        Asked::Whole => (StatusCode::OK, 0..len),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Nothing => return Ok(not_satisfiable(len)),
    };
    let mut response = plain(status);
    let headers = response.headers_mut();
    let media = media::content_type(chosen.name.extension().as_deref());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, (range.end - range.start).into());
    if let Some(encoding) = chosen.encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name));
    }
    if status == StatusCode::PARTIAL_CONTENT {
        headers.insert(CONTENT_RANGE, content_range(&range, len));
    }
    if request.method == Method::GET {
        *response.body_mut() = FileBody::new(chosen.found.file, range, &files.reader)?;
    }
    Ok(response)
}

/// Only GET has ranges, and only while the client's part is of the same state.
fn asked(request: &request::Parts, state: &State, len: u64) -> Asked {
    let mut ranges = request.headers.get_all(RANGE).iter();
    match (ranges.next(), ranges.next()) {
        (Some(range), None)
            if request.method == Method::GET && conditions::allow_range(&request.headers, state) =>
        {
            range.to_str().map_or(Asked::Whole, |range| range::parse(range, len))
        }
        _ => Asked::Whole,
    }
}

fn not_satisfiable(len: u64) -> Response<FileBody> {
    let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE);
    let range = HeaderValue::try_from(format!("bytes */{len}")).expect("digits are fine in a header");
    response.headers_mut().insert(CONTENT_RANGE, range);
    response
}

fn content_range(range: &Range<u64>, len: u64) -> HeaderValue {
    let range = format!("bytes {}-{}/{len}", range.start, range.end - 1);
    HeaderValue::try_from(range).expect("digits are fine in a header")
}

/// Sends a client to the folder that it named without a slash.
///
/// The address is relative to the one asked for: an absolute one, made of what the client wrote, could name another
/// host (`//host`), and would have to know where the folder is mounted.
fn redirect(request: &request::Parts) -> Response<FileBody> {
    let last = request.uri.path().rsplit('/').next().unwrap_or_default();
    let query = request.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut response = plain(StatusCode::MOVED_PERMANENTLY);
    match HeaderValue::try_from(format!("./{last}/{query}")) {
        Ok(location) => drop(response.headers_mut().insert(LOCATION, location)),
        Err(_) => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    response
}

fn failed(error: &io::Error) -> Response<FileBody> {
    tracing::warn!(%error, "a file cannot be served");
    let is_unlucky = is_out_of_resources(error) || error.kind() == ErrorKind::UnexpectedEof;
    plain(if is_unlucky { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::INTERNAL_SERVER_ERROR })
}

/// An answer without a body. What a browser makes of any other is said by its type alone, never guessed.
fn plain(status: StatusCode) -> Response<FileBody> {
    let mut response = Response::new(FileBody::empty());
    *response.status_mut() = status;
    let nosniff: (HeaderName, HeaderValue) = (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.headers_mut().insert(nosniff.0, nosniff.1);
    response
}
