//! Makes combinations of demands out of a pattern.
//!
//! `$or` is multiplied out: each combination names each of its fields once and all have to hold, so that
//! several demands on an array's objects are always judged together. The number of combinations is bounded
//! for that.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::filter::fault::{Fault, quoted};
use crate::filter::json::{Json, Member, Node};
use crate::filter::matchers::leaf;
use crate::filter::tree::Tree;

/// The most combinations that a pattern may stand for, as EventBridge has it.
const MAX_COMBINATIONS: usize = 1_000;

/// The most fields that all combinations together may name: what an event is compared with, at worst.
const MAX_DEMANDS: usize = 10_000;

/// The name that stands for alternatives.
const OR: &str = "$or";

/// Words that name no field within alternatives, also those that EventBridge keeps for later.
const RESERVED: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

type Path = Vec<Arc<str>>;
type Combination = BTreeMap<Path, Tree>;

/// Makes combinations of demands out of a pattern; an event has to meet one of them.
///
/// # Errors
///
/// What is wrong with the pattern, and where.
pub(super) fn compile(pattern: &Json<'_>) -> Result<Vec<Tree>, Fault> {
    let Node::Object(members) = &pattern.node else {
        return Err(Fault::new(
            pattern.at,
            "a pattern is an object; write it like {\"type\": [\"order.placed\"]}",
        ));
    };
    let mut compiler = Compiler { path: Vec::new(), combinations: vec![Combination::new()], is_in_or: false };
    compiler.object(pattern.at, members)?;
    Ok(compiler.combinations.into_iter().map(tree).collect())
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
            return Err(Fault::new(at, "an empty object asks nothing; name a field in it, or remove it"));
        }
        members.iter().try_for_each(|member| match alternatives(member)? {
            Some(alternatives) => self.either(member.at, &alternatives),
            None => self.field(member),
        })
    }

    fn field(&mut self, member: &Member<'_>) -> Result<(), Fault> {
        if self.is_in_or && RESERVED.contains(&&*member.name) {
            let reason = format!("{} cannot name a field within $or; put it in a list", quoted(&member.name));
            return Err(Fault::new(member.at, reason));
        }
        self.path.push((*member.name).into());
        match &member.value.node {
            Node::Object(members) => self.object(member.value.at, members)?,
            Node::Array(list) => self.demand(member, Tree::leaf(Arc::new(leaf(member.value.at, list)?)))?,
            Node::Scalar(_) => {
                let reason = format!("{} has no list of values; put the value in [ ]", quoted(&member.name));
                return Err(Fault::new(member.value.at, reason));
            }
        }
        self.path.pop();
        Ok(())
    }

    /// Adds a demand to all combinations.
    fn demand(&mut self, member: &Member<'_>, tree: Tree) -> Result<(), Fault> {
        for combination in &mut self.combinations {
            if has_conflict(combination, &self.path) {
                let reason = format!(
                    "{} is asked for twice at once; put all its values in one list, or move it into each \
                     object of the $or",
                    quoted(&self.path.join("."))
                );
                return Err(Fault::new(member.at, reason));
            }
            combination.insert(self.path.clone(), tree.clone());
        }
        self.check_size(member.at, &[])
    }

    fn either(&mut self, at: usize, alternatives: &[(usize, &[Member<'_>])]) -> Result<(), Fault> {
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
        let combinations = self.combinations.len() + more.len();
        if combinations > MAX_COMBINATIONS {
            let reason = format!(
                "the pattern has more than {MAX_COMBINATIONS} combinations of $or; split it into several filters"
            );
            return Err(Fault::new(at, reason));
        }
        let demands: usize = self.combinations.iter().chain(more).map(BTreeMap::len).sum();
        if demands > MAX_DEMANDS {
            let reason = format!(
                "all combinations of $or together name more than {MAX_DEMANDS} fields; \
                 split the pattern into several filters"
            );
            return Err(Fault::new(at, reason));
        }
        Ok(())
    }
}

/// Returns the objects of `$or`; none if the member is an ordinary field.
///
/// As EventBridge has it, only a list of two objects or more that use no reserved word means alternatives.
fn alternatives<'a>(member: &'a Member<'_>) -> Result<Option<Vec<(usize, &'a [Member<'a>])>>, Fault> {
    let (true, Node::Array(list)) = (member.name == OR, &member.value.node) else {
        return Ok(None);
    };
    let objects: Vec<_> = list.iter().filter_map(object).collect();
    let names_fields = |members: &[Member<'_>]| !members.iter().any(|m| RESERVED.contains(&&*m.name));
    let are_all = objects.len() == list.len() && objects.iter().all(|(_, members)| names_fields(members));
    if are_all && objects.len() > 1 {
        return Ok(Some(objects));
    }
    match objects.iter().find(|(_, members)| names_fields(members)) {
        Some(_) => {
            let reason = "$or takes two objects or more, with names of fields only; add one, or drop the $or";
            Err(Fault::new(member.at, reason))
        }
        None => Ok(None),
    }
}

fn object<'a>(json: &'a Json<'_>) -> Option<(usize, &'a [Member<'a>])> {
    match &json.node {
        Node::Object(members) => Some((json.at, members)),
        _ => None,
    }
}

/// Tells whether a combination already asks for this field, one within it, or one around it.
fn has_conflict(combination: &Combination, path: &[Arc<str>]) -> bool {
    let is_around = (1..=path.len()).any(|len| combination.contains_key(&path[..len]));
    let behind = combination.range::<[Arc<str>], _>((Bound::Included(path), Bound::Unbounded)).next();
    is_around || behind.is_some_and(|(other, _)| other.starts_with(path))
}

/// Makes one tree of the fields; names stand in order.
fn tree(combination: Combination) -> Tree {
    grow(combination.into_iter().collect(), 0)
}

fn grow(fields: Vec<(Path, Tree)>, depth: usize) -> Tree {
    let mut groups: Vec<(Arc<str>, Vec<(Path, Tree)>)> = Vec::new();
    for (path, tree) in fields {
        match groups.last_mut() {
            Some((name, group)) if *name == path[depth] => group.push((path, tree)),
            _ => groups.push((Arc::clone(&path[depth]), vec![(path, tree)])),
        }
    }
    let grown = groups.into_iter().map(|(name, mut group)| match group.first() {
        Some((path, _)) if path.len() > depth + 1 => (name, grow(group, depth + 1)),
        _ => (name, group.remove(0).1),
    });
    Tree::fields(grown.collect())
}
