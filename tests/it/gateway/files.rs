//! A single-page application beside its functions, on one origin.

use std::path::{Path, PathBuf};

use fnhost::Runtime;
use fnhost::http::{Body, CloudEvents, Cors, Denied, Files, Gateway, Route};
use http::Request;

use super::{Answer, gateway, get, mirror, named, request, send, with};
use crate::kit;

const PAGE: &str = "<!doctype html><title>shop</title>";
const SCRIPT: &str = "console.log('shop');\n";

/// The folder `site` of a test, beside a file that nobody may have.
fn site(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("files-{test}"));
    let _ = std::fs::remove_dir_all(&folder);
    let site = folder.join("site");
    std::fs::create_dir_all(site.join("assets/more")).unwrap();
    for (name, text) in [
        ("index.html", PAGE),
        ("assets/app.js", SCRIPT),
        ("assets/a b.txt", "with a space"),
        ("assets/%2e.txt", "escaped as it is"),
        ("assets/.env", "secret"),
        ("assets/more/index.html", "more"),
        ("../secret.txt", "secret"),
    ] {
        std::fs::write(site.join(name), text).unwrap();
    }
    site
}

fn files(test: &str) -> Files {
    Files::new(site(test)).expect("the folder is there")
}

/// A page that everything unknown falls back to, its assets, and a function.
fn shop(test: &str) -> (Runtime, Gateway) {
    let site = site(test);
    let page = Files::new(&site).unwrap().fallback("index.html");
    let assets = Files::new(site.join("assets")).unwrap();
    gateway([named("buy"), mirror()], |builder| {
        builder
            .route("/{*path}", page)
            .route("/static/{version}/{*path}", assets)
            .route("POST /buy", "buy")
            .route("/api/{*rest}", "mirror")
    })
}

fn page(uri: &str) -> Request<Body> {
    with(request("GET", uri), "accept", "text/html,*/*")
}

fn assert_is_script(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, SCRIPT));
    assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.header("x-request-id").is_some());
}

#[test]
fn files_and_functions_live_on_one_origin() {
    let (_runtime, gateway) = shop("origin");
    let index = get(&gateway, "/");
    assert_eq!((index.status.as_u16(), index.body.as_str()), (200, PAGE));
    assert_eq!(index.header("content-type"), Some("text/html; charset=utf-8"));
    assert_is_script(&get(&gateway, "/assets/app.js"));
    assert_is_script(&get(&gateway, "/static/7/app.js"));
    assert_eq!(get(&gateway, "/assets/a%20b.txt").body, "with a space");
    assert_eq!(get(&gateway, "/static/7/a%20b.txt").body, "with a space");
    assert_eq!(get(&gateway, "/assets/%252e.txt").body, "escaped as it is", "it is decoded once");
    assert_eq!(send(&gateway, request("POST", "/buy")).body, "buy");
    assert!(get(&gateway, "/api/index.html").body.starts_with("http.request GET /api/index.html"));
}

#[test]
fn what_is_no_file_falls_back_to_the_page_for_who_goes_there() {
    let (_runtime, gateway) = shop("fallback");
    for uri in ["/orders/7", "/buy", "/orders/"] {
        let answer = send(&gateway, page(uri));
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, PAGE), "{uri}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{uri}");
    }
    assert_eq!(send(&gateway, page("/assets/gone.js")).refused(), (404, "no-file".into()));
    assert_eq!(get(&gateway, "/orders/7").refused(), (404, "no-file".into()), "who wants no page gets none");
    assert_eq!(send(&gateway, page("/static/7/gone")).refused(), (404, "no-file".into()));
    assert!(send(&gateway, page("/api/gone")).body.starts_with("http.request GET /api/gone"));
}

#[test]
fn a_range_is_answered_and_one_that_is_not_there_is_refused() {
    let (_runtime, gateway) = shop("range");
    let range = |range| send(&gateway, with(request("GET", "/assets/app.js"), "range", range));
    let part = range("bytes=0-6");
    assert_eq!((part.status.as_u16(), part.body.as_str()), (206, "console"));
    assert_eq!(part.header("content-range"), Some("bytes 0-6/21"));
    assert_eq!(part.header("content-length"), Some("7"));
    assert_eq!(range("bytes=-3").body, ");\n");
    let beyond = range("bytes=21-");
    assert_eq!(beyond.refused(), (416, "range-not-satisfiable".into()));
    assert_eq!(beyond.header("content-range"), Some("bytes */21"));
    assert_is_script(&range("lines=1-2"));
}

#[test]
fn conditional_requests_are_answered_without_the_file() {
    let (_runtime, gateway) = shop("conditions");
    let whole = get(&gateway, "/assets/app.js");
    let (tag, date) = (whole.header("etag").unwrap(), whole.header("last-modified").unwrap());
    for (name, value) in [("if-none-match", tag), ("if-modified-since", date)] {
        let same = send(&gateway, with(request("GET", "/assets/app.js"), name, value));
        assert_eq!((same.status.as_u16(), same.body.as_str()), (304, ""), "{name}");
        assert_eq!(same.header("etag"), Some(tag));
    }
    assert_is_script(&send(&gateway, with(request("GET", "/assets/app.js"), "if-none-match", "\"x\"")));
    let other = send(&gateway, with(request("GET", "/assets/app.js"), "if-match", "\"x\""));
    assert_eq!(other.refused(), (412, "precondition-failed".into()));
}

#[test]
fn no_path_leads_out_of_the_folder_or_to_what_is_hidden() {
    let (_runtime, gateway) = shop("traversal");
    for uri in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/.%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/..%5c..%5csecret.txt",
        "/assets/../../secret.txt",
        "/static/7/../../../secret.txt",
        "/static/%2e%2e/%2e%2e/secret.txt",
        "/%00",
    ] {
        assert_eq!(get(&gateway, uri).refused(), (400, "invalid-request".into()), "{uri}");
    }
    for uri in [
        "//secret.txt",
        "/static/..%252fsecret.txt",
        "/static/7//etc/passwd",
        "/assets/%252e%252e/secret.txt",
        "/assets/.env",
        "/assets/%2eenv",
        "/assets/%252eenv",
        "/static/7/.env",
        "/assets/app.js/",
    ] {
        assert_eq!(get(&gateway, uri).refused(), (404, "no-file".into()), "{uri}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_out_is_no_file() {
    let site = site("link");
    std::os::unix::fs::symlink("../../secret.txt", site.join("assets/link.txt")).unwrap();
    let (_runtime, gateway) = gateway([], |b| b.route("/{*path}", Files::new(&site).unwrap()));
    assert_eq!(get(&gateway, "/assets/link.txt").refused(), (404, "no-file".into()));
}

#[test]
fn a_folder_is_sent_on_to_its_slash_wherever_the_gateway_is_mounted() {
    let (_runtime, gateway) = shop("folder");
    let moved = get(&gateway, "/assets/more?a=b");
    assert_eq!((moved.status.as_u16(), moved.header("location")), (301, Some("./more/?a=b")));
    assert_eq!(get(&gateway, "/assets/more/").body, "more");
    assert_eq!(get(&gateway, "/assets/").refused(), (404, "no-file".into()), "folders are not listed");
}

#[test]
fn files_are_only_read() {
    let (_runtime, gateway) = shop("methods");
    for (method, uri, allow) in
        [("PUT", "/assets/app.js", "GET, HEAD, OPTIONS"), ("DELETE", "/buy", "GET, HEAD, POST, OPTIONS")]
    {
        let refused = send(&gateway, request(method, uri));
        assert_eq!(refused.refused(), (405, "method-not-allowed".into()), "{method} {uri}");
        assert_eq!(refused.header("allow"), Some(allow));
    }
    let head = send(&gateway, request("HEAD", "/assets/app.js"));
    assert_eq!((head.status.as_u16(), head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), Some("21"));
}

#[test]
fn policies_of_the_route_hold_for_files() {
    let closed = |_: &http::request::Parts| Err(Denied::unauthorized("who are you?"));
    let files = files("policies");
    let open = Route::files(files.clone()).cors(Cors::origins(["https://shop.example"]));
    let (_runtime, gateway) = gateway([], |builder| {
        builder
            .route("/open/{*path}", open.concurrency(1))
            .route("/closed/{*path}", Route::files(files).authorizer(closed))
    });
    let asked = with(request("GET", "/open/assets/app.js"), "origin", "https://shop.example");
    let answer = send(&gateway, asked);
    assert_is_script(&answer);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"));
    let gone = send(&gateway, with(request("GET", "/open/gone"), "origin", "https://shop.example"));
    assert_eq!(gone.refused().0, 404);
    assert_eq!(gone.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(get(&gateway, "/closed/index.html").refused(), (401, "unauthorized".into()));
    super::block_on(async {
        let held = gateway.answer(request("GET", "/open/index.html")).await;
        let full = Answer::read(gateway.answer(request("GET", "/open/index.html")).await).await;
        assert_eq!(full.refused(), (503, "route-full".into()));
        drop(held);
    });
    assert_eq!(get(&gateway, "/open/index.html").body, PAGE);
}

#[test]
fn what_cannot_serve_files_is_refused_at_build() {
    let runtime = kit::runtime();
    let refused = |pattern: &str, route: Route| {
        let error = Gateway::builder(&runtime).route(pattern, route).build().expect_err("it must be refused");
        assert_eq!(error.kind().name(), "invalid-configuration");
        error.to_string()
    };
    let route = || Route::files(files("build"));
    for (said, part) in [
        (refused("GET|PUT /{*path}", route()), "no other method than GET and HEAD"),
        (refused("/assets/{path}", route()), "let it end like /assets/{*path}"),
        (refused("/", route()), "let it end like"),
        (refused("/{*path}", files("build").fallback("gone.html").into()), "gone.html"),
        (refused("/{*path}", route().lazy()), "`lazy` and `cloud_events` are for functions"),
        (refused("/{*path}", route().cloud_events(CloudEvents::new())), "are for functions"),
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
