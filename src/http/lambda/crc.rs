//! The checksum of event streams: CRC-32 as gzip and Ethernet have it.

/// The polynomial, its bits reversed.
const POLYNOMIAL: u32 = 0xedb8_8320;

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = remainder(at as u32);
        at += 1;
    }
    table
}

const fn remainder(mut bits: u32) -> u32 {
    let mut left = 8;
    while left > 0 {
        bits = if bits & 1 == 1 { bits >> 1 ^ POLYNOMIAL } else { bits >> 1 };
        left -= 1;
    }
    bits
}

/// Returns the checksum of the bytes.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| crc >> 8 ^ TABLE[(crc as u8 ^ byte) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_known_checksum() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of the catalogue of CRCs");
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(&[0; 32]), 0x190a_55ad);
        assert_eq!(crc32(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
    }
}
