//! What `--check` tries: many clicks at once, and that each of them is counted once and archived if it earns money.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fnhost::Runtime;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::books::Books;
use crate::{ADS, BOOKED, Problem};

/// Connections at once, and rounds of clicks on each.
const CLIENTS: usize = 4;
const ROUNDS: usize = 50;
/// Clicks of each ad that is booked.
const CLICKS: usize = CLIENTS * ROUNDS;
/// Clicks of the ad that is not.
const EARLY: usize = 3;

pub(crate) fn all(address: SocketAddr, runtime: &Runtime, books: &Books) -> Result<(), Problem> {
    let clients = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    clients.block_on(click_all(address))?;
    books.wait("Every click is counted", |pages| {
        BOOKED.iter().all(|ad| pages.clicks_of(ad) == CLICKS) && pages.alarms == EARLY
    })?;
    books.wait("What earns money is archived", |pages| pages.archived.len() == 2 * CLICKS + EARLY)?;

    let letters = runtime.dead_letters();
    let dead = runtime.block_on(letters.list(0, 100))?;
    for letter in &dead {
        let tries: Vec<_> = letter.attempts.iter().map(|attempt| attempt.kind.as_str()).collect();
        println!("  dead letter {}: {}, tried: {}", letter.id, letter.death, tries.join(", "));
    }
    same("dead letters", dead.len(), EARLY)?;
    books.book("spring");
    same("sent again", runtime.block_on(letters.send_all_again())? as usize, EARLY)?;
    books.wait("Spring is booked, and its clicks are sent again", |pages| {
        pages.clicks_of("spring") == EARLY
    })?;
    same("dead letters that are left", runtime.block_on(letters.list(0, 100))?.len(), 0)?;
    println!("Everything is as it should be.");
    Ok(())
}

async fn click_all(address: SocketAddr) -> Result<(), Problem> {
    let began = Instant::now();
    let clients = (0..CLIENTS).map(|_| async move {
        let mut client = Client::connect(address).await?;
        for _ in 0..ROUNDS {
            for ad in BOOKED {
                client.click(ad).await?;
            }
        }
        Ok::<_, Problem>(client.slowest)
    });
    let slowest = futures_util::future::try_join_all(clients).await?;
    let mut client = Client::connect(address).await?;
    for _ in 0..EARLY {
        client.click("spring").await?;
    }
    same("an unknown ad", client.get("/ad/unknown").await?.0, StatusCode::NOT_FOUND)?;
    println!(
        "{} clicks in {:.2} s, each redirected when it was on disk, at most after {:.1} ms",
        CLICKS * BOOKED.len() + EARLY,
        began.elapsed().as_secs_f64(),
        slowest.into_iter().max().unwrap_or_default().as_secs_f64() * 1e3
    );
    Ok(())
}

struct Client {
    sender: http1::SendRequest<String>,
    address: SocketAddr,
    slowest: Duration,
}

impl Client {
    async fn connect(address: SocketAddr) -> Result<Self, Problem> {
        let socket = TokioIo::new(TcpStream::connect(address).await?);
        let (sender, connection) = http1::handshake(socket).await?;
        tokio::spawn(connection);
        Ok(Self { sender, address, slowest: Duration::ZERO })
    }

    async fn click(&mut self, ad: &str) -> Result<(), Problem> {
        let began = Instant::now();
        let (status, location) = self.get(&format!("/ad/{ad}")).await?;
        self.slowest = self.slowest.max(began.elapsed());
        let leads_to = ADS.iter().find(|(id, ..)| *id == ad).map(|(_, leads_to, _)| (*leads_to).to_owned());
        same("the redirect", (status, location), (StatusCode::FOUND, leads_to))
    }

    async fn get(&mut self, path: &str) -> Result<(StatusCode, Option<String>), Problem> {
        let request = Request::get(path).header("host", self.address.to_string()).body(String::new())?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
        let seen = (answer.status(), location.map(Into::into));
        // The next request can go only when this answer has been read.
        http_body_util::BodyExt::collect(answer.into_body()).await?;
        Ok(seen)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what is compared is made for it")]
fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<(), Problem> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?} instead of {wanted:?}").into()) }
}
