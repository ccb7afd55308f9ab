//! Certificates: the right one, and everything else.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Response;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use super::world::{Book, Server, get, policy, serve, text};
use crate::outbound::{Outbound, Policy, Refusal, Roots};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        let text = STANDARD.encode(self.0.der());
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    /// Makes a server that says "hello" under a certificate, and answers which names clients asked for.
    async fn serve(&self, params: CertificateParams) -> Server {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Server::start(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let asked = stream.get_ref().1.server_name().unwrap_or("nobody").to_owned();
                serve(stream, move |_| Response::new(format!("hello from {asked}"))).await;
            }
        })
        .await
    }
}

fn named(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.into()]).unwrap()
}

fn client(address: SocketAddr, roots: Roots) -> Outbound {
    let book = Arc::new(Book::default()).write("api.test", &[&[address]]);
    let mut policy = policy(&book, &["https://api.test:*"]);
    policy.rules.allow("https://127.0.0.1:*").unwrap();
    policy.roots = roots;
    Outbound::new(policy).unwrap()
}

fn secure(server: &Server, host: &str) -> String {
    server.url(host).replace("http:", "https:")
}

#[tokio::test]
async fn the_right_name_under_a_trusted_root_is_served() {
    let authority = Authority::new();
    let server = authority.serve(named("api.test")).await;
    for roots in [Roots::only(authority.pem().as_bytes()), Roots::default().and(authority.pem().as_bytes())] {
        let outbound = client(server.address, roots.unwrap());
        let answer = text(&outbound, get(&secure(&server, "API.test."))).await;
        assert_eq!(answer.as_deref(), Ok("hello from api.test"));
    }
}

#[tokio::test]
async fn the_wrong_name_is_refused() {
    let authority = Authority::new();
    for name in ["other.test", "*.api.test", "127.0.0.1"] {
        let server = authority.serve(named(name)).await;
        let outbound = client(server.address, Roots::only(authority.pem().as_bytes()).unwrap());
        let refusal = text(&outbound, get(&secure(&server, "api.test"))).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Certificate { .. }), "{name}: {refusal}");
    }
}

#[tokio::test]
async fn an_unknown_root_is_refused() {
    let server = Authority::new().serve(named("api.test")).await;
    let other = Authority::new().pem();
    for roots in [Roots::default(), Roots::only(other.as_bytes()).unwrap()] {
        let refusal =
            text(&client(server.address, roots), get(&secure(&server, "api.test"))).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Certificate { .. }), "{refusal}");
        assert!(refusal.to_string().contains("set `.roots`"), "{refusal}");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new();
    let mut params = named("api.test");
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let server = authority.serve(params).await;
    let outbound = client(server.address, Roots::only(authority.pem().as_bytes()).unwrap());
    let refusal = text(&outbound, get(&secure(&server, "api.test"))).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Certificate { .. }), "{refusal}");
}

#[tokio::test]
async fn an_address_needs_a_certificate_that_names_it() {
    let authority = Authority::new();
    let roots = Roots::only(authority.pem().as_bytes()).unwrap();
    let server = authority.serve(named("127.0.0.1")).await;
    let outbound = client(server.address, roots.clone());
    assert_eq!(text(&outbound, get(&secure(&server, "127.0.0.1"))).await.as_deref(), Ok("hello from nobody"));
    let server = authority.serve(named("api.test")).await;
    let refusal = text(&client(server.address, roots), get(&secure(&server, "127.0.0.1"))).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Certificate { .. }), "{refusal}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused() {
    let plain = Server::start(|mut stream| async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        super::world::until_closed(stream).await;
    })
    .await;
    let refusal =
        text(&client(plain.address, Roots::default()), get(&secure(&plain, "api.test"))).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Tls { .. }), "{refusal}");
}

#[test]
fn given_roots_stand_alone_or_beside_those_there_are() {
    let pem = Authority::new().pem();
    let count = |roots: Roots| roots.store().unwrap().len();
    let all = count(Roots::default());
    assert!(all > 50);
    assert_eq!(count(Roots::only(pem.as_bytes()).unwrap()), 1);
    assert_eq!(count(Roots::default().and(pem.as_bytes()).unwrap()), all + 1);
}

#[test]
fn roots_that_are_none_are_refused() {
    assert!(Roots::only(b"").unwrap_err().contains("BEGIN CERTIFICATE"));
    assert!(Roots::only(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").is_err());
    let no_certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let mut policy = Policy { roots: Roots::only(no_certificate).unwrap(), ..Policy::default() };
    policy.rules.allow("https://api.test").unwrap();
    assert!(Outbound::new(policy).unwrap_err().contains("cannot be a root"));
}
