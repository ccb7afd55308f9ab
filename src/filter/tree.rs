//! One combination of demands: for each field of an event, what its value may be.

use std::sync::Arc;

use crate::filter::leaf::Leaf;
use crate::filter::reader::Scalar;

/// What a field may be, with all fields within it.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) kind: Kind,
    /// Whether all of it may be missing.
    may_be_absent: bool,
}

/// What a field may be.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Leaf(Arc<Leaf>),
    /// Ordered by name.
    Fields(Vec<(Arc<str>, Tree)>),
}

/// What was found out about a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    /// Something that is there matches, and nothing is there that may not.
    pub(super) is_matched: bool,
    /// Nothing that was asked for is there, and all of it may be missing.
    pub(super) is_absent: bool,
}

impl Found {
    pub(super) fn is_satisfied(self) -> bool {
        self.is_matched || self.is_absent
    }
}

impl Tree {
    pub(super) fn leaf(leaf: &Arc<Leaf>) -> Self {
        Self { may_be_absent: leaf.allows_absence(), kind: Kind::Leaf(Arc::clone(leaf)) }
    }

    pub(super) fn fields(fields: Vec<(Arc<str>, Self)>) -> Self {
        let may_be_absent = fields.iter().all(|(_, tree)| tree.may_be_absent);
        Self { may_be_absent, kind: Kind::Fields(fields) }
    }

    /// Answers for a field that is not there.
    pub(super) fn missing(&self) -> Found {
        Found { is_matched: false, is_absent: self.may_be_absent }
    }

    /// Answers for a field that holds no other.
    pub(super) fn scalar(&self, scalar: &Scalar<'_>) -> Found {
        match &self.kind {
            Kind::Leaf(leaf) => Found { is_matched: leaf.matches(scalar), is_absent: false },
            Kind::Fields(_) => self.missing(),
        }
    }
}
