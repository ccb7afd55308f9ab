//! Reads the few elements of DER that a public key is written in.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// What is left to read.
pub(super) struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Takes the next element, which has to be of that kind, and answers what is in it.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, rest) = self.0.split_first()?;
        let (len, rest) = split_length(rest)?;
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        (*found == tag).then_some(content)
    }

    /// Takes a number that is not negative, without leading zeros.
    pub(super) fn take_number(&mut self) -> Option<&'a [u8]> {
        match self.take(INTEGER)? {
            [0, number @ ..] if number.first().is_some_and(|first| first & 0x80 != 0) => Some(number),
            number => number.first().is_some_and(|first| (1..0x80).contains(first)).then_some(number),
        }
    }

    /// Takes a string of whole bytes.
    pub(super) fn take_bytes(&mut self) -> Option<&'a [u8]> {
        match self.take(BIT_STRING)? {
            [0, bytes @ ..] => Some(bytes),
            _ => None,
        }
    }

    /// Makes sure that nothing is left.
    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Reads a length below 64 KiB, written as short as it can be.
fn split_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (len, rest, least) = match bytes {
        [short @ 0..=0x7f, rest @ ..] => (usize::from(*short), rest, 0),
        [0x81, len, rest @ ..] => (usize::from(*len), rest, 0x80),
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest, 0x100),
        _ => return None,
    };
    (len >= least).then_some((len, rest))
}
