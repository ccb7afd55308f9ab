//! Whom a server must be vouched for by, and the handshake.

use std::io;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::host::Host;
use super::refusal::Refusal;

/// The certificates that vouch for servers: Mozilla's unless others are given.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    mozilla: bool,
    given: Vec<CertificateDer<'static>>,
}

impl Default for Roots {
    fn default() -> Self {
        Self { mozilla: true, given: Vec::new() }
    }
}

impl Roots {
    /// Reads the only certificates to trust.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub(crate) fn only(pem: &[u8]) -> Result<Self, String> {
        Ok(Self { mozilla: false, given: parse(pem)? })
    }

    /// Reads certificates to trust beside those there are.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub(crate) fn and(mut self, pem: &[u8]) -> Result<Self, String> {
        self.given.extend(parse(pem)?);
        Ok(self)
    }

    /// Makes what handshakes need; no default of the process is read or set.
    ///
    /// # Errors
    ///
    /// Which certificate cannot be a root.
    pub(crate) fn connector(&self) -> Result<TlsConnector, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .with_root_certificates(self.store()?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A resumed session would tell the server that two tenants share this function.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// Gathers the certificates.
    pub(crate) fn store(&self) -> Result<RootCertStore, String> {
        let mut store = RootCertStore::empty();
        if self.mozilla {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for root in &self.given {
            store.add(root.clone()).map_err(|error| format!("a certificate cannot be a root: {error}"))?;
        }
        Ok(store)
    }
}

/// Agrees on TLS; the certificate must be one for this host.
pub(crate) async fn handshake(
    connector: &TlsConnector,
    host: &Host,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, Refusal> {
    let name = match host {
        Host::Name(name) => ServerName::try_from(name.to_string()),
        Host::Address(address) => Ok(ServerName::IpAddress((*address).into())),
    };
    let unfit = || Refusal::Tls { host: host.to_string(), reason: "no certificate can name it".into() };
    let name = name.map_err(|_| unfit())?;
    connector.connect(name, stream).await.map_err(|error| refusal(host, &error))
}

fn refusal(host: &Host, error: &io::Error) -> Refusal {
    let (host, reason) = (host.to_string(), error.to_string());
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => Refusal::Certificate { host, reason },
        _ => Refusal::Tls { host, reason },
    }
}

fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match parsed {
        Ok(roots) if roots.is_empty() => Err("the roots hold no `BEGIN CERTIFICATE`; give PEM".into()),
        Ok(roots) => Ok(roots),
        Err(error) => Err(format!("the roots are no PEM: {error}")),
    }
}
