//! Parts of files.

use super::*;

#[test]
fn one_range_is_answered() {
    let site = Site::new();
    let files = site.files();
    for (range, status, body, said_range) in [
        ("bytes=0-0", 206, "0", "bytes 0-0/10"),
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=-3", 206, "789", "bytes 7-9/10"),
        ("bytes=-30", 206, "0123456789", "bytes 0-9/10"),
        ("bytes=8-99999999999999999999999999", 206, "89", "bytes 8-9/10"),
        ("Bytes = 2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=10-", 416, "", "bytes */10"),
        ("bytes=99999999999999999999999999-", 416, "", "bytes */10"),
        ("bytes=-0", 416, "", "bytes */10"),
        ("bytes=4-2", 200, "0123456789", ""),
        ("bytes=a-b", 200, "0123456789", ""),
        ("bytes=-", 200, "0123456789", ""),
        ("bytes=+1-2", 200, "0123456789", ""),
        ("bytes=1--2", 200, "0123456789", ""),
        ("bytes=0-1,3-4", 200, "0123456789", ""),
        ("bytes=0-1, -1", 200, "0123456789", ""),
        ("lines=0-1", 200, "0123456789", ""),
        ("bytes", 200, "0123456789", ""),
        ("", 200, "0123456789", ""),
    ] {
        let (given, headers, said) = get(&files, "/app.js", &[("range", range)]);
        let given_range = headers.get("content-range").map_or("", |range| range.to_str().unwrap());
        assert_eq!((given, &*said, given_range), (status, body, said_range), "{range}");
    }
}

#[test]
fn an_empty_file_has_no_range() {
    let site = Site::new();
    site.write("none.txt", "");
    let files = site.files();
    assert_eq!(get(&files, "/none.txt", &[]).2, "");
    assert_eq!(status(&files, "/none.txt", &[("range", "bytes=0-")]), 416);
    assert_eq!(status(&files, "/none.txt", &[("range", "bytes=-1")]), 200);
}

#[test]
fn a_range_holds_only_for_the_state_that_the_client_has() {
    let site = Site::new();
    let files = site.files();
    let tag = get(&files, "/app.js", &[]).1["etag"].to_str().unwrap().to_string();
    let weak = format!("W/{tag}");
    for (condition, expected) in [
        (&*tag, 206),
        (OLD_DATE, 206),
        (&*weak, 200),
        ("\"other\"", 200),
        ("Sun, 09 Sep 2001 01:46:41 GMT", 200),
        ("Sun, 09 Sep 2001 01:46:39 GMT", 200),
        ("nonsense", 200),
    ] {
        assert_eq!(status(&files, "/app.js", &[("range", "bytes=1-2"), ("if-range", condition)]), expected);
        let beyond = if expected == 206 { 416 } else { 200 };
        assert_eq!(status(&files, "/app.js", &[("range", "bytes=99-"), ("if-range", condition)]), beyond);
    }
    assert_eq!(status(&files, "/app.js", &[("range", "bytes=1-2"), ("if-match", "\"other\"")]), 412);
    assert_eq!(status(&files, "/app.js", &[("range", "bytes=99-"), ("if-none-match", &tag)]), 304);
}
