//! Names that lead elsewhere: to private addresses, to several, to others each time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use http::{Response, StatusCode};

use super::world::{Book, Server, budget, elsewhere, get, is_pending, policy, send, text};
use crate::outbound::{Outbound, Policy, Refusal, Resolve, Special, SystemResolver};

/// A client with rules for public names and named addresses only.
fn strict(book: &Arc<Book>, rules: &[&str]) -> Outbound {
    Outbound::new(strict_policy(book, rules)).unwrap()
}

fn strict_policy(book: &Arc<Book>, rules: &[&str]) -> Policy {
    let mut policy = policy(book, &[]);
    rules.iter().for_each(|rule| policy.rules.allow(rule).unwrap());
    policy
}

async fn hello() -> Server {
    Server::http(|_| Response::new("hello".into())).await
}

fn is_denied(refusal: &Refusal, ip: &str) -> bool {
    matches!(refusal, Refusal::DeniedAddress { address, .. } if address.to_string() == ip)
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused() {
    let server = hello().await;
    let book = Arc::new(Book::default()).write("api.test", &[&[server.address]]);
    let outbound = strict(&book, &["http://api.test:*"]);
    let refusal = text(&outbound, get(&server.url("api.test"))).await.unwrap_err();
    assert!(is_denied(&refusal, "127.0.0.1"), "{refusal}");
    assert_eq!((server.accepted(), outbound.counters().opened), (0, 0));
}

#[tokio::test]
async fn a_rule_for_private_names_or_for_the_address_allows_it() {
    let server = hello().await;
    let book = Arc::new(Book::default()).write("api.test", &[&[server.address]]);
    let address = format!("http://127.0.0.0/8:{}", server.port());
    let url = server.url("api.test");
    let named = strict(&book, &["http://api.test:*", &address]);
    assert_eq!(text(&named, get(&url)).await.as_deref(), Ok("hello"));
    let private = Outbound::new(policy(&book, &["http://api.test:*"])).unwrap();
    assert_eq!(text(&private, get(&url)).await.as_deref(), Ok("hello"));
    // The name needs a rule whatever its address has.
    let address_only = strict(&book, &[&address]);
    assert!(matches!(text(&address_only, get(&url)).await, Err(Refusal::DeniedByRule { .. })));
    assert_eq!(text(&address_only, get(&server.url("127.1"))).await.as_deref(), Ok("hello"));
}

#[tokio::test]
async fn of_mixed_answers_only_the_allowed_are_connected_to() {
    let server = hello().await;
    let address = format!("http://{}", server.address);
    let secret = hello().await;
    let forbidden = SocketAddr::new("127.0.0.1".parse().unwrap(), secret.port());
    for answer in [[server.address, forbidden], [forbidden, server.address]] {
        let book = Arc::new(Book::default()).write("api.test", &[&answer]);
        let outbound = strict(&book, &["http://api.test:*", &address]);
        assert_eq!(text(&outbound, get(&server.url("api.test"))).await.as_deref(), Ok("hello"));
    }
    assert_eq!((server.accepted(), secret.accepted()), (2, 0));
}

#[tokio::test]
async fn answers_that_are_all_forbidden_are_refused_for_the_first() {
    let book = Arc::new(Book::default());
    book.write("api.test", &[&[elsewhere("10.0.0.1"), elsewhere("fd00:ec2::254"), elsewhere("::1")]]);
    let outbound = strict(&book, &["http://api.test"]);
    let refusal = text(&outbound, get("http://api.test/")).await.unwrap_err();
    assert!(is_denied(&refusal, "10.0.0.1"), "{refusal}");
}

#[tokio::test]
async fn ipv4_inside_ipv6_is_judged_as_ipv4() {
    let server = hello().await;
    let mapped: SocketAddr = format!("[::ffff:127.0.0.1]:{}", server.port()).parse().unwrap();
    let book = Arc::new(Book::default()).write("api.test", &[&[mapped]]);
    let outbound = strict(&book, &["http://api.test:*"]);
    let refusal = text(&outbound, get(&server.url("api.test"))).await.unwrap_err();
    assert!(is_denied(&refusal, "127.0.0.1"), "{refusal}");
    // In the URL, it is the address itself that has no rule.
    let literal = text(&outbound, get(&server.url("[::ffff:127.0.0.1]"))).await.unwrap_err();
    let expected = Refusal::DeniedByRule { origin: format!("http://127.0.0.1:{}", server.port()) };
    assert_eq!(literal, expected);
    let allowed = strict(&book, &["http://api.test:*", &format!("http://127.0.0.1:{}", server.port())]);
    assert_eq!(text(&allowed, get(&server.url("api.test"))).await.as_deref(), Ok("hello"));
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let (server, secret) = (hello().await, hello().await);
    let book = Arc::new(Book::default());
    book.write("api.test", &[&[server.address], &[secret.address]]);
    let mut policy = strict_policy(&book, &["http://api.test:*", &format!("http://{}", server.address)]);
    policy.limits.max_idle = 0;
    let outbound = Outbound::new(policy).unwrap();
    let url = server.url("api.test");
    assert_eq!(text(&outbound, get(&url)).await.as_deref(), Ok("hello"));
    assert_eq!(book.lookups.load(SeqCst), 1, "a connection takes one lookup");
    let refusal = text(&outbound, get(&url)).await.unwrap_err();
    assert!(is_denied(&refusal, "127.0.0.1"), "{refusal}");
    assert_eq!((book.lookups.load(SeqCst), server.accepted(), secret.accepted()), (2, 1, 0));
}

#[tokio::test]
async fn addresses_are_tried_in_turn() {
    let server = hello().await;
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let book = Arc::new(Book::default()).write("api.test", &[&[closed, server.address], &[closed]]);
    let mut policy = policy(&book, &["http://api.test:*"]);
    policy.limits.max_idle = 0;
    let outbound = Outbound::new(policy).unwrap();
    let url = server.url("api.test");
    assert_eq!(text(&outbound, get(&url)).await.as_deref(), Ok("hello"));
    let refusal = text(&outbound, get(&url)).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Unreachable { refused: true, .. }), "{refusal}");
}

#[tokio::test]
async fn a_name_without_an_address_is_not_found() {
    let book = Arc::new(Book::default()).write("empty.test", &[&[]]);
    let outbound = strict(&book, &["http://*.test"]);
    for url in ["http://empty.test/", "http://missing.test/"] {
        let refusal = text(&outbound, get(url)).await.unwrap_err();
        assert!(matches!(refusal, Refusal::NotFound { .. }), "{refusal}");
    }
}

#[tokio::test]
async fn what_no_rule_allows_is_not_even_resolved() {
    let book = Arc::new(Book::default()).write("api.test", &[&[elsewhere("127.0.0.1")]]);
    let outbound = strict(&book, &["https://api.test"]);
    let budget = budget();
    let request = get("http://api.test/");
    let refusal = outbound.send(request, Default::default(), &budget).await.unwrap_err();
    assert_eq!(refusal, Refusal::DeniedByRule { origin: "http://api.test".into() });
    assert_eq!(book.lookups.load(SeqCst), 0);
    assert_eq!((budget.spent().refused, budget.spent().refusals), (1, vec![refusal]));
    assert_eq!((outbound.counters().requests, outbound.counters().refused), (1, 1));
    assert!(Outbound::default().is_denied() && !outbound.is_denied());
    assert!(matches!(
        text(&Outbound::denied(), get("https://api.test/")).await,
        Err(Refusal::DeniedByRule { .. })
    ));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_where_it_leads_is_judged_anew() {
    let secret = hello().await;
    let private = secret.url("private.test");
    let literal = secret.url("0x7f.1");
    let metadata = "http://169.254.169.254/latest/meta-data/".to_string();
    let targets = [private.clone(), literal, metadata];
    let locations = targets.clone();
    let server = Server::http(move |request| {
        let nth: usize = request.uri().path()[1..].parse().unwrap();
        let answer = Response::builder().status(StatusCode::FOUND).header("location", &locations[nth]);
        answer.body(String::new()).unwrap()
    })
    .await;
    let book = Arc::new(Book::default());
    book.write("api.test", &[&[server.address]]);
    book.write("private.test", &[&[secret.address]]);
    let mut policy = policy(&book, &["http://api.test:*"]);
    policy.rules.allow("http://private.test:*").unwrap();
    let outbound = Outbound::new(policy).unwrap();
    for (nth, target) in targets.iter().enumerate() {
        let answer = send(&outbound, get(&format!("{}{nth}", server.url("api.test")))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FOUND);
        assert_eq!(answer.headers()["location"], target.as_str());
        // What a guest that follows redirects does next.
        let refusal = text(&outbound, get(target)).await.unwrap_err();
        assert_eq!(matches!(refusal, Refusal::DeniedAddress { .. }), *target == private, "{refusal}");
        assert!(refusal.to_string().contains("add `.allow_outbound("), "{refusal}");
    }
    assert_eq!(secret.accepted(), 0);
}

#[tokio::test]
async fn spelled_addresses_and_credentials_in_urls_are_refused() {
    let server = hello().await;
    let book = Arc::new(Book::default()).write("api.test", &[&[server.address]]);
    let outbound = Outbound::new(policy(&book, &["http://*.test:*", "http://api.test:*"])).unwrap();
    for host in
        ["2130706433", "0177.0.0.1", "0x7f.1", "127.1", "127.0.0.1.", "[::1]", "[::ffff:7f00:1]", "localhost"]
    {
        let refusal = text(&outbound, get(&server.url(host))).await.unwrap_err();
        assert!(matches!(refusal, Refusal::DeniedByRule { .. }), "{host}: {refusal}");
    }
    for host in ["user:secret@api.test", "api.test@127.0.0.1", "user@api.test", "foo.1"] {
        let refusal = text(&outbound, get(&server.url(host))).await.unwrap_err();
        assert!(matches!(refusal, Refusal::InvalidUrl { .. }), "{host}: {refusal}");
        assert_eq!(host.contains('@'), refusal.to_string().contains("credentials"), "{host}: {refusal}");
    }
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn the_system_resolver_knows_this_machine_and_is_judged_too() {
    let found = SystemResolver::default().resolve("localhost".into(), 80).await.unwrap();
    assert!(found.iter().any(|address| address.ip().is_loopback()), "{found:?}");
    let mut policy = Policy::default();
    policy.rules.allow("http://localhost").unwrap();
    let refusal = text(&Outbound::new(policy).unwrap(), get("http://localhost/")).await.unwrap_err();
    assert!(matches!(refusal, Refusal::DeniedAddress { special: Special::Loopback, .. }), "{refusal}");
}

#[tokio::test]
async fn lookups_that_hang_keep_their_threads_but_take_no_more() {
    let resolver = SystemResolver::default();
    let (started, has_started) = std::sync::mpsc::channel();
    let (release, hang) = std::sync::mpsc::channel::<()>();
    let hang = Arc::new(std::sync::Mutex::new(hang));
    let look_up = |resolver: &SystemResolver| {
        let (started, hang) = (started.clone(), Arc::clone(&hang));
        resolver.run(move || {
            started.send(()).unwrap();
            // The sender's end is the release.
            let _ = hang.lock().unwrap().recv();
            Ok(())
        })
    };
    for _ in 0..4 {
        let mut given_up = look_up(&resolver);
        assert!(is_pending(&mut given_up.as_mut()).await);
        has_started.recv().unwrap();
    }
    let mut fifth = look_up(&resolver);
    assert!(is_pending(&mut fifth.as_mut()).await);
    let starts = has_started.recv_timeout(std::time::Duration::from_millis(100));
    assert!(starts.is_err(), "four hang already");
    drop(release);
    fifth.await.unwrap();
}
