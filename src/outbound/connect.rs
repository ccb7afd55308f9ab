//! Opening a connection: resolve once, judge every address, connect to those that passed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;

use super::connection::Connection;
use super::host::{Host, unmapped};
use super::limits::Limits;
use super::origin::{Origin, Scheme};
use super::refusal::{Refusal, Step};
use super::resolve::Resolve;
use super::rules::{Grant, Rules};
use super::tls;
use super::until::Until;

/// Addresses of one name that are judged and tried; more are left out.
const MOST_ADDRESSES: usize = 16;

/// Opens connections as the rules allow.
#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) rules: Rules,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) tls: Option<Tls>,
    pub(crate) limits: Limits,
}

/// What handshakes need; it has nothing to show.
#[derive(Clone)]
pub(crate) struct Tls(pub(crate) TlsConnector);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Connector {
    /// Opens a connection to where the request goes.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what it opened.
    pub(crate) async fn open(
        &self,
        origin: &Origin,
        grant: Grant,
        until: Until,
    ) -> Result<Connection, Refusal> {
        let found = until.wait(Step::Resolve, self.resolve(origin)).await??;
        let allowed = self.judge(origin, grant, &found)?;
        let stream = dial(origin, &allowed, until).await?;
        match (origin.scheme, &self.tls) {
            (Scheme::Http, _) => self.speak(origin, stream).await,
            (Scheme::Https, Some(tls)) => {
                let agreed = tls::handshake(&tls.0, &origin.host, stream);
                let stream = until.wait(Step::Handshake, agreed).await??;
                self.speak(origin, stream).await
            }
            (Scheme::Https, None) => unreachable!("a rule that allows https makes the connector have TLS"),
        }
    }

    async fn resolve(&self, origin: &Origin) -> Result<Vec<SocketAddr>, Refusal> {
        let name = match &origin.host {
            Host::Address(address) => return Ok(vec![SocketAddr::new(*address, origin.port)]),
            Host::Name(name) => name,
        };
        let not_found = |reason| Refusal::NotFound { host: name.to_string(), reason };
        let found = self.resolver.resolve(Arc::clone(name), origin.port).await;
        let found = found.map_err(|error| not_found(error.to_string()))?;
        if found.is_empty() { Err(not_found("the name has no address".into())) } else { Ok(found) }
    }

    /// Keeps what is allowed; if nothing is, says why for the first.
    fn judge(&self, origin: &Origin, grant: Grant, found: &[SocketAddr]) -> Result<Vec<SocketAddr>, Refusal> {
        let (mut allowed, mut refused) = (Vec::new(), Ok(()));
        for address in found.iter().take(MOST_ADDRESSES) {
            // Rebuilt, so that what is connected to is what was judged, without zone and wrapping.
            let address = SocketAddr::new(unmapped(address.ip()), address.port());
            match self.rules.judge_address(origin, grant, address) {
                Ok(()) => allowed.push(address),
                Err(refusal) => refused = refused.and(Err(refusal)),
            }
        }
        if allowed.is_empty() { refused.map(|()| allowed) } else { Ok(allowed) }
    }

    async fn speak<S>(&self, origin: &Origin, stream: S) -> Result<Connection, Refusal>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(self.limits.max_response_head)
            .max_headers(self.limits.max_headers)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Refusal::Protocol { origin: origin.to_string(), reason: error.to_string() })?;
        Ok(Connection::drive(sender, driver))
    }
}

/// Tries the addresses in turn; each has its share of the time that is left.
async fn dial(origin: &Origin, addresses: &[SocketAddr], until: Until) -> Result<TcpStream, Refusal> {
    let mut failure = None;
    for (i, address) in addresses.iter().enumerate() {
        let share = until.share(addresses.len() - i);
        match timeout_at(share.into(), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Requests are written whole, so waiting for more to send only costs time. A socket that refuses
                // the option still works.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => failure = Some(error),
            Err(_) => {}
        }
    }
    Err(failure.map_or_else(|| until.refusal(Step::Connect), |error| unreachable(origin, &error)))
}

fn unreachable(origin: &Origin, error: &io::Error) -> Refusal {
    let refused = error.kind() == io::ErrorKind::ConnectionRefused;
    Refusal::Unreachable { origin: origin.to_string(), reason: error.to_string(), refused }
}
