//! A range of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::host::Fault;

/// An address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The range that has one address only.
    pub(crate) fn single(address: IpAddr) -> Self {
        Self { address, prefix: width(address) }
    }

    /// Makes the range; bits behind the prefix must be zero, as they would be a mistake or a surprise.
    pub(crate) fn new(address: IpAddr, prefix: &str) -> Result<Self, Fault> {
        let most = width(address);
        let plain = prefix.bytes().all(|c| c.is_ascii_digit());
        let parsed = prefix.parse().ok().filter(|parsed| plain && *parsed <= most);
        let Some(prefix) = parsed else {
            return Err(Fault::new(0, format!("a prefix length from 0 to {most} belongs here")));
        };
        let whole = Self { address: first(address, prefix), prefix };
        if whole.address != address {
            return Err(Fault::new(0, format!("bits behind the prefix are set; write `{whole}`")));
        }
        Ok(whole)
    }

    /// Tells whether the address is in the range.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        width(address) == width(self.address) && first(address, self.prefix) == self.address
    }

    /// Tells whether the range is this address and no other.
    pub(crate) fn is_exactly(&self, address: IpAddr) -> bool {
        *self == Self::single(address)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = (self.prefix < width(self.address)).then_some(self.prefix);
        match (self.address, range) {
            (IpAddr::V4(address), None) => write!(f, "{address}"),
            (IpAddr::V4(address), Some(prefix)) => write!(f, "{address}/{prefix}"),
            (IpAddr::V6(address), None) => write!(f, "[{address}]"),
            (IpAddr::V6(address), Some(prefix)) => write!(f, "[{address}/{prefix}]"),
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Returns the first address of the range.
fn first(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}
