//! Ranges of IP addresses, as CIDR writes them.

use std::net::IpAddr;

/// A range of IP addresses, of one version.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads an address, a slash, and how many of its bits count.
    ///
    /// # Errors
    ///
    /// What is wrong and what to do.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (address, bits) = text.split_once('/').ok_or("no slash in it; write it like 10.0.0.0/8")?;
        let address: IpAddr =
            address.parse().map_err(|_| "no IP address before the slash; write it like 10.0.0.0/8")?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        match bits.parse() {
            Ok(bits) if is_number && bits <= most => Ok(Self { address, bits }),
            _ => Err(format!("no number of bits behind the slash; write one from 0 to {most}")),
        }
    }

    /// Tells whether the text is an address of the range.
    pub(super) fn contains(&self, text: &str) -> bool {
        match (self.address, text.parse()) {
            (IpAddr::V4(ours), Ok(IpAddr::V4(theirs))) => {
                let differs = u32::from(ours) ^ u32::from(theirs);
                differs.leading_zeros() >= self.bits
            }
            (IpAddr::V6(ours), Ok(IpAddr::V6(theirs))) => {
                let differs = u128::from(ours) ^ u128::from(theirs);
                differs.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}
