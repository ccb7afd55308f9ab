//! Who passes, as whom, and under which names.

use fnhost::http::{Denied, Identity};
use http::request::Parts;

use super::{get, mirror, named, request, send, single, with};

fn team(parts: &Parts) -> Result<Identity, Denied> {
    match parts.headers.get("x-team").and_then(|team| team.to_str().ok()) {
        Some("blue") => Ok(Identity::new().with_tenant("blue").with_attribute("sub", "ada")),
        Some("broken") => Ok(Identity::new().with_attribute("a", "\n")),
        Some("busy") => Err(Denied::busy(std::time::Duration::from_millis(1_500))),
        Some(_) => Err(Denied::forbidden("only the blue team may")),
        None => Err(Denied::unauthorized("who are you?")),
    }
}

#[test]
fn tenant_and_attributes_come_from_the_authorizer() {
    let (_runtime, gateway) = single(mirror(), |route| route.authorizer(team));
    let body = send(&gateway, with(request("GET", "/a"), "x-team", "blue")).body;
    assert!(body.contains("\nauth.sub ada\n") && body.contains("\ntenant blue\n"), "{body}");
}

#[test]
fn no_header_of_a_client_makes_a_tenant_or_an_attribute() {
    let (_runtime, gateway) = single(mirror(), |route| route);
    let forged =
        ["tenant", "auth.sub", "auth-sub", "x-amz-tenant-id", "ce-tenant", "x-tenant", "http.param.rest"];
    let forging =
        forged.iter().fold(request("GET", "/a?tenant=x&auth.sub=x"), |r, name| with(r, name, "forged"));
    let body = send(&gateway, forging).body;
    assert!(body.contains("\ntenant -\n") && body.contains("\nhttp.param.rest a\n"), "{body}");
    for line in body.lines().filter(|line| line.contains("forged")) {
        assert!(line.starts_with("http.header."), "{line}");
    }
}

#[test]
fn what_an_authorizer_denies_runs_nothing() {
    let (_runtime, gateway) = single(mirror(), |route| route.authorizer(team));
    let denied = get(&gateway, "/");
    assert_eq!(denied.refused(), (401, "unauthorized".into()));
    assert_eq!(denied.header("www-authenticate"), Some("Bearer"));
    assert!(denied.body.contains("who are you?"));
    let as_team = |team| send(&gateway, with(request("GET", "/"), "x-team", team));
    assert_eq!(as_team("red").refused(), (403, "forbidden".into()));
    assert_eq!(as_team("busy").refused().0, 503);
    assert_eq!(as_team("busy").header("retry-after"), Some("2"));
    assert_eq!(as_team("broken").refused().0, 500, "an authorizer that is wrong denies");
}

#[test]
fn a_body_is_not_read_before_the_authorizer_has_spoken() {
    let (_runtime, gateway) = single(mirror(), |route| route.authorizer(team));
    let body = http_body_util::StreamBody::new(futures_util::stream::poll_fn(
        |_| -> std::task::Poll<Option<Result<http_body::Frame<fnhost::Bytes>, std::io::Error>>> {
            panic!("it was read")
        },
    ));
    let request = request("POST", "/").map(|_| fnhost::http::Body::new(body));
    assert_eq!(send(&gateway, request).refused().0, 401);
}

#[test]
fn ids_go_in_and_out() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (_runtime, gateway) = single(mirror(), |route| route);
    let known = with(with(request("GET", "/"), "x-request-id", "req-7"), "traceparent", TRACE);
    let answer = send(&gateway, known);
    assert_eq!((answer.header("x-request-id"), answer.header("traceparent")), (Some("req-7"), Some(TRACE)));
    assert!(answer.body.contains("http.header.x-request-id req-7"), "{}", answer.body);

    let made = send(&gateway, with(request("GET", "/"), "x-request-id", "two words"));
    let id = made.header("x-request-id").unwrap();
    assert_eq!(id.len(), 36);
    assert!(made.body.contains(&format!("http.header.x-request-id {id}")), "{}", made.body);
    let trace = made.header("traceparent").unwrap();
    assert!(made.body.contains(&format!("http.header.traceparent {trace}")), "{}", made.body);
}

#[test]
fn a_function_cannot_take_the_name_of_another_request() {
    let function =
        super::answering("a", &[("http.header.x-request-id", "forged"), ("http.header.traceparent", "x")]);
    let (_runtime, gateway) = single(function, |route| route);
    let answer = send(&gateway, with(request("GET", "/"), "x-request-id", "mine"));
    assert_eq!(answer.header("x-request-id"), Some("mine"));
    assert_eq!(answer.header("traceparent").unwrap().len(), 55);
}

#[test]
fn a_clone_is_the_same_gateway() {
    let (_runtime, gateway) = single(named("a"), |route| route.concurrency(1));
    let held = super::block_on(gateway.answer(request("GET", "/")));
    assert_eq!(get(&gateway.clone(), "/").refused().0, 503);
    drop(held);
}

#[test]
fn a_route_for_cloud_events_takes_events_and_nothing_else() {
    let events = fnhost::http::CloudEvents::new().allow_sender("*");
    let (_runtime, gateway) = single(mirror(), |route| route.cloud_events(events).max_body(100));
    let event = [("ce-specversion", "1.0"), ("ce-id", "7"), ("ce-source", "/a"), ("ce-type", "order.placed")];
    let sent =
        |body| event.iter().fold(super::post("/", body), |request, (name, value)| with(request, name, value));
    let answer = send(&gateway, sent("tea"));
    assert!(answer.body.starts_with("order.placed ") && answer.body.ends_with("\ntea"), "{}", answer.body);
    assert_eq!(send(&gateway, super::post("/", "tea")).status, 415);
    let large = sent("").map(|_| vec![0_u8; 101].into());
    assert_eq!(send(&gateway, large).refused(), (413, "payload-too-large".into()));
    let asked = with(request("OPTIONS", "/"), "webhook-request-origin", "events.example");
    assert_eq!(send(&gateway, asked).header("webhook-allowed-origin"), Some("*"));
}
