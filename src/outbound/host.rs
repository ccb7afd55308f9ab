//! The host of a URL: a name or an address, spelled in one way only.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The longest name and the longest label of DNS.
const MOST_NAME: usize = 253;
const MOST_LABEL: usize = 63;

/// A host as everything here compares it: names in lower case without a final dot, addresses as numbers.
///
/// Each spelling of an address that URLs know (`127.1`, `0x7f.1`, `2130706433`, `::ffff:127.0.0.1`) is that
/// address, so a rule and a judgement never see two spellings of one host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    /// A name that has to be resolved.
    Name(Arc<str>),
    /// An address; never an IPv4 address inside an IPv6 one.
    Address(IpAddr),
}

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The byte at which it goes wrong.
    pub(crate) at: usize,
    /// What is wrong, and what to do.
    pub(crate) reason: Cow<'static, str>,
}

impl Fault {
    pub(crate) fn new(at: usize, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { at, reason: reason.into() }
    }

    /// Moves the place, as the text stands inside a longer one.
    pub(crate) fn behind(self, offset: usize) -> Self {
        Self { at: self.at + offset, ..self }
    }
}

impl Host {
    /// Reads a host as it stands in a URL, an IPv6 address in brackets.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        if let Some(rest) = text.strip_prefix('[') {
            let inside = rest.strip_suffix(']').ok_or_else(|| Fault::new(text.len(), "`]` is missing"))?;
            return parse_ipv6(inside).map(Self::Address).map_err(|fault| fault.behind(1));
        }
        check_characters(text)?;
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_suffix('.').unwrap_or(&lower);
        if ends_in_a_number(name) {
            return parse_ipv4(name).map(|address| Self::Address(address.into()));
        }
        check_labels(name)?;
        Ok(Self::Name(name.into()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// Takes an IPv4 address out of an IPv6 one that only wraps it.
pub(crate) fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn parse_ipv6(text: &str) -> Result<IpAddr, Fault> {
    if let Some(at) = text.find('%') {
        return Err(Fault::new(at, "an address has no zone here; leave out what follows `%`"));
    }
    let address: Ipv6Addr = text.parse().map_err(|_| Fault::new(0, "this is not an IPv6 address"))?;
    Ok(unmapped(address.into()))
}

fn check_characters(text: &str) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(Fault::new(0, "the host is missing"));
    }
    let stray = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    match text.char_indices().find(|(_, c)| stray(*c)) {
        None => Ok(()),
        Some((at, '%')) => Err(Fault::new(at, "a host has no `%` here; write the character itself")),
        Some((at, c)) if !c.is_ascii() => {
            Err(Fault::new(at, "a host is ASCII here; write the name as `xn--...`"))
        }
        Some((at, c)) => Err(Fault::new(at, format!("a host cannot have {c:?}"))),
    }
}

fn check_labels(name: &str) -> Result<(), Fault> {
    if name.len() > MOST_NAME {
        return Err(Fault::new(MOST_NAME, format!("a name has at most {MOST_NAME} characters")));
    }
    let mut at = 0;
    for label in name.split('.') {
        if label.is_empty() {
            return Err(Fault::new(at, "there is nothing between two dots"));
        }
        if label.len() > MOST_LABEL {
            let reason = format!("at most {MOST_LABEL} characters stand between two dots");
            return Err(Fault::new(at + MOST_LABEL, reason));
        }
        at += label.len() + 1;
    }
    Ok(())
}

/// Tells whether the text can only be an IPv4 address; resolvers read such names as numbers.
fn ends_in_a_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    is_digits(last) || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|c| c.is_ascii_hexdigit()))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}

/// Reads one to four numbers: each but the last is a byte, the last fills what is left.
fn parse_ipv4(text: &str) -> Result<Ipv4Addr, Fault> {
    let wrong = || Fault::new(0, "this ends in a number and is no IPv4 address; write it like `192.0.2.1`");
    let numbers: Option<Vec<u32>> = text.split('.').map(parse_number).collect();
    let numbers = numbers.filter(|numbers| numbers.len() <= 4).ok_or_else(wrong)?;
    let (last, bytes) = numbers.split_last().ok_or_else(wrong)?;
    if bytes.iter().any(|byte| *byte > 255) {
        return Err(wrong());
    }
    let room = 32 - 8 * bytes.len();
    if u64::from(*last) >> room != 0 {
        return Err(wrong());
    }
    let front = bytes.iter().zip([24, 16, 8]).map(|(byte, shift)| byte << shift).sum::<u32>();
    Ok(Ipv4Addr::from_bits(front | last))
}

/// Reads a number: hexadecimal behind `0x`, octal behind `0`, else decimal.
fn parse_number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x") {
        // Nothing behind the prefix counts as zero, as browsers have it.
        Some("") => return Some(0),
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    // The sign that the standard library would take is no digit.
    let plain = digits.bytes().all(|c| c.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(digits, radix).ok())?
}
