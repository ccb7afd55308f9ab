//! Looks into a JSON document for what a combination asks.
//!
//! The document is read once and not kept, so that a hostile body costs no memory. Fields that the
//! combination does not name are read over.
//!
//! Arrays are looked into: any element may be the value. What is asked of several fields within an array's
//! objects has to be found in one of them; what has to be absent is looked for in that one, or in all of
//! them when nothing else chooses one.

use std::sync::Arc;

use crate::filter::fault::Fault;
use crate::filter::reader::{Reader, Token};
use crate::filter::tree::{Found, Kind, Tree};

/// How deep a document may be nested, as for every other reader of this crate.
const MAX_DEPTH: usize = 127;

/// Answers whether a JSON document has what is asked.
///
/// # Errors
///
/// Where and why the text is no JSON.
pub(super) fn evaluate(tree: &Tree, text: &str) -> Result<Found, Fault> {
    let mut search = Search { reader: Reader::new(text, MAX_DEPTH), found: Vec::new() };
    let found = search.value(tree)?;
    search.reader.end()?;
    Ok(found)
}

struct Search<'a> {
    reader: Reader<'a>,
    /// What is known of the fields of all objects that are being read, the innermost last.
    found: Vec<Found>,
}

impl Search<'_> {
    fn value(&mut self, tree: &Tree) -> Result<Found, Fault> {
        match (self.reader.value()?, &tree.kind) {
            (Token::Scalar(scalar), _) => Ok(tree.scalar(&scalar)),
            (Token::Array, _) => self.elements(tree),
            (Token::Object, Kind::Fields(fields)) => self.members(fields),
            (Token::Object, Kind::Leaf(_)) => {
                self.reader.skip_members()?;
                Ok(tree.missing())
            }
        }
    }

    fn elements(&mut self, tree: &Tree) -> Result<Found, Fault> {
        let mut all = tree.missing();
        while self.reader.has_element()? {
            let found = self.value(tree)?;
            all.is_matched |= found.is_matched;
            all.is_absent &= found.is_absent;
        }
        Ok(all)
    }

    /// Of members with the same name, the last one counts.
    fn members(&mut self, fields: &[(Arc<str>, Tree)]) -> Result<Found, Fault> {
        let begin = self.found.len();
        self.found.extend(fields.iter().map(|(_, tree)| tree.missing()));
        while let Some((_, name)) = self.reader.name()? {
            match fields.binary_search_by(|(own, _)| (**own).cmp(&name)) {
                Ok(at) => self.found[begin + at] = self.value(&fields[at].1)?,
                Err(_) => self.reader.skip()?,
            }
        }
        Ok(together(self.found.drain(begin..)))
    }
}

fn together(fields: impl Iterator<Item = Found>) -> Found {
    let (mut any, mut satisfied, mut absent) = (false, true, true);
    for found in fields {
        any |= found.is_matched;
        satisfied &= found.is_satisfied();
        absent &= found.is_absent;
    }
    Found { is_matched: satisfied && any, is_absent: absent }
}
