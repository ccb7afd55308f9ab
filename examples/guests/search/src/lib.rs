//! Searches the catalogue of the shop: `GET ?q=brass lamp` answers the products that have all these words.
//!
//! It is a component of wasi:http 0.2, as any other host of that standard could serve it. What is on the shelf it asks
//! the host, by the function `shop.products` that was granted to it.

use std::io::Write as _;

use serde::{Deserialize, Serialize};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "package shop:search; world imports { import fnhost:function/host@0.1.0; }",
    generate_all,
});

use fnhost::function::host;

/// The longest query, in bytes.
const MOST: usize = 200;

struct Search;

#[derive(Deserialize, Serialize)]
struct Product {
    sku: String,
    name: String,
    about: String,
    cents: u64,
    stock: u64,
}

#[derive(Serialize)]
struct Found {
    query: String,
    products: Vec<Product>,
}

/// What the shop answers when it cannot do what was asked, as the gateway does.
#[derive(Serialize)]
struct Refused {
    error: &'static str,
    message: String,
}

impl Guest for Search {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        match find(query(&target)) {
            Ok(found) => answer(out, 200, &found),
            Err((status, refused)) => answer(out, status, &refused),
        }
    }
}

fn query(target: &str) -> String {
    let (_, query) = target.split_once('?').unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let value = pairs.find(|(name, _)| name == "q").map(|(_, value)| value.into_owned());
    value.unwrap_or_default()
}

fn find(query: String) -> Result<Found, (u16, Refused)> {
    if query.len() > MOST {
        let message = format!("the query has {} bytes, the limit is {MOST}; search for less", query.len());
        return Err((400, Refused { error: "query-too-long", message }));
    }
    let failed = |message| (502, Refused { error: "no-catalogue", message });
    let shelf = host::call("shop.products", &[]).map_err(|failure| failed(failure.message))?;
    let mut products: Vec<Product> =
        serde_json::from_slice(&shelf).map_err(|error| failed(error.to_string()))?;
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    products.retain(|product| product.has(&words));
    Ok(Found { query, products })
}

impl Product {
    fn has(&self, words: &[String]) -> bool {
        let text = format!("{} {}", self.name, self.about).to_lowercase();
        words.iter().all(|word| text.contains(word))
    }
}

fn answer(out: ResponseOutparam, status: u16, value: &impl Serialize) {
    let headers = Fields::new();
    for (name, value) in [("content-type", "application/json"), ("cache-control", "no-store")] {
        headers.set(name, &[value.into()]).expect("a name and a value that are allowed");
    }
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("a status between 100 and 999");
    let body = response.body().expect("a new response has its body");
    ResponseOutparam::set(out, Ok(response));
    let mut stream = body.write().expect("a new body has its stream");
    let json = serde_json::to_vec(value).expect("these types are JSON");
    // It fails when the client has gone: nobody is left to be told.
    if stream.write_all(&json).is_ok() {
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}

wasip2::http::proxy::export!(Search);
