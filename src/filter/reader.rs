//! Reads JSON one value at a time, without making a tree of it.
//!
//! It knows where it stands, keeps every digit of a number, and holds no more memory than one string. What
//! it accepts is RFC 8259 and nothing more: no comments, no trailing commas, no half surrogates.

use std::borrow::Cow;

use crate::filter::fault::Fault;
use crate::filter::token::{number_len, string};

/// A value as it begins.
#[derive(Debug, PartialEq)]
pub(super) enum Token<'a> {
    Object,
    Array,
    Scalar(Scalar<'a>),
}

/// A value that holds no other.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Boolean(bool),
    Number(Cow<'a, str>),
    String(Cow<'a, str>),
}

/// Reads JSON one value at a time.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    max_depth: usize,
    /// Whether an object or an array has just begun.
    is_fresh: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, max_depth: usize) -> Self {
        Self { text, at: 0, depth: 0, max_depth, is_fresh: false }
    }

    /// Moves to what stands next, and answers where that is.
    pub(super) fn position(&mut self) -> usize {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.rest().bytes().take_while(blank).count();
        self.at
    }

    /// Begins the next value; an object's members and an array's elements are then still to be read.
    pub(super) fn value(&mut self) -> Result<Token<'a>, Fault> {
        let at = self.position();
        let token = match self.rest().as_bytes().first() {
            Some(b'{') => return self.open(Token::Object),
            Some(b'[') => return self.open(Token::Array),
            Some(b'"') => Token::Scalar(Scalar::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => Token::Scalar(Scalar::Number(self.number()?.into())),
            Some(b'n') => self.word("null", Scalar::Null)?,
            Some(b't') => self.word("true", Scalar::Boolean(true))?,
            Some(b'f') => self.word("false", Scalar::Boolean(false))?,
            Some(_) => return Err(Fault::new(at, "no JSON value begins like this; write a value")),
            None => return Err(Fault::new(at, "the text ends where a value is missing; complete it")),
        };
        self.is_fresh = false;
        Ok(token)
    }

    /// Reads the name of an object's next member; none at the end of the object.
    pub(super) fn name(&mut self) -> Result<Option<(usize, Cow<'a, str>)>, Fault> {
        if !self.has_next('}')? {
            return Ok(None);
        }
        let at = self.position();
        if !self.rest().starts_with('"') {
            return Err(Fault::new(at, "a member's name is missing; write it in double quotes"));
        }
        let name = self.string()?;
        let colon = self.position();
        if !self.take(':') {
            return Err(Fault::new(colon, "a colon is missing behind the name; write one"));
        }
        Ok(Some((at, name)))
    }

    /// Tells whether an array has another element; its end is passed.
    pub(super) fn has_element(&mut self) -> Result<bool, Fault> {
        self.has_next(']')
    }

    /// Reads over the next value with everything in it.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        match self.value()? {
            Token::Object => self.skip_members(),
            Token::Array => self.skip_elements(),
            Token::Scalar(_) => Ok(()),
        }
    }

    pub(super) fn skip_members(&mut self) -> Result<(), Fault> {
        while self.name()?.is_some() {
            self.skip()?;
        }
        Ok(())
    }

    fn skip_elements(&mut self) -> Result<(), Fault> {
        while self.has_element()? {
            self.skip()?;
        }
        Ok(())
    }

    /// Checks that nothing follows.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        let at = self.position();
        if at < self.text.len() {
            return Err(Fault::new(at, "something follows behind the value; remove it"));
        }
        Ok(())
    }

    fn has_next(&mut self, close: char) -> Result<bool, Fault> {
        let at = self.position();
        if self.take(close) {
            self.depth -= 1;
            self.is_fresh = false;
            return Ok(false);
        }
        if !std::mem::take(&mut self.is_fresh) && !self.take(',') {
            return Err(Fault::new(at, format!("a comma or a {close} is missing; write one")));
        }
        Ok(true)
    }

    fn open(&mut self, token: Token<'a>) -> Result<Token<'a>, Fault> {
        if self.depth == self.max_depth {
            let reason = format!("it is nested deeper than {} levels; make it flatter", self.max_depth);
            return Err(Fault::new(self.at, reason));
        }
        self.at += 1;
        self.depth += 1;
        self.is_fresh = true;
        Ok(token)
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        let (string, len) = string(self.rest()).map_err(|(at, why)| Fault::new(self.at + at, why))?;
        self.at += len;
        Ok(string)
    }

    fn number(&mut self) -> Result<&'a str, Fault> {
        let rest = self.rest();
        let len = number_len(rest).map_err(|(at, why)| Fault::new(self.at + at, why))?;
        self.at += len;
        Ok(&rest[..len])
    }

    fn word(&mut self, word: &str, scalar: Scalar<'a>) -> Result<Token<'a>, Fault> {
        let behind = self.rest().strip_prefix(word);
        if behind.is_none_or(|behind| behind.starts_with(|c: char| c.is_ascii_alphanumeric())) {
            return Err(Fault::new(self.at, "an unknown word; write a string in double quotes"));
        }
        self.at += word.len();
        Ok(Token::Scalar(scalar))
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.rest().starts_with(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }
}
