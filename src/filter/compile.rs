//! Makes combinations of demands out of a pattern.
//!
//! `$or` is multiplied out: each combination names each of its fields once and all have to hold, so that
//! several demands on an array's objects are always judged together. The number of combinations is bounded
//! for that.

use std::sync::Arc;

use crate::filter::alternatives::{Alternative, alternatives, is_reserved};
use crate::filter::combination::{Combination, Path};
use crate::filter::fault::{Fault, quoted};
use crate::filter::json::{Json, Member, Node};
use crate::filter::leaf::Leaf;
use crate::filter::matchers::leaf;
use crate::filter::tree::Tree;

/// The most combinations that a pattern may stand for.
const MAX_COMBINATIONS: usize = 1_000;

/// The most fields that all combinations together may name: what an event is compared with, at worst.
const MAX_DEMANDS: usize = 10_000;

const NO_OBJECT: &str = "a pattern is an object; write it like {\"type\": [\"order.placed\"]}";
const NO_FIELD: &str = "an empty object asks nothing; name a field in it, or remove it";

/// Makes combinations of demands out of a pattern; an event has to meet one of them.
///
/// # Errors
///
/// What is wrong with the pattern, and where.
pub(super) fn compile(pattern: &Json<'_>) -> Result<Vec<Tree>, Fault> {
    let Node::Object(members) = &pattern.node else {
        return Err(Fault::new(pattern.at, NO_OBJECT));
    };
    let combinations = vec![Combination::default()];
    let mut compiler = Compiler { path: Path::new(), combinations, is_in_or: false };
    compiler.object(pattern.at, members)?;
    Ok(compiler.combinations.into_iter().map(Combination::into_tree).collect())
}

struct Compiler {
    /// The names that lead to what is being read.
    path: Path,
    combinations: Vec<Combination>,
    is_in_or: bool,
}

impl Compiler {
    fn object(&mut self, at: usize, members: &[Member<'_>]) -> Result<(), Fault> {
        if members.is_empty() {
            return Err(Fault::new(at, NO_FIELD));
        }
        members.iter().try_for_each(|member| match alternatives(member)? {
            Some(alternatives) => self.either(member.at, &alternatives),
            None => self.field(member),
        })
    }

    fn field(&mut self, member: &Member<'_>) -> Result<(), Fault> {
        if self.is_in_or && is_reserved(&member.name) {
            let reason = format!("{} cannot name a field within $or; put it in a list", quoted(&member.name));
            return Err(Fault::new(member.at, reason));
        }
        self.path.push((*member.name).into());
        match &member.value.node {
            Node::Object(members) => self.object(member.value.at, members)?,
            Node::Array(list) => self.demand(member.at, &Arc::new(leaf(member.value.at, list)?))?,
            Node::Scalar(_) => {
                let reason = format!("{} has no list of values; put the value in [ ]", quoted(&member.name));
                return Err(Fault::new(member.value.at, reason));
            }
        }
        self.path.pop();
        Ok(())
    }

    /// Adds a demand to all combinations.
    fn demand(&mut self, at: usize, leaf: &Arc<Leaf>) -> Result<(), Fault> {
        let path = &self.path;
        if self.combinations.iter_mut().all(|combination| combination.insert(path, leaf)) {
            return self.check_size(at, &[]);
        }
        let name = quoted(&path.join("."));
        let advice = "put all its values in one list, or move it into each object of the $or";
        Err(Fault::new(at, format!("{name} is asked for twice at once; {advice}")))
    }

    fn either(&mut self, at: usize, alternatives: &[Alternative<'_>]) -> Result<(), Fault> {
        let before = std::mem::take(&mut self.combinations);
        let was_in_or = std::mem::replace(&mut self.is_in_or, true);
        let mut all = Vec::new();
        for (object, members) in alternatives {
            self.combinations.clone_from(&before);
            self.object(*object, members)?;
            all.append(&mut self.combinations);
            self.check_size(at, &all)?;
        }
        self.combinations = all;
        self.is_in_or = was_in_or;
        Ok(())
    }

    fn check_size(&self, at: usize, more: &[Combination]) -> Result<(), Fault> {
        let demands: usize = self.combinations.iter().chain(more).map(Combination::len).sum();
        let counts = [
            (
                self.combinations.len() + more.len(),
                MAX_COMBINATIONS,
                "there are more than",
                "combinations of $or",
            ),
            (demands, MAX_DEMANDS, "all combinations of $or together name more than", "fields"),
        ];
        match counts.into_iter().find(|(count, most, ..)| count > most) {
            None => Ok(()),
            Some((_, most, what, of)) => {
                Err(Fault::new(at, format!("{what} {most} {of}; split the pattern into several filters")))
            }
        }
    }
}
