//! A folder of files, and clients that want something else.

mod caching;
mod names;
mod ranges;
mod sizes;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;

use super::{FileBody, Files};
use crate::block_on::block_on;

/// Long enough ago for a tag to be strong: Sun, 09 Sep 2001 01:46:40 GMT.
const OLD: Duration = Duration::from_secs(1_000_000_000);
const OLD_DATE: &str = "Sun, 09 Sep 2001 01:46:40 GMT";

/// A folder with files, and a secret beside it.
struct Site {
    root: PathBuf,
}

impl Site {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, SeqCst);
        let root = std::env::temp_dir().join(format!("fnhost-files-{}-{number}", std::process::id()));
        let site = Self { root };
        fs::create_dir_all(site.dir().join("docs/deep")).unwrap();
        fs::create_dir_all(site.dir().join("empty.d")).unwrap();
        fs::write(site.root.join("secret.txt"), "secret").unwrap();
        site.write("index.html", "home");
        site.write("app.js", "0123456789");
        site.write("docs/index.html", "docs");
        site.write("docs/deep/a b%.txt", "odd");
        site.write(".env", "secret");
        site.write("docs/.git", "secret");
        site
    }

    fn dir(&self) -> PathBuf {
        self.root.join("www")
    }

    /// Writes a file that looks old.
    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.dir().join(name), bytes).unwrap();
        self.touch(name, SystemTime::UNIX_EPOCH + OLD);
    }

    fn touch(&self, name: &str, modified: SystemTime) {
        let file = fs::File::options().write(true).open(self.dir().join(name)).unwrap();
        file.set_modified(modified).unwrap();
    }

    fn files(&self) -> Files {
        Files::new(self.dir()).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn answer(files: &Files, method: Method, path: &str, headers: &[(&'static str, &str)]) -> Response<FileBody> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    // What is no address is still a path that a router may have cut out of one.
    *request.uri_mut() = path.parse().unwrap_or_default();
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
    }
    block_on(files.answer(&request.into_parts().0, path))
}

fn get(files: &Files, path: &str, headers: &[(&'static str, &str)]) -> (u16, HeaderMap, String) {
    let (head, body) = answer(files, Method::GET, path, headers).into_parts();
    let body = block_on(body.collect()).unwrap().to_bytes();
    let len = head.headers.get("content-length").map(|len| len.to_str().unwrap().parse::<usize>().unwrap());
    assert!(len.is_none_or(|len| len == body.len()), "{len:?} are said and {} are sent", body.len());
    assert_eq!(head.headers["x-content-type-options"], "nosniff");
    (head.status.as_u16(), head.headers, String::from_utf8_lossy(&body).into_owned())
}

fn status(files: &Files, path: &str, headers: &[(&'static str, &str)]) -> u16 {
    get(files, path, headers).0
}
