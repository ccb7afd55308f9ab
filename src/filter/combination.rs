//! One way to meet a pattern: fields that are all demanded at once.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::filter::leaf::Leaf;
use crate::filter::tree::Tree;

/// The names that lead to a field.
pub(super) type Path = Vec<Arc<str>>;

/// One way to meet a pattern: fields that are all demanded at once, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Combination(BTreeMap<Path, Arc<Leaf>>);

impl Combination {
    /// Adds a demand; false if it already has one of this field, of one within it or of one around it.
    #[must_use]
    pub(super) fn insert(&mut self, path: &[Arc<str>], leaf: &Arc<Leaf>) -> bool {
        let is_free = !self.has(path);
        if is_free {
            self.0.insert(path.to_vec(), Arc::clone(leaf));
        }
        is_free
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_tree(self) -> Tree {
        let demands: Vec<_> = self.0.into_iter().collect();
        grow(&demands, 0)
    }

    fn has(&self, path: &[Arc<str>]) -> bool {
        let is_around = (1..=path.len()).any(|len| self.0.contains_key(&path[..len]));
        let behind = self.0.range::<[Arc<str>], _>((Bound::Included(path), Bound::Unbounded)).next();
        is_around || behind.is_some_and(|(other, _)| other.starts_with(path))
    }
}

/// Makes a tree of demands that are ordered by path and share its first names.
fn grow(demands: &[(Path, Arc<Leaf>)], shared: usize) -> Tree {
    let names = demands.chunk_by(|(one, _), (other, _)| one[shared] == other[shared]);
    let fields = names.map(|group| match group {
        [(path, leaf)] if path.len() == shared + 1 => (&path[shared], Tree::leaf(leaf)),
        _ => (&group[0].0[shared], grow(group, shared + 1)),
    });
    Tree::fields(fields.map(|(name, tree)| (Arc::clone(name), tree)).collect())
}
