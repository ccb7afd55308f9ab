//! Which function a request reaches, and what is refused on the way.

use fnhost::http::{Gateway, GatewayBuilder, Route};

use super::{gateway, get, mirror, named, request, send, single, with};
use crate::kit;

fn users() -> (fnhost::Runtime, Gateway) {
    gateway(["list", "one", "me", "rest", "shop"].map(named), |builder| {
        builder
            .route("GET /users", "list")
            .route("/users/{id}", "one")
            .route("GET /users/me", "me")
            .route("GET|POST /{*rest}", "rest")
            .route("shop.example/users/{id}", "shop")
    })
}

#[test]
fn the_most_specific_route_answers() {
    let (_runtime, gateway) = users();
    for (method, uri, body) in [
        ("GET", "/users", "list"),
        ("GET", "/users?page=2", "list"),
        ("POST", "/users", "rest"),
        ("GET", "/users/7", "one"),
        ("GET", "/users/me", "me"),
        ("PUT", "/users/me", "one"),
        ("GET", "/users/%6De", "me"),
        ("GET", "/", "rest"),
        ("GET", "http://shop.example:8080/users/me", "shop"),
        ("GET", "http://shop.example/users", "list"),
    ] {
        assert_eq!(send(&gateway, request(method, uri)).body, body, "{method} {uri}");
    }
    let host = with(request("GET", "/users/7"), "host", "Shop.Example");
    assert_eq!(send(&gateway, host).body, "shop");
}

#[test]
fn parameters_reach_the_function_decoded_and_the_path_as_it_came() {
    let (_runtime, gateway) = gateway([mirror()], |b| b.route("/users/{id}/{*rest}", "mirror"));
    let answer = get(&gateway, "/users/a%20b/c/d%7B%C3%A9?x=%20");
    let lines: Vec<&str> = answer.body.lines().collect();
    assert_eq!(lines[0], "http.request GET /users/a%20b/c/d%7B%C3%A9");
    assert!(lines.contains(&"http.param.id a b") && lines.contains(&"http.param.rest c/d{é"), "{lines:?}");
    let answer = get(&gateway, "/users/7/");
    assert!(answer.body.contains("http.param.rest \n"), "{}", answer.body);
}

#[test]
fn what_no_route_has_is_404_and_another_method_is_405() {
    let (_runtime, gateway) =
        gateway([named("a")], |b| b.route("GET|PUT /a/{id}", "a").route("POST /a/b", "a"));
    let missing = get(&gateway, "/b");
    assert_eq!(missing.refused(), (404, "no-route".into()));
    let wrong = send(&gateway, request("DELETE", "/a/b"));
    assert_eq!(wrong.refused(), (405, "method-not-allowed".into()));
    assert_eq!(wrong.header("allow"), Some("GET, HEAD, POST, PUT, OPTIONS"));
    assert_eq!(send(&gateway, request("POST", "/a/7")).header("allow"), Some("GET, HEAD, PUT, OPTIONS"));
}

#[test]
fn head_falls_back_to_get_and_options_are_told() {
    let (_runtime, gateway) =
        gateway([mirror(), named("a")], |b| b.route("GET /a", "mirror").route("/b", "a"));
    let head = send(&gateway, request("HEAD", "/a"));
    assert!(head.body.starts_with("http.request HEAD /a"), "the function sees which it was: {}", head.body);
    let options = send(&gateway, request("OPTIONS", "/a"));
    assert_eq!((options.status.as_u16(), options.header("allow")), (204, Some("GET, HEAD, OPTIONS")));
    assert_eq!(
        send(&gateway, request("OPTIONS", "/b")).body,
        "a",
        "a route for every method takes this one too"
    );
    assert_eq!(send(&gateway, request("OPTIONS", "*")).status, 204);
    assert_eq!(send(&gateway, request("OPTIONS", "/c")).status, 404);
}

#[test]
fn a_path_that_could_be_read_in_two_ways_is_refused() {
    let (_runtime, gateway) = single(named("all"), |route| route);
    assert_eq!(get(&gateway, "//a//b").body, "all");
    for path in ["/a/../b", "/%2e%2e/b", "/a%2Fb", "/a%5cb", "/a%00b", "/a%0d%0ab", "/a%zz", "/a%ff"] {
        assert_eq!(get(&gateway, path).refused(), (400, "invalid-request".into()), "{path}");
    }
    let twice = with(with(request("GET", "/"), "host", "a.example"), "host", "b.example");
    assert_eq!(send(&gateway, twice).refused().0, 400);
}

#[track_caller]
fn refused(routes: impl FnOnce(GatewayBuilder) -> GatewayBuilder) -> String {
    let runtime = kit::runtime();
    kit::deploy(&runtime, named("a"));
    let error = routes(Gateway::builder(&runtime)).build().expect_err("it must be refused");
    assert_eq!(error.kind().name(), "invalid-configuration");
    error.to_string()
}

#[test]
fn what_cannot_be_routed_is_refused_at_build_with_its_route() {
    for (said, parts) in [
        (refused(|b| b.route("GET /a/:id", "a")), ["\"GET /a/:id\"", "written {name}"]),
        (
            refused(|b| b.route("/a/{id}", "a").route("/a/{name}", "a")),
            ["\"/a/{name}\"", "route \"/a/{id}\""],
        ),
        (refused(|b| b.route("/", "b")), ["unknown function \"b\"", "deploy it first, or say `.lazy()`"]),
        (refused(|b| b.route("/", "a:0")), ["\"/\"", "a number from 1"]),
        (refused(|b| b.route("/", Route::to("not a name").lazy())), ["\"/\"", "not a name"]),
        (refused(|b| b.route("/", Route::to("a").concurrency(0))), ["\"/\"", "concurrency of 0"]),
        (refused(|b| b.route("/", Route::to("a").rate(fnhost::Rate::per_second(0)))), ["\"/\"", "rate of 0"]),
    ] {
        parts.iter().for_each(|part| assert!(said.contains(part), "{part}: {said}"));
    }
}

#[test]
fn a_lazy_route_waits_for_its_function_and_follows_it() {
    let (runtime, gateway) = gateway([], |b| b.route("/{*rest}", Route::to("late").lazy()));
    assert_eq!(get(&gateway, "/").refused(), (404, "unknown-function".into()));
    kit::deploy(&runtime, super::answering("late", &[("http.status", "201")]));
    assert_eq!(get(&gateway, "/").status, 201);
    kit::deploy(&runtime, super::answering("late", &[("http.status", "202")]));
    assert_eq!(get(&gateway, "/").status, 202);
    runtime.block_on(runtime.remove("late")).unwrap();
    assert_eq!(get(&gateway, "/").refused(), (404, "unknown-function".into()));
}
