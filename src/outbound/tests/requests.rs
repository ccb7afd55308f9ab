//! What goes out: no header, length or method that could confuse the server or reach past it.

use std::sync::Arc;

use http::{Method, Request, Version};

use super::world::{Heads, Server, budget, get, reaching, read_head, send, text, until_closed};
use crate::outbound::{Outbound, Part, Refusal};
use tokio::io::AsyncWriteExt;

/// A server that keeps each head and answers "ok".
async fn recording() -> (Server, Heads, Outbound) {
    let heads = Heads::default();
    let kept = Arc::clone(&heads);
    let server = Server::start(move |mut stream| {
        let kept = Arc::clone(&kept);
        async move {
            let head = read_head(&mut stream).await;
            kept.lock().push(head);
            // The client may have closed the connection already.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            until_closed(stream).await;
        }
    })
    .await;
    let outbound = reaching(server.address, |policy| policy.limits.max_idle = 0);
    (server, heads, outbound)
}

#[tokio::test]
async fn the_host_is_set_from_the_url_and_the_connection_is_ours() {
    let (server, heads, outbound) = recording().await;
    let mut request = get(&format!("{}a/b?c=d", server.url("API.test.")));
    *request.version_mut() = Version::HTTP_10;
    for (name, value) in [
        ("host", "evil.test"),
        ("connection", "keep-alive, x-private"),
        ("x-private", "1"),
        ("keep-alive", "1"),
        ("transfer-encoding", "gzip"),
        ("upgrade", "websocket"),
        ("te", "trailers"),
        ("proxy-authorization", "x"),
        ("proxy-connection", "x"),
        ("http2-settings", "x"),
        ("authorization", "Bearer x"),
        ("x-kept", "2"),
    ] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    assert_eq!(text(&outbound, request).await.as_deref(), Ok("ok"));
    let head = heads.lock()[0].clone();
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "GET /a/b?c=d HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: api.test:{}", server.port());
    assert_eq!(lines, ["authorization: Bearer x", host.as_str(), "x-kept: 2"]);
}

#[tokio::test]
async fn a_length_that_the_body_does_not_have_never_leaves() {
    let (server, heads, outbound) = recording().await;
    let url = server.url("api.test");
    for (method, body, lengths) in [
        (Method::GET, "", &["5"][..]),
        (Method::POST, "", &["5"]),
        (Method::POST, "hello", &["4"]),
        (Method::POST, "hello", &["6"]),
        (Method::POST, "hello", &["5", "6"]),
        (Method::POST, "hello", &["+5"]),
        (Method::POST, "hello", &["5, 5"]),
        (Method::POST, "hello", &["99999999999999999999"]),
        (Method::POST, "hello", &[""]),
    ] {
        let mut request = Request::builder().method(method).uri(&url);
        for length in lengths {
            request = request.header("content-length", *length);
        }
        let refusal = send(&outbound, request.body(body.to_owned()).unwrap()).await.unwrap_err();
        assert!(matches!(refusal, Refusal::InvalidRequest { .. }), "{lengths:?}: {refusal}");
    }
    assert!(heads.lock().is_empty());
    let twice = Request::post(&url).header("content-length", "5").header("content-length", "5");
    assert!(text(&outbound, twice.body("hello".into()).unwrap()).await.is_ok());
    assert_eq!(heads.lock()[0].matches("content-length: 5").count(), 1);
}

#[tokio::test]
async fn tunnels_and_other_schemes_are_refused() {
    let (server, heads, outbound) = recording().await;
    let connect = Request::builder().method(Method::CONNECT).uri(server.url("api.test"));
    let refusal = send(&outbound, connect.body(String::new()).unwrap()).await.unwrap_err();
    assert!(refusal.to_string().contains("CONNECT"), "{refusal}");
    for url in [format!("ftp://api.test:{}/", server.port()), "/relative".into(), "api.test:80".into()] {
        let refusal = send(&outbound, get(&url)).await.unwrap_err();
        assert!(matches!(refusal, Refusal::InvalidUrl { .. }), "{url}: {refusal}");
    }
    assert!(heads.lock().is_empty());
}

#[tokio::test]
async fn large_heads_are_refused_before_they_are_sent() {
    let (server, heads, outbound) = recording().await;
    let url = server.url("api.test");
    let mut request = get(&url);
    request.headers_mut().insert("x-large", "x".repeat(33 << 10).parse().unwrap());
    let expected = Refusal::TooLarge { part: Part::RequestHead, limit: 32 << 10 };
    assert_eq!(send(&outbound, request).await.unwrap_err(), expected);
    let long = get(&format!("{url}{}", "x".repeat(33 << 10)));
    assert_eq!(send(&outbound, long).await.unwrap_err(), expected);
    let mut many = get(&url);
    for n in 0..101 {
        many.headers_mut().append("x-many", n.into());
    }
    let refusal = send(&outbound, many).await.unwrap_err();
    assert!(refusal.to_string().contains("max_headers"), "{refusal}");
    assert!(heads.lock().is_empty());
}

#[tokio::test]
async fn an_answer_shows_nothing_of_the_connection() {
    let server = Server::raw(
        "HTTP/1.1 200 OK\r\nconnection: x-hop\r\nx-hop: 1\r\nkeep-alive: 5\r\nproxy-authenticate: x\r\n\
         transfer-encoding: chunked\r\nx-kept: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    )
    .await;
    let outbound = reaching(server.address, |_| {});
    let answer = send(&outbound, get(&server.url("api.test"))).await.unwrap();
    let names: Vec<_> = answer.headers().keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["x-kept"]);
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        "HTTP/1.1 9999 OK\r\n\r\n",
    ] {
        let server = Server::raw(answer).await;
        let outbound = reaching(server.address, |_| {});
        let refusal = text(&outbound, get(&server.url("api.test"))).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Protocol { .. }), "{answer:?}: {refusal}");
    }
}

#[tokio::test]
async fn what_an_event_did_is_counted() {
    let server = Server::http(|request| http::Response::new(format!("{}!", request.body().len()))).await;
    let outbound = reaching(server.address, |_| {});
    let budget = budget();
    let post = Request::post(server.url("api.test")).body("hello".to_owned()).unwrap();
    let answer = outbound.send(post, crate::outbound::Patience::default(), &budget).await.unwrap();
    assert_eq!(super::world::read(answer).await.as_deref(), Ok("5!"));
    let spent = budget.spent();
    assert_eq!((spent.requests, spent.sent, spent.received, spent.refused), (1, 5, 2, 0));
}
