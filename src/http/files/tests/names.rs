//! What is found, and what never is.

use super::*;

#[test]
fn files_and_folders_are_found() {
    let site = Site::new();
    let files = site.files();
    for (path, body) in [
        ("/", "home"),
        ("/index.html", "home"),
        ("/docs/", "docs"),
        ("/docs/deep/a%20b%25.txt", "odd"),
        ("/%61pp.js", "0123456789"),
        ("/app.js?v=1", "0123456789"),
    ] {
        let bare = path.split('?').next().unwrap();
        let (status, _, said) = get(&files, bare, &[]);
        assert_eq!((status, &*said), (200, body), "{path}");
    }
    for path in ["/nothing", "/app.js/", "/docs/deep/", "/empty.d/", "/app.js/x"] {
        assert_eq!(status(&files, path, &[]), 404, "{path}");
    }
}

#[test]
fn a_folder_without_its_slash_is_a_redirect_that_stays_here() {
    let site = Site::new();
    fs::create_dir(site.dir().join("a:b")).unwrap();
    let files = site.files();
    let located = |address: &str, path: &str| {
        let request = Request::builder().uri(address).body(()).unwrap().into_parts().0;
        let response = block_on(files.answer(&request, path));
        assert_eq!(response.status(), StatusCode::MOVED_PERMANENTLY, "{address}");
        response.headers()["location"].to_str().unwrap().to_string()
    };
    assert_eq!(located("/docs", "docs"), "./docs/");
    assert_eq!(located("/static/docs/deep?x=//y", "docs/deep"), "./deep/?x=//y");
    assert_eq!(located("/a:b", "/a:b"), "./a:b/");
    assert_eq!(located("//docs", "/docs"), "./docs/", "no address of another host");
    assert_eq!(located("/static", ""), "./static/");
}

/// Ways out of the folder, and to what is hidden in it.
const OUT: &[&str] = &[
    "..",
    "/..",
    "../secret.txt",
    "/../secret.txt",
    "/docs/../../secret.txt",
    "/docs/..",
    "/./app.js",
    "%2e%2e/secret.txt",
    "/%2e%2e/secret.txt",
    "/.%2e/secret.txt",
    "/%2E./secret.txt",
    "/docs/%2e%2e/%2e%2e/secret.txt",
    "..%2fsecret.txt",
    "/..%2fsecret.txt",
    "/docs%2f..%2f..%2fsecret.txt",
    "%252e%252e%252fsecret.txt",
    "/docs%2findex.html",
    "//etc/passwd",
    "///etc/passwd",
    "/%2fetc/passwd",
    "//app.js",
    "/docs//index.html",
    "/..\\secret.txt",
    "/..%5csecret.txt",
    "\\..\\secret.txt",
    "/docs%5cindex.html",
    "c:\\secret.txt",
    "/app.js%00",
    "/app.js%00.html",
    "/\0",
    "/%00",
    "/%ff",
    "/%c0%ae%c0%ae/secret.txt",
    "/%",
    "/%zz",
    "/.env",
    "/%2eenv",
    "/docs/.git",
    "/.",
    "/docs/.",
    "/...",
    "/proc/self/environ",
    "/etc/passwd",
    "~/secret.txt",
];

#[test]
fn no_name_leads_out_of_the_folder() {
    let site = Site::new();
    let files = site.files();
    for path in OUT {
        let (status, _, said) = get(&files, path, &[]);
        assert_eq!((status, &*said), (404, ""), "{path}");
    }
    for path in
        ["/a".repeat(10_000), format!("/{}", "a".repeat(300)), "/..".repeat(1_000), "/docs".repeat(800)]
    {
        assert_eq!(status(&files, &path, &[]), 404);
    }
    let hidden = site.files().hidden(true);
    assert_eq!(get(&hidden, "/.env", &[]).2, "secret", "where it is allowed");
    for path in OUT.iter().filter(|path| !path.ends_with("env") && !path.ends_with(".git")) {
        assert_eq!(status(&hidden, path, &[]), 404, "{path}");
    }
}

#[cfg(unix)]
#[test]
fn symbolic_links_stay_inside() {
    use std::os::unix::fs::symlink;
    let site = Site::new();
    let www = site.dir();
    symlink("app.js", www.join("inside.js")).unwrap();
    symlink("docs", www.join("inside")).unwrap();
    symlink("../secret.txt", www.join("outside.txt")).unwrap();
    symlink(site.root.join("secret.txt"), www.join("absolute.txt")).unwrap();
    symlink("..", www.join("up")).unwrap();
    symlink("/", www.join("root")).unwrap();
    symlink("loop", www.join("loop")).unwrap();
    symlink("/proc/self/root", www.join("magic")).unwrap();
    let files = site.files();
    for path in
        ["/outside.txt", "/absolute.txt", "/up/secret.txt", "/root/etc/passwd", "/loop", "/magic/etc/passwd"]
    {
        assert_eq!(status(&files, path, &[]), 404, "{path}");
    }
    assert_eq!(get(&files, "/inside.js", &[]).2, "0123456789");
    assert_eq!(get(&files, "/inside/", &[]).2, "docs");

    // Without `openat2` no link is followed at all.
    let walk = |path| files.folder.walk(&super::super::name::Name::parse(path, false).unwrap());
    assert!(walk("/docs/index.html").unwrap().is_file());
    for path in
        ["/outside.txt", "/up/secret.txt", "/inside/index.html", "/inside.js", "/loop", "/root/etc/passwd"]
    {
        assert!(walk(path).is_err(), "{path}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_at_once() {
    let site = Site::new();
    let fifo = site.dir().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(site.dir().join("socket")).unwrap();
    let files = site.files();
    assert_eq!(status(&files, "/fifo", &[]), 404);
    assert_eq!(status(&files, "/socket", &[]), 404);
    assert_eq!(status(&Files::new("/dev").unwrap(), "/zero", &[]), 404);
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_moved_is_still_the_one_that_was_opened() {
    let site = Site::new();
    let files = site.files();
    fs::rename(site.dir(), site.root.join("moved")).unwrap();
    fs::create_dir(site.dir()).unwrap();
    fs::write(site.dir().join("app.js"), "another").unwrap();
    assert_eq!(get(&files, "/app.js", &[]).2, "0123456789");
}

#[test]
fn only_get_and_head_are_allowed() {
    let site = Site::new();
    let files = site.files();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE] {
        let response = answer(&files, method, "/app.js", &[]);
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "GET, HEAD");
    }
    let head = answer(&files, Method::HEAD, "/app.js", &[("range", "bytes=0-1")]);
    assert_eq!((head.status(), &head.headers()["content-length"]), (StatusCode::OK, &HeaderValue::from(10)));
    assert!(http_body::Body::is_end_stream(head.body()));
}

#[test]
fn an_application_gets_its_page_and_a_missing_file_does_not() {
    let site = Site::new();
    let files = site.files().fallback("index.html").cache_control(HeaderValue::from_static("max-age=60"));
    let browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    for path in ["/users/7", "/users/7/", "/empty.d/x", "/docs/deep/"] {
        let (status, headers, said) = get(&files, path, &browser);
        assert_eq!(
            (status, &*said, &headers["cache-control"]),
            (200, "home", &HeaderValue::from_static("no-cache"))
        );
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(headers["vary"], "accept");
    }
    assert_eq!(get(&files, "/", &browser).1["cache-control"], "no-cache", "the page itself");
    assert_eq!(get(&files, "/app.js", &browser).1["cache-control"], "max-age=60");
    assert_eq!(status(&files, "/missing.js", &browser), 404, "a file");
    assert_eq!(status(&files, "/users/7", &[("accept", "*/*")]), 404, "a script");
    assert_eq!(status(&files, "/users/7", &[("accept", "text/html;q=0")]), 404);
    assert_eq!(status(&files, "/%2e%2e/users", &browser), 404);
    assert!(files.check().is_ok());
    for page in ["missing.html", "../secret.txt", "docs"] {
        assert!(site.files().fallback(page).check().unwrap_err().to_string().contains(page), "{page}");
        assert_eq!(status(&site.files().fallback(page), "/users/7", &browser), 404);
    }
}

#[test]
fn a_folder_that_cannot_be_served_is_an_error() {
    let site = Site::new();
    for path in [site.dir().join("missing"), site.dir().join("app.js")] {
        let error = Files::new(&path).unwrap_err().to_string();
        assert!(error.contains(Path::file_name(&path).unwrap().to_str().unwrap()), "{error}");
    }
}

#[test]
fn content_types_are_known() {
    let site = Site::new();
    for (name, media) in [
        ("a.HTML", "text/html; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.wasm", "application/wasm"),
        ("a.tar.gz", "application/gzip"),
        ("a.b.svg", "image/svg+xml"),
        ("a", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
    ] {
        site.write(name, "x");
        assert_eq!(get(&site.files(), &format!("/{name}"), &[]).1["content-type"], media, "{name}");
    }
}
