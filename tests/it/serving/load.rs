//! Ten thousand requests each, under load, with right answers.

use std::path::Path;

use fnhost::{Function, Handler, Isolation};

use super::{Client, LONG, Server, V3, guests};
use crate::kit::{assert_quiet, busy};
use crate::large::guest;

const CLIENTS: u64 = 16;
const REQUESTS: u64 = 10_000;

/// Asks something that only the right guest answers right; the number makes each request another.
type Question = fn(&mut Client, u64);

/// Sends all requests over kept connections.
fn storm(function: Function, question: Question) -> (Server, Handler) {
    let (server, handler) = Server::of(function.concurrency(8));
    std::thread::scope(|threads| {
        for client in 0..CLIENTS {
            let server = &server;
            threads.spawn(move || {
                let mut connection = server.connect();
                for number in (client..REQUESTS).step_by(CLIENTS as usize) {
                    question(&mut connection, number);
                }
            });
        }
    });
    assert_quiet(&server.runtime, &[&handler]);
    (server, handler)
}

fn ask_rust(client: &mut Client, number: u64) {
    let (expected, answer) = match number % 4 {
        0 => ((200, "Hello, world!\n".to_owned()), client.get("/hello")),
        1 => {
            let code = 200 + (number % 300) as u16;
            let answer = client.get(&format!("/status?code={code}"));
            ((code, String::new()), answer)
        }
        2 => {
            let body = format!("{number} ").repeat(1 + (number % 100) as usize);
            let answer = client.post("/echo", &body);
            ((200, body), answer)
        }
        _ => ((404, format!("no such path: /{number}\n")), client.get(&format!("/{number}"))),
    };
    assert_eq!(answer.said(), (expected.0, expected.1.as_str()), "request {number}");
}

fn ask_script(client: &mut Client, number: u64) {
    let order = format!(r#"{{"name":"{number}","items":[{{"price":{number},"count":3}}]}}"#);
    let answer = client.post("/json", &order);
    let said: serde_json::Value = serde_json::from_str(answer.said().1).expect("JSON");
    assert_eq!(said["greeting"], format!("Hello, {number}!"));
    assert_eq!(said["total"].as_f64(), Some((number * 3) as f64));
}

#[test]
fn of_rust_and_version_2() {
    let _busy = busy();
    let [v2, _] = guests();
    storm(v2, ask_rust);
}

#[test]
fn of_rust_and_version_3() {
    let _busy = busy();
    let [_, v3] = guests();
    storm(v3, ask_rust);
}

#[test]
fn of_rust_and_version_3_in_guests_that_serve_several_at_once() {
    let _busy = busy();
    let isolation = Isolation::Concurrent { max_in_flight: 8, max_uses: 1_000 };
    let crowded = Function::wasm("crowded", V3).isolation(isolation).timeout(LONG);
    let (_server, handler) = storm(crowded, ask_rust);
    let created = handler.stats().unwrap().created;
    assert!((10..1_000).contains(&created), "{created} guests served all of it");
}

fn script(name: &str, path: &Path) -> Function {
    Function::wasm_file(name, path).timeout(LONG)
}

#[test]
fn of_javascript() {
    let Some(path) = guest("http-spidermonkey.wasm", "serving::load::of_javascript") else { return };
    let _busy = busy();
    storm(script("javascript", &path), ask_script);
}

#[test]
fn of_python() {
    let Some(path) = guest("http-python.wasm", "serving::load::of_python") else { return };
    let _busy = busy();
    storm(script("python", &path), ask_script);
}
