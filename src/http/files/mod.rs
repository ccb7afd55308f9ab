//! Serves the files of a folder.
//!
//! # Contract
//!
//! The folder is opened once, and every file beneath it without ever leaving it: by the system itself where it can
//! (`openat2`; symbolic links are followed as long as they stay inside), else component by component, without
//! symbolic links. Nothing but regular files is served. Names that begin with a dot, empty components, `..`,
//! backslashes and NUL are not found, however they are written.
//!
//! Conditional requests and one range are answered as RFC 9110 says. Of several ranges the whole file is answered,
//! which the RFC allows and which leaves nothing to multiply. The entity tag is made of inode, size and time of
//! change. It is weak while that time lies less than two seconds back: what is written twice within one tick of the
//! file system's clock could not be told apart. Later it is strong, so that a download can be resumed.
//!
//! A file of up to 256 KiB is read at once, on the calling thread. Of a larger one each 64 KiB are read when the
//! client has room for them: in place when the system says that they are in memory (4 us), else on one of at most
//! four threads of the folder's own (10 us and the disk), so that a slow disk holds nobody else up. A file that
//! shrinks meanwhile ends with an error, never with another length; one that is overwritten in place is sent as it
//! is read.
//!
//! It does not list folders, compress, or keep files in memory.

mod answer;
mod body;
mod conditions;
mod folder;
mod media;
mod name;
mod range;
mod reader;
mod tag;
mod variants;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use http::{HeaderValue, Response, request};

pub(crate) use self::body::FileBody;
use self::folder::Folder;
use self::name::Name;
use self::reader::Reader;
use crate::error::{Error, ErrorKind};

/// The files of a folder, as a route serves them.
///
/// Cheap to clone; clones share the folder.
///
/// ```
/// use fnhost::http::Files;
///
/// # let dir = std::env::temp_dir();
/// let files = Files::new(&dir)?.fallback("index.html").precompressed(true);
/// # let _ = files;
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "files do nothing until a route serves them"]
pub struct Files {
    folder: Arc<Folder>,
    reader: Arc<Reader>,
    fallback: Option<Fallback>,
    cache_control: Option<HeaderValue>,
    precompressed: bool,
    hidden: bool,
}

/// The page of a single-page application, as it was set and as it is found.
#[derive(Clone)]
struct Fallback {
    page: String,
    name: Option<Name>,
}

impl Files {
    /// Opens a folder.
    ///
    /// # Errors
    ///
    /// `InvalidConfiguration` when it is not there, is no folder, or must not be read.
    pub fn new(dir: impl AsRef<Path>) -> Result<Self, Error> {
        let dir = dir.as_ref();
        let folder =
            Folder::open(dir).map_err(|error| refused(&format!("the folder {}: {error}", dir.display())))?;
        Ok(Self {
            folder: Arc::new(folder),
            reader: Arc::default(),
            fallback: None,
            cache_control: None,
            precompressed: false,
            hidden: false,
        })
    }

    /// Sets the page that is answered where there is no file, for a single-page application; none by default.
    ///
    /// Only for requests that accept `text/html` and name no file extension. The page is always answered with
    /// `cache-control: no-cache`, as it names the files of the newest version.
    pub fn fallback(mut self, page: impl Into<String>) -> Self {
        let page = page.into();
        self.fallback = Some(Fallback { name: Name::parse(&page, true), page });
        self
    }

    /// Sets the header `cache-control` of every file; none by default.
    pub fn cache_control(mut self, value: HeaderValue) -> Self {
        self.cache_control = Some(value);
        self
    }

    /// Lets `name.br` and `name.gz` be answered in place of `name` to clients that accept it; off by default.
    ///
    /// Whoever changes a file must make them anew.
    pub fn precompressed(mut self, on: bool) -> Self {
        self.precompressed = on;
        self
    }

    /// Lets names that begin with a dot be served, such as `.well-known`; off by default.
    pub fn hidden(mut self, on: bool) -> Self {
        self.hidden = on;
        self
    }

    /// Answers a request. The path is what lies beneath the folder, as the client wrote it (percent-encoded).
    ///
    /// # Cancel safety
    ///
    /// Nothing is left behind when the future is dropped.
    #[expect(clippy::unused_async, reason = "opening may move to another thread without another signature")]
    pub(crate) async fn answer(&self, request: &request::Parts, path: &str) -> Response<FileBody> {
        answer::answer(self, request, path)
    }

    /// Finds out what is set in vain.
    ///
    /// # Errors
    ///
    /// `InvalidConfiguration` when the page to fall back to is not there.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Some(Fallback { page, name }) = &self.fallback else { return Ok(()) };
        match name.as_ref().map(|name| self.folder.find(name)) {
            Some(Ok(found)) if found.is_file() => Ok(()),
            Some(Err(error)) => Err(refused(&format!("the fallback page {page:?}: {error}"))),
            _ => Err(refused(&format!("the fallback page {page:?} is no file of the folder"))),
        }
    }

    /// The page to fall back to, if there can be one of that name.
    fn fallback_page(&self) -> Option<&Name> {
        self.fallback.as_ref()?.name.as_ref()
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("folder", &self.folder.path()).finish_non_exhaustive()
    }
}

fn refused(reason: &str) -> Error {
    ErrorKind::InvalidConfiguration { reason: format!("{reason}; name a folder and files that can be read") }
        .into()
}
