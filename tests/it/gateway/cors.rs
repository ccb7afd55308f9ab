//! What browsers are told.

use std::time::Duration;

use fnhost::http::{Cors, Gateway};
use http::Method;

use super::{Answer, answering, gateway, named, request, send, single, with};

const SHOP: &str = "https://shop.example";

fn from(gateway: &Gateway, method: &str, uri: &str, origin: &str) -> Answer {
    send(gateway, with(request(method, uri), "origin", origin))
}

fn asks(gateway: &Gateway, uri: &str, origin: &str, method: &str) -> Answer {
    let request = with(request("OPTIONS", uri), "origin", origin);
    send(gateway, with(request, "access-control-request-method", method))
}

#[test]
fn pages_of_a_named_origin_may_call_and_every_answer_varies() {
    let cors = Cors::origins([SHOP]).credentials(true);
    let function =
        answering("a", &[("http.header.access-control-allow-origin", "*"), ("http.header.vary", "accept")]);
    let (_runtime, gateway) = single(function, |route| route.cors(cors));
    let allowed = from(&gateway, "GET", "/", SHOP);
    assert_eq!(allowed.header("access-control-allow-origin"), Some(SHOP));
    assert_eq!(allowed.header("access-control-allow-credentials"), Some("true"));
    let other = from(&gateway, "GET", "/", "https://evil.example");
    assert_eq!((other.status.as_u16(), other.header("access-control-allow-origin")), (200, None));
    for answer in [allowed, other, super::get(&gateway, "/")] {
        let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
        assert_eq!(vary, ["accept", "origin"]);
    }
}

#[test]
fn a_preflight_is_answered_by_the_route_of_the_method_it_asks_for() {
    let (_runtime, gateway) = gateway(["a", "b"].map(named), |builder| {
        let cors = Cors::origins([SHOP]).max_age(Duration::from_secs(7));
        builder.route("GET /x", "a").route("PUT /x", fnhost::http::Route::to("b").cors(cors))
    });
    let allowed = asks(&gateway, "/x", SHOP, "PUT");
    assert_eq!((allowed.status.as_u16(), allowed.body.as_str()), (204, ""));
    assert_eq!(allowed.header("access-control-allow-methods"), Some("PUT"));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization, content-type"));
    assert_eq!(allowed.header("access-control-max-age"), Some("7"));
    assert!(allowed.header("x-request-id").is_some());
    let refused = asks(&gateway, "/x", "https://evil.example", "PUT");
    assert_eq!(refused.refused(), (403, "origin-refused".into()));
    assert_eq!(refused.header("access-control-allow-origin"), None);
    let without = asks(&gateway, "/x", SHOP, "GET");
    assert_eq!((without.status.as_u16(), without.header("allow")), (204, Some("GET, HEAD, PUT, OPTIONS")));
    assert_eq!(without.header("access-control-allow-origin"), None);
}

#[test]
fn a_refusal_can_be_read_by_the_page_too() {
    let deny = |_: &http::request::Parts| Err(fnhost::http::Denied::unauthorized("who are you?"));
    let cors = Cors::any_origin().methods([Method::GET]);
    let (_runtime, gateway) = single(named("a"), |route| route.cors(cors).authorizer(deny));
    let denied = from(&gateway, "GET", "/", SHOP);
    assert_eq!(denied.refused(), (401, "unauthorized".into()));
    assert_eq!(denied.header("access-control-allow-origin"), Some("*"));
    assert_eq!(asks(&gateway, "/", SHOP, "GET").status, 204, "a browser asks without credentials");
}

#[test]
fn credentials_for_any_origin_are_refused_at_build() {
    let runtime = crate::kit::runtime();
    let route = fnhost::http::Route::to("a").lazy().cors(Cors::any_origin().credentials(true));
    let error = Gateway::builder(&runtime).route("GET /", route).build().unwrap_err();
    crate::kit::says(&error, &["route \"GET /\"", "never for any origin"]);
}
