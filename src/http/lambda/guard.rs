//! Who may ask: programs on this machine, unless the network is trusted; never a page in a browser.
//!
//! Nothing is signed here, so a page of a stranger, open in a browser on this machine, must not reach the functions.
//! A browser names the page's place in `Origin` whenever it posts. A page whose own name leads to a loopback address
//! (DNS rebinding) is of the same origin, but names itself as the host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::header::{HOST, ORIGIN};
use http::uri::Authority;

use crate::error::Error;
use crate::http::lambda::fault::Fault;

/// Whom the service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Programs on this machine.
    Loopback,
    /// Everybody who can reach it.
    Network,
}

impl Trust {
    /// Refuses to be served on an address that strangers may reach.
    pub(super) fn check_address(self, address: SocketAddr) -> Result<(), Error> {
        if self == Self::Network || address.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        Err(Error::configuration(format!(
            "the Invoke API verifies no signature, so it is not served on {address}; listen on a loopback address, or \
             call `trusted_network` when everybody who reaches it may invoke everything"
        )))
    }

    /// Refuses what a browser sends for a page, and a host that is not this machine.
    pub(super) fn check(self, head: &http::request::Parts) -> Result<(), Fault> {
        if head.headers.contains_key(ORIGIN) {
            return Err(Fault::forbidden(
                "requests with an Origin are refused; invoke from a program, not a page",
            ));
        }
        let named = head.headers.get_all(HOST).iter().map(|host| Authority::try_from(host.as_bytes()).ok());
        let mut hosts = named.chain(head.uri.authority().map(|authority| Some(authority.clone())));
        if self == Self::Network || hosts.all(|host| host.is_some_and(|host| is_loopback(host.host()))) {
            return Ok(());
        }
        Err(Fault::forbidden(
            "the request names a host that is not loopback; use localhost or 127.0.0.1, or serve with `trusted_network`",
        ))
    }
}

/// Tells whether a host's name can only be this machine.
fn is_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let v6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).map(str::parse::<Ipv6Addr>);
    match v6 {
        Some(address) => address.is_ok_and(|address| IpAddr::from(address).to_canonical().is_loopback()),
        None => name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(uri: &str, headers: &[(&str, &str)]) -> http::request::Parts {
        let mut request = http::Request::post(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_hosts_that_are_this_machine_pass() {
        for host in [
            "localhost",
            "LOCALHOST:9001",
            "localhost.",
            "a.localhost:80",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:80",
        ] {
            assert!(Trust::Loopback.check(&head("/", &[("host", host)])).is_ok(), "{host}");
        }
        for host in [
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "notlocalhost",
            "10.0.0.1",
            "0.0.0.0",
            "2130706433",
            "0x7f.1",
            "[::2]",
            "[::]",
            "",
            "a b",
        ] {
            assert!(Trust::Loopback.check(&head("/", &[("host", host)])).is_err(), "{host}");
            assert!(Trust::Network.check(&head("/", &[("host", host)])).is_ok(), "{host}");
        }
    }

    #[test]
    fn every_host_that_is_named_is_looked_at() {
        assert!(Trust::Loopback.check(&head("/", &[])).is_ok());
        assert!(Trust::Loopback.check(&head("http://localhost/", &[("host", "evil.example")])).is_err());
        assert!(Trust::Loopback.check(&head("http://evil.example/", &[("host", "localhost")])).is_err());
        assert!(
            Trust::Loopback.check(&head("/", &[("host", "localhost"), ("host", "evil.example")])).is_err()
        );
    }

    #[test]
    fn an_origin_is_refused_even_where_the_network_is_trusted() {
        for origin in ["http://evil.example", "http://localhost:9001", "null"] {
            let head = head("/", &[("host", "localhost"), ("origin", origin)]);
            assert!(
                Trust::Loopback.check(&head).is_err() && Trust::Network.check(&head).is_err(),
                "{origin}"
            );
        }
    }

    #[test]
    fn only_loopback_addresses_are_served_without_trust() {
        for (address, expected) in [
            ("127.0.0.1:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("192.168.0.1:1", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(Trust::Loopback.check_address(address).is_ok(), expected, "{address}");
            assert!(Trust::Network.check_address(address).is_ok());
        }
    }
}
