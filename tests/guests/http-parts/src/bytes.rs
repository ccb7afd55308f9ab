//! Bytes that can be checked at the other end.

/// How much is read at once.
pub const CHUNK: usize = 1 << 16;

/// A prime, so that no chunk of the pattern looks like another.
const PERIOD: usize = 251;

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// How many bytes came, and their FNV-1a checksum of 64 bits.
pub struct Checksum {
    pub bytes: u64,
    hash: u64,
}

impl Default for Checksum {
    fn default() -> Self {
        Self { bytes: 0, hash: OFFSET }
    }
}

impl Checksum {
    pub fn add(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.hash = chunk.iter().fold(self.hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    }

    pub fn text(&self) -> String {
        format!("{} {:016x}\n", self.bytes, self.hash)
    }
}

/// Chunks of the pattern in which the byte at offset n is n modulo 251.
pub struct Pattern {
    whole: Vec<u8>,
    rest: u64,
}

impl Pattern {
    pub fn new(bytes: u64) -> Self {
        Self { whole: (0..PERIOD * 256).map(|at| (at % PERIOD) as u8).collect(), rest: bytes }
    }

    pub fn next(&mut self) -> Option<&[u8]> {
        let chunk = self.rest.min(self.whole.len() as u64);
        self.rest -= chunk;
        (chunk > 0).then(|| &self.whole[..chunk as usize])
    }
}
