//! Paths as a tree of segments, in which the most specific route of a path is found first.
//!
//! From the left, a literal segment is more specific than a wildcard for one, and that more than one for the rest.
//! A search sees every route that matches a path, in this order, until one is picked: a route that does not serve the
//! method hides no other. It visits each node at most once, whatever the path.

use crate::http::route::pattern::Segment;

/// A tree of segments, with a leaf for each path.
#[derive(Debug)]
pub(crate) struct Tree<L> {
    literals: Vec<(String, Self)>,
    one: Option<Box<Self>>,
    rest: Option<L>,
    here: Option<L>,
}

impl<L> Default for Tree<L> {
    fn default() -> Self {
        Self { literals: Vec::new(), one: None, rest: None, here: None }
    }
}

impl<L: Default> Tree<L> {
    /// Returns the leaf of a path, made if it is not there.
    pub(crate) fn leaf(&mut self, segments: &[Segment]) -> &mut L {
        match segments {
            [] => self.here.get_or_insert_default(),
            [Segment::Rest(_), ..] => self.rest.get_or_insert_default(),
            [Segment::One(_), behind @ ..] => self.one.get_or_insert_default().leaf(behind),
            [Segment::Literal(text), behind @ ..] => {
                let at = self.literals.binary_search_by(|(known, _)| known.cmp(text)).unwrap_or_else(|at| {
                    self.literals.insert(at, (text.clone(), Self::default()));
                    at
                });
                self.literals[at].1.leaf(behind)
            }
        }
    }
}

impl<L> Tree<L> {
    /// Shows the leaves that match a path, the most specific first, until one is picked; what its wildcards stand
    /// for is in `values` then.
    pub(crate) fn search<'p, R>(
        &self,
        path: &'p str,
        values: &mut Vec<&'p str>,
        pick: &mut impl FnMut(&L) -> Option<R>,
    ) -> Option<R> {
        values.clear();
        self.descend(path.strip_prefix('/'), values, pick)
    }

    fn descend<'p, R>(
        &self,
        left: Option<&'p str>,
        values: &mut Vec<&'p str>,
        pick: &mut impl FnMut(&L) -> Option<R>,
    ) -> Option<R> {
        let Some(left) = left else { return self.here.as_ref().and_then(pick) };
        let (segment, behind) = match left.split_once('/') {
            Some((segment, behind)) => (segment, Some(behind)),
            None => (left, None),
        };
        if let Ok(at) = self.literals.binary_search_by(|(known, _)| known.as_str().cmp(segment))
            && let Some(picked) = self.literals[at].1.descend(behind, values, pick)
        {
            return Some(picked);
        }
        let depth = values.len();
        if let Some(one) = self.one.as_ref().filter(|_| !segment.is_empty()) {
            values.push(segment);
            if let Some(picked) = one.descend(behind, values, pick) {
                return Some(picked);
            }
            values.truncate(depth);
        }
        let picked = self.rest.as_ref().and_then(pick)?;
        values.push(left);
        Some(picked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::route::pattern::Pattern;

    fn tree(paths: &[&str]) -> Tree<String> {
        let mut tree = Tree::default();
        for path in paths {
            *tree.leaf(&Pattern::parse(path).unwrap().segments) = (*path).into();
        }
        tree
    }

    fn found(tree: &Tree<String>, path: &str) -> String {
        let mut values = Vec::new();
        match tree.search(path, &mut values, &mut |leaf| Some(leaf.clone())) {
            Some(leaf) => format!("{leaf} {}", values.join(",")),
            None => "none".into(),
        }
    }

    #[test]
    fn the_most_specific_wins() {
        let tree =
            tree(&["/{*rest}", "/{a}", "/me", "/{a}/list", "/users/{*rest}", "/users/{id}", "/users/{id}/a"]);
        for (path, expected) in [
            ("/me", "/me "),
            ("/you", "/{a} you"),
            ("/", "/{*rest} "),
            ("/users", "/{a} users"),
            ("/users/", "/users/{*rest} "),
            ("/users/7", "/users/{id} 7"),
            ("/users/7/a", "/users/{id}/a 7"),
            ("/users/7/b", "/users/{*rest} 7/b"),
            ("/users/list", "/users/{id} list"),
            ("/me/list", "/{a}/list me"),
            ("/me/other", "/{*rest} me/other"),
            ("//", "/{*rest} /"),
            ("//list", "/{*rest} /list"),
        ] {
            assert_eq!(found(&tree, path), expected, "{path}");
        }
    }

    #[test]
    fn a_slash_at_the_end_makes_another_path() {
        let tree = tree(&["/a/", "/b", "/c/{*rest}"]);
        for (path, expected) in
            [("/a/", "/a/ "), ("/a", "none"), ("/b/", "none"), ("/c", "none"), ("/c/", "/c/{*rest} ")]
        {
            assert_eq!(found(&tree, path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_not_picked_hides_nothing_and_leaves_no_values() {
        let tree = tree(&["/{a}/{b}/c", "/x/{b}/{*rest}", "/{*rest}"]);
        let mut seen = Vec::new();
        let mut values = Vec::new();
        let picked = tree.search("/x/y/c", &mut values, &mut |leaf| {
            seen.push(leaf.clone());
            (leaf == "/{*rest}").then_some(())
        });
        assert_eq!(picked, Some(()));
        assert_eq!(seen, ["/x/{b}/{*rest}", "/{a}/{b}/c", "/{*rest}"]);
        assert_eq!(values, ["x/y/c"]);
    }
}
