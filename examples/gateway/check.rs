//! What `--check` tries: what the shop does, and everything that it refuses.

use std::net::SocketAddr;

use crate::Problem;
use crate::client::{self, Answer};
use crate::login::{PASSWORD, USER};

/// Tries everything against a shop that has just opened.
pub(crate) fn all(shop: SocketAddr) -> Result<(), Problem> {
    let client = Client { shop };
    page(&client)?;
    search(&client)?;
    let token = login(&client)?;
    purchase(&client, &token)?;
    strangers(&client, &token)?;
    too_much(&client, &token)?;
    println!("Everything is as it should be.");
    Ok(())
}

struct Client {
    shop: SocketAddr,
}

impl Client {
    /// Sends a request, prints what came back, and checks its status.
    fn expect(&self, status: u16, request: &str, headers: &[&str], body: &str) -> Result<Answer, Problem> {
        let answer = client::send(self.shop, request, headers, body)?;
        println!("{} -> {} {}", short(request, 40), answer.status, short(&answer.body, 100));
        match answer.status == status {
            true => Ok(answer),
            false => Err(format!("{request}: {} instead of {status}: {}", answer.status, answer.body).into()),
        }
    }

    fn get(&self, status: u16, path: &str) -> Result<Answer, Problem> {
        self.expect(status, &format!("GET {path}"), &["accept: text/html"], "")
    }

    fn log_in(&self, status: u16, body: &str) -> Result<Answer, Problem> {
        self.expect(status, "POST /api/login", &["content-type: application/json"], body)
    }

    fn buy(&self, status: u16, token: &str, body: &str) -> Result<Answer, Problem> {
        let authorization = format!("authorization: Bearer {token}");
        self.expect(status, "POST /api/purchases", &["content-type: application/json", &authorization], body)
    }
}

fn page(client: &Client) -> Result<(), Problem> {
    let page = client.get(200, "/")?;
    same(
        "the type of the page",
        page.header("content-type").unwrap_or_default(),
        "text/html; charset=utf-8",
    )?;
    // A link into the application is the page as well; a file that is not there is not.
    same("a link into the page", &client.get(200, "/product/clock")?.body, &page.body)?;
    client.get(404, "/missing.js")?;
    client.get(400, "/../main.rs")?;
    let unknown = client.get(404, "/api/refunds")?;
    same("an unknown path of the API", &unknown.member("/error"), "no-such-api")
}

fn search(client: &Client) -> Result<(), Problem> {
    let found = client.get(200, "/api/products?q=WALL%20cl%6Fck")?;
    same("the product found", &found.member("/products/0/sku"), "clock")?;
    same("the only one", &found.member("/products/1"), "")?;
    same("nothing found", &client.get(200, "/api/products?q=unicorn")?.member("/products"), "[]")?;
    let endless = client.get(400, &format!("/api/products?q={}", "x".repeat(201)))?;
    same("a query without end", &endless.member("/error"), "query-too-long")
}

fn login(client: &Client) -> Result<String, Problem> {
    let wrong = client.log_in(401, &credentials("lovelac"))?;
    same("a wrong password", &wrong.member("/error"), "wrong-password")?;
    client.log_in(422, "ada")?;
    Ok(client.log_in(200, &credentials(PASSWORD))?.member("/token"))
}

fn purchase(client: &Client, token: &str) -> Result<(), Problem> {
    let order = client.buy(201, token, r#"{"sku": "clock", "quantity": 1}"#)?;
    same("the buyer", &order.member("/buyer"), USER)?;
    same("the team", &order.member("/team"), "analytical-engines")?;
    same("the total", &order.member("/total_cents"), "4900")?;
    same("what is left", &order.member("/left"), "0")?;
    let shelf = client.get(200, "/api/products?q=clock")?;
    same("the stock", &shelf.member("/products/0/stock"), "0")?;

    let sold_out = client.buy(409, token, r#"{"sku": "clock", "quantity": 1}"#)?;
    same("sold out", &sold_out.member("/message"), "Quiet wall clock is sold out")?;
    client.buy(409, token, r#"{"sku": "radio", "quantity": 5}"#)?;
    for wrong in ["one clock", "[]", r#"{"sku": "clock"}"#, r#"{"sku": "clock", "quantity": 0}"#] {
        let refused = client.buy(422, token, wrong)?;
        same("wrong input", &refused.member("/error"), "invalid-order")?;
    }
    let unknown = client.buy(422, token, r#"{"sku": "ladder", "quantity": 1}"#)?;
    same("an unknown product", &unknown.member("/error"), "unknown-sku")
}

/// Whoever has no token, or not that of the shop, gets nothing and sees why.
fn strangers(client: &Client, token: &str) -> Result<(), Problem> {
    const ONE: &str = r#"{"sku": "mug", "quantity": 1}"#;
    // {"alg":"none"} and {"sub":"ada"}, without a signature.
    const UNSIGNED: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.";
    let anybody = client.expect(401, "POST /api/purchases", &[], ONE)?;
    anybody.header("www-authenticate").ok_or("a 401 says how to log in")?;
    client.buy(401, UNSIGNED, ONE)?;
    let (head, signature) = token.rsplit_once('.').ok_or("a token has parts")?;
    let forged = if signature.starts_with('A') { "B" } else { "A" };
    client.buy(401, &format!("{head}.{forged}{}", &signature[1..]), ONE)?;
    let shelf = client.get(200, "/api/products?q=mug")?;
    same("the mugs", &shelf.member("/products/0/stock"), "12")
}

fn too_much(client: &Client, token: &str) -> Result<(), Problem> {
    client.buy(413, token, &" ".repeat(5000))?;
    // The route takes ten at once, and three have been here.
    for _ in 0..20 {
        let answer = client::send(client.shop, "POST /api/login", &[], &credentials("guess"))?;
        if answer.status == 429 {
            println!("POST /api/login -> 429 {}", answer.body);
            answer.header("retry-after").ok_or("a 429 says when to come back")?;
            return Ok(());
        }
    }
    Err("twenty guesses at a password were all let in".into())
}

fn credentials(password: &str) -> String {
    format!(r#"{{"user": "{USER}", "password": "{password}"}}"#)
}

/// Returns the beginning of the first line.
fn short(text: &str, most: usize) -> String {
    text.lines().next().unwrap_or_default().chars().take(most).collect()
}

fn same(what: &str, found: &str, wanted: &str) -> Result<(), Problem> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?} instead of {wanted:?}").into()) }
}
