//! One allow rule, and how it is written.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::host::{Fault, Host};
use super::network::Network;
use super::origin::{Origin, Scheme, parse_port, split};

/// One rule: a scheme, hosts and ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    scheme: Scheme,
    hosts: Hosts,
    /// None allows every port.
    port: Option<u16>,
    private: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    Name(Host),
    /// Names with at least one label before this one, which begins with its dot.
    Below(String),
    Network(Network),
}

impl Rule {
    /// Reads a rule; `private` allows a name at special addresses too.
    pub(crate) fn parse(text: &str, private: bool) -> Result<Self, Fault> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Fault::new(0, format!("the scheme is missing; write `https://{text}`")));
        };
        let scheme =
            Scheme::parse(scheme).ok_or_else(|| Fault::new(0, "the scheme is neither `http` nor `https`"))?;
        let start = text.len() - rest.len();
        if let Some(at) = rest.find(['@', '?', '#']) {
            return Err(Fault::new(start + at, "a rule has scheme, host and port only; end it here"));
        }
        let (hosts, port) = split(rest);
        let hosts_end = start + hosts.len();
        let port = match port {
            None => Some(scheme.default_port()),
            Some("*") => None,
            Some(port) => Some(parse_port(port).map_err(|fault| or_any(&fault, hosts_end + 1))?),
        };
        let hosts = Hosts::parse(hosts).map_err(|fault| fault.behind(start))?;
        if private && matches!(hosts, Hosts::Network(_)) {
            return Err(Fault::new(start, "addresses that are named are allowed; use `allow_outbound`"));
        }
        Ok(Self { scheme, hosts, port, private })
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(crate) fn is_private(&self) -> bool {
        self.private
    }

    /// Tells whether a request may go there, as it is written.
    pub(crate) fn allows(&self, origin: &Origin) -> bool {
        self.scheme == origin.scheme && self.has_port(origin.port) && self.hosts.have(&origin.host)
    }

    /// Tells whether the rule names this address, or else a range that has it.
    pub(crate) fn names(&self, scheme: Scheme, address: SocketAddr, exactly: bool) -> bool {
        let Hosts::Network(network) = self.hosts else { return false };
        let ip = address.ip();
        let has = if exactly { network.is_exactly(ip) } else { network.contains(ip) };
        has && self.scheme == scheme && self.has_port(address.port())
    }

    fn has_port(&self, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
    }
}

fn or_any(fault: &Fault, offset: usize) -> Fault {
    Fault::new(fault.at + offset, format!("{}, or `*` for all", fault.reason))
}

impl Hosts {
    fn parse(text: &str) -> Result<Self, Fault> {
        if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return parse_v6(inside).map(Self::Network).map_err(|fault| fault.behind(1));
        }
        if let Some((address, prefix)) = text.split_once('/') {
            return parse_range(address, prefix).map(Self::Network);
        }
        if let Some(suffix) = text.strip_prefix("*.") {
            return parse_suffix(suffix).map_err(|fault| fault.behind(2));
        }
        if let Some(at) = text.find('*') {
            return Err(Fault::new(
                at,
                "`*` stands for whole labels in front; write it like `*.example.com`",
            ));
        }
        match Host::parse(text)? {
            Host::Address(address) if address.to_string() == text => {
                Ok(Self::Network(Network::single(address)))
            }
            Host::Address(address) => Err(Fault::new(0, format!("write `{address}`"))),
            name @ Host::Name(_) => Ok(Self::Name(name)),
        }
    }

    fn have(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Name(own), host) => own == host,
            (Self::Below(suffix), Host::Name(name)) => {
                name.len() > suffix.len() && name.ends_with(suffix.as_str())
            }
            (Self::Network(network), Host::Address(address)) => network.contains(*address),
            (Self::Below(_), Host::Address(_)) | (Self::Network(_), Host::Name(_)) => false,
        }
    }
}

fn parse_suffix(text: &str) -> Result<Hosts, Fault> {
    match Host::parse(text)? {
        Host::Name(name) => Ok(Hosts::Below(format!(".{name}"))),
        Host::Address(_) => Err(Fault::new(0, "a name follows `*.`; write a range like `10.0.0.0/8`")),
    }
}

fn parse_range(address: &str, prefix: &str) -> Result<Network, Fault> {
    let host = match address.parse::<Ipv4Addr>() {
        Ok(host) => IpAddr::V4(host),
        Err(_) if address.starts_with('[') => {
            return Err(Fault::new(address.len(), "the prefix stands in the brackets; write `[fd00::/8]`"));
        }
        Err(_) => return Err(Fault::new(address.len(), "a rule has no path; end it before `/`")),
    };
    Network::new(host, prefix).map_err(|fault| fault.behind(address.len() + 1))
}

fn parse_v6(inside: &str) -> Result<Network, Fault> {
    let (address, prefix) = inside.split_once('/').map_or((inside, None), |(a, p)| (a, Some(p)));
    match (Host::parse(&format!("[{address}]")).map_err(|fault| Fault { at: fault.at - 1, ..fault })?, prefix)
    {
        // Requests and answers never show such an address, so the rule would match nothing.
        (Host::Address(IpAddr::V4(v4)), _) => Err(Fault::new(0, format!("write `{v4}` without brackets"))),
        (Host::Address(address), Some(prefix)) => {
            Network::new(address, prefix).map_err(|fault| fault.behind(inside.len() - prefix.len()))
        }
        (Host::Address(address), None) => Ok(Network::single(address)),
        (Host::Name(_), _) => Err(Fault::new(0, "this is not an IPv6 address")),
    }
}
