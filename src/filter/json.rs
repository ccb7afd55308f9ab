//! A pattern's JSON as a tree in which everything knows where it stands.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::filter::fault::{Fault, quoted};
use crate::filter::reader::{Reader, Scalar, Token};

/// A value and where it begins.
#[derive(Debug)]
pub(super) struct Json<'a> {
    pub(super) at: usize,
    pub(super) node: Node<'a>,
}

/// A value.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Object(Vec<Member<'a>>),
    Array(Vec<Json<'a>>),
    Scalar(Scalar<'a>),
}

/// A member of an object and where its name begins.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) at: usize,
    pub(super) name: Cow<'a, str>,
    pub(super) value: Json<'a>,
}

impl<'a> Json<'a> {
    /// Reads a text that is one value; names may not come twice in one object.
    ///
    /// # Errors
    ///
    /// Where and why it is none.
    pub(super) fn parse(text: &'a str, max_depth: usize) -> Result<Self, Fault> {
        let mut reader = Reader::new(text, max_depth);
        let value = read(&mut reader)?;
        reader.end()?;
        Ok(value)
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match &self.node {
            Node::Scalar(Scalar::String(string)) => Some(string),
            _ => None,
        }
    }
}

fn read<'a>(reader: &mut Reader<'a>) -> Result<Json<'a>, Fault> {
    let at = reader.position();
    let node = match reader.value()? {
        Token::Object => Node::Object(members(reader)?),
        Token::Array => Node::Array(elements(reader)?),
        Token::Scalar(scalar) => Node::Scalar(scalar),
    };
    Ok(Json { at, node })
}

fn members<'a>(reader: &mut Reader<'a>) -> Result<Vec<Member<'a>>, Fault> {
    let mut members = Vec::new();
    let mut names = BTreeSet::new();
    while let Some((at, name)) = reader.name()? {
        if !names.insert(name.clone()) {
            let reason = format!("{} comes twice in this object; merge the two", quoted(&name));
            return Err(Fault::new(at, reason));
        }
        members.push(Member { at, name, value: read(reader)? });
    }
    Ok(members)
}

fn elements<'a>(reader: &mut Reader<'a>) -> Result<Vec<Json<'a>>, Fault> {
    let mut elements = Vec::new();
    while reader.has_element()? {
        elements.push(read(reader)?);
    }
    Ok(elements)
}
