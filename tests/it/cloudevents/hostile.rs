//! Bodies and headers of senders that mean no good: always an answer, never a panic.

use fnhost::{Bytes, Response};
use serde_json::json;

use super::{BATCH, STRUCTURED, binary, event, header, mirror, native, post, refused, serve};
use crate::kit::Dice;

#[test]
fn bodies_that_are_no_json_are_refused() {
    let (_runtime, mirror) = mirror();
    let deep = "[".repeat(100_000);
    let deep_data = format!(r#"{{"specversion":"1.0","id":"1","source":"/","type":"a","data":{deep}"#);
    let bodies: [Bytes; 9] = [
        "".into(),
        "null".into(),
        "[".into(),
        "[}".into(),
        vec![0xff; 100].into(),
        deep.into(),
        deep_data.into(),
        r#"{"id":"1","id":"2"}"#.into(),
        "{\"specversion\":\"1.0\\u0000\"}".into(),
    ];
    for body in bodies {
        for content_type in [STRUCTURED, BATCH] {
            refused(&serve(&mirror, post(content_type), body.clone()), 400, "bad-request", &[]);
        }
    }
}

#[test]
fn a_batch_is_an_array_and_ends_where_it_ends() {
    let (_runtime, mirror) = mirror();
    let one = event(1, 1);
    for body in [one.to_string(), format!("[{one}] [{one}]"), format!("[{one},]"), format!("[{one} {one}]")] {
        refused(&serve(&mirror, post(BATCH), body), 400, "bad-request", &["no batch"]);
    }
}

#[test]
fn the_reason_of_a_refusal_is_safe_to_show() {
    let (_runtime, mirror) = mirror();
    let name = "\u{1b}[2J\u{202e}".repeat(1_000);
    let mut wrong = event(1, 1);
    wrong["time"] = json!(name);
    wrong[&name] = json!(1);
    for (content_type, body) in [(STRUCTURED, wrong.clone()), (BATCH, json!([wrong]))] {
        let answered = serve(&mirror, post(content_type), body.to_string());
        assert_eq!(answered.status(), 400);
        assert!(answered.body().len() < 2_000 && !answered.body().contains(&0x1b));
    }
}

#[test]
fn attributes_split_no_headers() {
    let (_runtime, native) = native(|event| {
        let answer = Response::new().with_attribute("ce-type", "a").with_attribute("http.header.x", "b");
        Ok(answer.with_attribute("ce-note", event.extension("note").unwrap().to_string()))
    });
    let note = "a b\"c\\d%0D%0Aset-cookie: a=1";
    let mut request = event(1, 1);
    request["note"] = json!(note);
    let answered = serve(&native, post(STRUCTURED).header("accept", "a/b"), request.to_string());
    assert_eq!(header(&answered, "ce-note"), Some("a%20b%22c\\d%250D%250Aset-cookie:%20a=1"));
    assert_eq!(header(&answered, "set-cookie"), None);
    let split = binary().header("ce-note", "a%0D%0Aset-cookie:%20a=1");
    refused(&serve(&native, split, ""), 400, "bad-request", &["note", "U+000D"]);
}

#[test]
fn nothing_random_makes_it_panic() {
    let (_runtime, mirror) = mirror();
    let mut dice = Dice::new(4);
    let whole = json!([event(1, json!({ "a": [1, "ö", null] })), event(2, 2)]).to_string();
    for round in 0..2_000 {
        let mut body = whole.clone().into_bytes();
        for _ in 0..=dice.roll(4) {
            let at = dice.roll(body.len() as u64) as usize;
            match dice.roll(3) {
                0 => body[at] = dice.roll(256) as u8,
                1 => body.truncate(at.max(1)),
                _ => body.insert(at, b"[]{}\":,\\"[dice.roll(8) as usize]),
            }
        }
        let content_type = if round % 2 == 0 { BATCH } else { STRUCTURED };
        let status = serve(&mirror, post(content_type), body).status().as_u16();
        assert!([200, 400].contains(&status), "{status}");
    }
}
