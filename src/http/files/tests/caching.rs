//! Conditional requests and encoded files.

use super::*;

const BEFORE: &str = "Sun, 09 Sep 2001 01:46:39 GMT";
const AFTER: &str = "Sun, 09 Sep 2001 01:46:41 GMT";

fn tag(files: &Files) -> String {
    get(files, "/app.js", &[]).1["etag"].to_str().unwrap().into()
}

#[test]
fn conditions_are_judged_in_order() {
    let site = Site::new();
    let files = site.files();
    let tag = &*tag(&files);
    let (weak, many, none) = (&*format!("W/{tag}"), &*format!("\"a,b\", \"x\" ,,{tag}"), "\"other\"");
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[("if-none-match", tag)], 304),
        (&[("if-none-match", weak)], 304),
        (&[("if-none-match", many)], 304),
        (&[("if-none-match", none), ("if-none-match", tag)], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", none)], 200),
        (&[("if-none-match", &tag[1..])], 200),
        (&[("if-modified-since", OLD_DATE)], 304),
        (&[("if-modified-since", AFTER)], 304),
        (&[("if-modified-since", BEFORE)], 200),
        (&[("if-modified-since", "yesterday")], 200),
        // The tag says more than the date.
        (&[("if-none-match", none), ("if-modified-since", AFTER)], 200),
        (&[("if-none-match", tag), ("if-modified-since", BEFORE)], 304),
        (&[("if-match", tag)], 200),
        (&[("if-match", many)], 200),
        (&[("if-match", "*")], 200),
        (&[("if-match", none)], 412),
        (&[("if-match", weak)], 412),
        (&[("if-match", "")], 412),
        (&[("if-unmodified-since", OLD_DATE)], 200),
        (&[("if-unmodified-since", AFTER)], 200),
        (&[("if-unmodified-since", BEFORE)], 412),
        (&[("if-match", tag), ("if-unmodified-since", BEFORE)], 200),
        (&[("if-match", none), ("if-none-match", tag)], 412),
        (&[("if-match", tag), ("if-none-match", tag)], 304),
        (&[("if-unmodified-since", AFTER), ("if-modified-since", AFTER)], 304),
    ];
    for (headers, expected) in cases {
        let headers: Vec<(&'static str, &str)> =
            headers.iter().map(|(name, value)| (known(name), *value)).collect();
        assert_eq!(status(&files, "/app.js", &headers), *expected, "{headers:?}");
    }
}

fn known(name: &str) -> &'static str {
    ["if-none-match", "if-modified-since", "if-match", "if-unmodified-since"]
        .into_iter()
        .find(|known| *known == name)
        .unwrap()
}

#[test]
fn not_modified_tells_what_a_cache_needs_and_no_more() {
    let site = Site::new();
    let files = site.files().cache_control(HeaderValue::from_static("max-age=60")).precompressed(true);
    let tag = tag(&files);
    let (status, headers, said) = get(&files, "/app.js", &[("if-none-match", &tag)]);
    assert_eq!((status, &*said), (304, ""));
    assert_eq!(headers["etag"], *tag);
    assert_eq!(headers["cache-control"], "max-age=60");
    assert_eq!(headers["vary"], "accept-encoding");
    assert_eq!(headers["last-modified"], OLD_DATE);
    assert!(!headers.contains_key("content-length") && !headers.contains_key("content-type"));
}

#[test]
fn every_change_changes_the_tag() {
    let site = Site::new();
    let files = site.files();
    let first = tag(&files);
    assert_eq!(tag(&files), first);
    site.write("app.js", "01234567890");
    let longer = tag(&files);
    site.write("new.js", "01234567890");
    fs::rename(site.dir().join("new.js"), site.dir().join("app.js")).unwrap();
    let replaced = tag(&files);
    site.touch("app.js", SystemTime::UNIX_EPOCH + OLD + Duration::from_nanos(1_000));
    let touched = tag(&files);
    let tags = [&first, &longer, &replaced, &touched];
    assert!((0..4).all(|a| (0..a).all(|b| tags[a] != tags[b])), "{tags:?}");
}

#[test]
fn a_file_that_was_just_written_has_a_weak_tag() {
    let site = Site::new();
    let files = site.files();
    site.touch("app.js", SystemTime::now());
    let weak = tag(&files);
    assert!(weak.starts_with("W/"), "{weak}");
    assert_eq!(status(&files, "/app.js", &[("if-none-match", &weak)]), 304);
    assert_eq!(status(&files, "/app.js", &[("if-match", &weak)]), 412);
    assert_eq!(status(&files, "/app.js", &[("range", "bytes=0-1"), ("if-range", &weak)]), 200);
    let future = SystemTime::now() + Duration::from_secs(3600);
    site.touch("app.js", future);
    let (_, headers, _) = get(&files, "/app.js", &[]);
    let said = httpdate::parse_http_date(headers["last-modified"].to_str().unwrap()).unwrap();
    assert!(said < future - Duration::from_secs(1800), "no time of the future is told");
}

#[test]
fn encoded_files_are_answered_to_who_takes_them() {
    let site = Site::new();
    site.write("app.js.br", "brotli");
    site.write("app.js.gz", "gzipped");
    site.write("index.html.gz", "gzipped home");
    let files = site.files().precompressed(true);
    for (accepts, encoding, body) in [
        ("gzip, deflate, br", "br", "brotli"),
        ("gzip", "gzip", "gzipped"),
        ("br;q=0.5, gzip;q=0.8", "gzip", "gzipped"),
        ("br;q=0, gzip", "gzip", "gzipped"),
        ("*", "br", "brotli"),
        ("br;q=0, *;q=0.1", "gzip", "gzipped"),
        ("GZIP", "gzip", "gzipped"),
        ("br;q=x", "", "0123456789"),
        ("identity", "", "0123456789"),
        ("brotli", "", "0123456789"),
    ] {
        let (_, headers, said) = get(&files, "/app.js", &[("accept-encoding", accepts)]);
        let encoded = headers.get("content-encoding").map_or("", |encoding| encoding.to_str().unwrap());
        assert_eq!((encoded, &*said), (encoding, body), "{accepts}");
        assert_eq!(headers["content-type"], "text/javascript; charset=utf-8");
        assert_eq!(headers["vary"], "accept-encoding");
    }
    assert_eq!(get(&files, "/", &[("accept-encoding", "gzip")]).2, "gzipped home");
    assert_eq!(
        get(&site.files(), "/app.js", &[("accept-encoding", "br")]).2,
        "0123456789",
        "only where it is on"
    );
    let plain = tag(&files);
    assert_ne!(
        get(&files, "/app.js", &[("accept-encoding", "br")]).1["etag"],
        *plain,
        "each has its own tag"
    );
    assert_eq!(status(&files, "/only", &[("accept-encoding", "br")]), 404);
}
