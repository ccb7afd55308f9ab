//! Which addresses are not simply the public internet.
//!
//! An address that carries another one inside (6to4, Teredo, NAT64) is judged by both. What nobody has assigned
//! counts as reserved, so an address is public only when it is known to be.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::host::unmapped;

/// Why an address is not the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Special {
    /// Where clouds hand out credentials to whoever asks.
    Metadata,
    /// This machine.
    Loopback,
    /// A private network (RFC 1918), or unique local (RFC 4193).
    Private,
    /// This link only.
    LinkLocal,
    /// A provider's own network (RFC 6598).
    CarrierGrade,
    /// No host in particular, which the system takes for this machine.
    Unspecified,
    /// Many hosts at once.
    Multicast,
    /// Set aside for examples.
    Documentation,
    /// Set aside for measurements.
    Benchmark,
    /// Set aside for anything else, or for nothing yet.
    Reserved,
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "a cloud metadata",
            Self::Loopback => "a loopback",
            Self::Private => "a private",
            Self::LinkLocal => "a link-local",
            Self::CarrierGrade => "a carrier-grade NAT",
            Self::Unspecified => "an unspecified",
            Self::Multicast => "a multicast or broadcast",
            Self::Documentation => "a documentation",
            Self::Benchmark => "a benchmark",
            Self::Reserved => "a reserved",
        })
    }
}

/// Tells why an address is special; a public one is not.
pub(crate) fn special(address: IpAddr) -> Option<Special> {
    match unmapped(address) {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6),
    }
}

/// Addresses that hand out credentials, or rule the machine, to whoever reaches them.
const METADATA_V4: [Ipv4Addr; 9] = [
    // AWS, Azure, Google Cloud, Oracle, DigitalOcean, OpenStack and most others.
    Ipv4Addr::new(169, 254, 169, 254),
    // Credentials of AWS containers: ECS, EKS.
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    // Tencent, Scaleway.
    Ipv4Addr::new(169, 254, 0, 23),
    Ipv4Addr::new(169, 254, 42, 42),
    // Alibaba, Volcengine.
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(100, 96, 0, 96),
    // Oracle, of old.
    Ipv4Addr::new(192, 0, 0, 192),
    // Azure's host agent; it stands in a range that is public otherwise.
    Ipv4Addr::new(168, 63, 129, 16),
];

/// The same for IPv6: AWS and its EKS, Google Cloud, Scaleway.
const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

fn special_v4(address: Ipv4Addr) -> Option<Special> {
    if METADATA_V4.contains(&address) {
        return Some(Special::Metadata);
    }
    match address.octets() {
        [0, ..] => Some(Special::Unspecified),
        [127, ..] => Some(Special::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(Special::Private),
        [100, 64..=127, ..] => Some(Special::CarrierGrade),
        [169, 254, ..] => Some(Special::LinkLocal),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some(Special::Documentation),
        [198, 18..=19, ..] => Some(Special::Benchmark),
        // Protocol assignments, and the relay of 6to4.
        [192, 0, 0, _] | [192, 88, 99, _] => Some(Special::Reserved),
        [224..=239, ..] | [255, 255, 255, 255] => Some(Special::Multicast),
        [240..=255, ..] => Some(Special::Reserved),
        _ => None,
    }
}

fn special_v6(address: Ipv6Addr) -> Option<Special> {
    if METADATA_V6.contains(&address) {
        return Some(Special::Metadata);
    }
    if let Some(carried) = carried(address) {
        return carried.into_iter().flatten().find_map(special_v4);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(Special::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Special::Loopback),
        [0xff00..=0xffff, ..] => Some(Special::Multicast),
        [0xfe80..=0xfebf, ..] => Some(Special::LinkLocal),
        // Site-local, the forerunner of unique local, is still routed by some.
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Some(Special::Private),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some(Special::Documentation),
        [0x2001, 2, 0, ..] => Some(Special::Benchmark),
        // Protocol assignments, none of which is a server on the internet.
        [0x2001, 0..=0x1ff, ..] => Some(Special::Reserved),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Special::Reserved),
    }
}

/// Returns the IPv4 addresses that traffic to this one may end at, if its form carries any.
///
/// Addresses that are compatible with or translated to IPv4 (`::192.0.2.1`, `::ffff:0:192.0.2.1`) and those of a
/// local NAT64 stay out: they are reserved whatever they carry.
fn carried(address: Ipv6Addr) -> Option<[Option<Ipv4Addr>; 2]> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some([Some(v4(high, low)), None]),
        [0x2002, high, low, ..] => Some([Some(v4(high, low)), None]),
        // Teredo: the server, and the client with its bits turned over.
        [0x2001, 0, high, low, _, _, h, l] => Some([Some(v4(high, low)), Some(v4(!h, !l))]),
        // ISATAP names it behind any prefix of the public range.
        [0x2000..=0x3fff, _, _, _, 0 | 0x200, 0x5efe, high, low] => {
            special_v4(v4(high, low)).map(|_| [Some(v4(high, low)), None])
        }
        _ => None,
    }
}
