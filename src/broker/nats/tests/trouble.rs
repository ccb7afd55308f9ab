//! Servers that are not there, or refuse.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::broker::nats::tests::crew::{Crew, run};
use crate::broker::nats::tests::server::{End, Server};
use crate::broker::nats::tests::wall;
use crate::broker::nats::{Cluster, Nats};
use crate::broker::{Bounds, Draft, Store, Trouble};

#[test]
fn a_server_that_is_not_there_is_an_error_that_names_it() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("nats://me:secret@127.0.0.1:{port}");
    let (wall, _clock) = wall();
    let nats = Nats::at(&url).connect_within(Duration::from_secs(2));
    let error = Cluster::open(nats, Bounds::default(), wall).err().unwrap().to_string();
    assert!(error.contains(&format!("nats://127.0.0.1:{port}")), "{error}");
    assert!(error.contains("start `nats-server -js`") && !error.contains("secret"), "{error}");
}

#[test]
fn names_that_cannot_be_are_refused() {
    let (wall, _clock) = wall();
    for namespace in ["", "a.b", "a b", "*"] {
        let nats = Nats::at("nats://127.0.0.1:1").namespace(namespace);
        let error = Cluster::open(nats, Bounds::default(), wall.clone()).err().unwrap();
        assert!(error.to_string().contains("namespace"), "{error}");
    }
}

#[test]
fn an_event_that_the_server_would_refuse_is_refused_at_once() {
    run(async {
        let crew = Crew::of(Server::shared().url());
        let store = crew.open();
        let draft = Draft { payload: Bytes::from(vec![0; 1 << 20]), ..crew.draft("") };
        let since = Instant::now();
        let trouble = store.put(vec![draft]).await.unwrap_err();
        assert!(matches!(trouble, Trouble::TooLarge { size, .. } if size == 1 << 20), "{trouble:?}");
        assert!(since.elapsed() < Duration::from_secs(5));
    });
}

#[test]
fn what_the_server_does_not_keep_is_not_acknowledged() {
    run(async {
        let crew = Crew::of(Server::shared().url());
        let store = crew.open();
        store.put(vec![crew.draft("fits")]).await.unwrap();
        let mut config = store.core.stock.work.get_info().await.unwrap().config;
        config.max_messages = 1;
        store.core.link.context.update_stream(config).await.unwrap();
        let trouble = store.put(vec![crew.draft("too much")]).await.unwrap_err();
        assert!(matches!(&trouble, Trouble::Failed(reason) if reason.contains("maximum")), "{trouble:?}");
    });
}

#[test]
fn a_put_while_the_server_is_away_is_an_error_in_time_or_kept_when_it_is_back() {
    run(async {
        let mut server = Server::new();
        let crew = Crew::of(server.url());
        let store = crew.open();
        server.stop(End::Term);
        let since = Instant::now();
        let trouble = store.put(vec![crew.draft("x")]).await.unwrap_err();
        assert!(matches!(&trouble, Trouble::Failed(reason) if reason.contains("nats://")), "{trouble:?}");
        assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
        let back = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            server.start();
        };
        let (put, ()) = tokio::join!(store.put(vec![crew.draft("y")]), back);
        put.unwrap();
    });
}
