//! Which route serves a request: by host, by path, by method.
//!
//! A host that is named comes before one that is matched by a wildcard, the longer before the shorter, and both
//! before routes for any host; then the more specific path; then the method: named, `GET` for a `HEAD`, any. A route
//! that does not serve the method hides no other.

use std::collections::HashMap;

use http::Method;

use crate::http::route::pattern::{Host, Pattern};
use crate::http::route::tree::Tree;

/// Which route serves a request; routes are known by their number.
#[derive(Debug, Default)]
pub(crate) struct Table {
    exact: HashMap<String, Tree<Leaf>>,
    below: HashMap<String, Tree<Leaf>>,
    any: Tree<Leaf>,
}

/// The routes of one path.
#[derive(Debug, Default)]
struct Leaf {
    named: Vec<(Method, usize)>,
    any: Option<usize>,
}

/// A route, and what its wildcards stand for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found<'p> {
    pub(crate) route: usize,
    pub(crate) values: Vec<&'p str>,
}

impl Table {
    /// Adds a route, or answers the one that serves the same requests already.
    pub(crate) fn insert(&mut self, pattern: &Pattern, route: usize) -> Result<(), usize> {
        let tree = match &pattern.host {
            Host::Any => &mut self.any,
            Host::Exact(host) => self.exact.entry(host.clone()).or_default(),
            Host::Below(host) => self.below.entry(host.clone()).or_default(),
        };
        let leaf = tree.leaf(&pattern.segments);
        if pattern.methods.is_empty() {
            return leaf.any.replace(route).map_or(Ok(()), Err);
        }
        pattern.methods.iter().try_for_each(|method| leaf.name(method, route))
    }

    /// Finds the most specific route.
    pub(crate) fn find<'p>(&self, method: &Method, host: Option<&str>, path: &'p str) -> Option<Found<'p>> {
        let mut values = Vec::new();
        let mut search = |tree: &Tree<Leaf>| tree.search(path, &mut values, &mut |leaf| leaf.serves(method));
        let route = self.trees(host).find_map(&mut search)?;
        Some(Found { route, values })
    }

    /// Returns every method that some route of the path serves; none where no route has the path.
    pub(crate) fn methods(&self, host: Option<&str>, path: &str) -> Vec<Method> {
        let mut methods = Vec::new();
        for tree in self.trees(host) {
            let all: Option<()> = tree.search(path, &mut Vec::new(), &mut |leaf| {
                methods.extend(leaf.named.iter().map(|(method, _)| method.clone()));
                None
            });
            debug_assert!(all.is_none(), "nothing was picked");
        }
        if methods.contains(&Method::GET) {
            methods.push(Method::HEAD);
        }
        methods.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        methods.dedup();
        methods
    }

    /// Returns the routes for a host, the most specific first.
    fn trees<'t>(&'t self, host: Option<&'t str>) -> impl Iterator<Item = &'t Tree<Leaf>> {
        let exact = host.and_then(|host| self.exact.get(host));
        let parents =
            host.into_iter().flat_map(|host| host.match_indices('.').map(|(at, _)| &host[at + 1..]));
        let below = parents.filter_map(|parent| self.below.get(parent));
        exact.into_iter().chain(below).chain([&self.any])
    }
}

impl Leaf {
    fn name(&mut self, method: &Method, route: usize) -> Result<(), usize> {
        match self.named(method) {
            Some(other) => Err(other),
            None => {
                self.named.push((method.clone(), route));
                Ok(())
            }
        }
    }

    fn named(&self, method: &Method) -> Option<usize> {
        self.named.iter().find(|(known, _)| known == method).map(|(_, route)| *route)
    }

    fn serves(&self, method: &Method) -> Option<usize> {
        let get = || if method == Method::HEAD { self.named(&Method::GET) } else { None };
        self.named(method).or_else(get).or(self.any)
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
    use proptest::sample::select;

    use super::*;
    use crate::http::route::pattern::Segment;

    fn table(patterns: &[&str]) -> Table {
        let mut table = Table::default();
        for (route, pattern) in patterns.iter().enumerate() {
            table.insert(&Pattern::parse(pattern).unwrap(), route).unwrap();
        }
        table
    }

    fn route(table: &Table, method: &Method, host: Option<&str>, path: &str) -> Option<usize> {
        table.find(method, host, path).map(|found| found.route)
    }

    #[test]
    fn a_method_that_is_not_served_hides_no_other_route() {
        let table = table(&["GET /users/{id}", "POST /users/me", "/{*rest}"]);
        assert_eq!(route(&table, &Method::GET, None, "/users/me"), Some(0));
        assert_eq!(route(&table, &Method::POST, None, "/users/me"), Some(1));
        assert_eq!(route(&table, &Method::PUT, None, "/users/me"), Some(2));
    }

    #[test]
    fn head_falls_back_to_get_unless_it_has_a_route() {
        let table = table(&["GET /a", "GET /b", "HEAD /b", "/b", "POST /c"]);
        assert_eq!(route(&table, &Method::HEAD, None, "/a"), Some(0));
        assert_eq!(route(&table, &Method::HEAD, None, "/b"), Some(2));
        assert_eq!(route(&table, &Method::PATCH, None, "/b"), Some(3));
        assert_eq!(route(&table, &Method::HEAD, None, "/c"), None);
    }

    #[test]
    fn the_more_specific_host_wins_and_the_others_are_still_there() {
        let table = table(&["/x", "*.example.com/x", "*.eu.example.com/x", "a.eu.example.com/x", "/y"]);
        for (host, expected) in [
            (None, 0),
            (Some("example.com"), 0),
            (Some("other.org"), 0),
            (Some("a.example.com"), 1),
            (Some("a.b.example.com"), 1),
            (Some("b.eu.example.com"), 2),
            (Some("a.eu.example.com"), 3),
        ] {
            assert_eq!(route(&table, &Method::GET, host, "/x"), Some(expected), "{host:?}");
            assert_eq!(route(&table, &Method::GET, host, "/y"), Some(4), "{host:?}");
        }
    }

    #[test]
    fn the_methods_of_a_path_are_those_of_all_its_routes() {
        let table = table(&["GET /a/{b}", "POST|PUT /a/b", "DELETE shop.example/a/{*rest}"]);
        let methods =
            |host, path| table.methods(host, path).iter().map(Method::to_string).collect::<Vec<_>>();
        assert_eq!(methods(None, "/a/b"), ["GET", "HEAD", "POST", "PUT"]);
        assert_eq!(methods(Some("shop.example"), "/a/c"), ["DELETE", "GET", "HEAD"]);
        assert_eq!(methods(None, "/b"), [""; 0]);
    }

    #[test]
    fn two_routes_for_the_same_requests_are_a_conflict() {
        let conflict = |a: &str, b: &str| {
            let mut table = table(&[a]);
            table.insert(&Pattern::parse(b).unwrap(), 1) == Err(0)
        };
        assert!(conflict("GET /a/{b}", "PUT|GET /a/{c}"));
        assert!(conflict("/{*a}", "/{*b}"));
        assert!(conflict("a.b/", "a.b/"));
        for (a, b) in
            [("/a", "GET /a"), ("/{a}", "/{*a}"), ("a.b/", "*.b/"), ("GET /", "HEAD /"), ("/a", "/a/")]
        {
            assert!(!conflict(a, b), "{a} {b}");
        }
    }

    /// Judges one route alone: whether it matches, and how specific it is.
    fn rank(pattern: &Pattern, method: &Method, host: &str, path: &str) -> Option<impl Ord> {
        let host_rank = match &pattern.host {
            Host::Any => 0,
            Host::Exact(own) if own == host => usize::MAX,
            Host::Below(own) if host.ends_with(&format!(".{own}")) => own.len(),
            _ => return None,
        };
        let method_rank = match &pattern.methods[..] {
            [] => 0,
            named if named.contains(method) => 2,
            named if method == Method::HEAD && named.contains(&Method::GET) => 1,
            _ => return None,
        };
        let texts: Vec<&str> = path[1..].split('/').collect();
        let mut ranks = Vec::new();
        for (at, segment) in pattern.segments.iter().enumerate() {
            match (segment, texts.get(at)?) {
                (Segment::Rest(_), _) => {
                    return Some((host_rank, [ranks, vec![Reverse(2)]].concat(), method_rank));
                }
                (Segment::One(_), text) if !text.is_empty() => ranks.push(Reverse(1)),
                (Segment::Literal(own), text) if own == text => ranks.push(Reverse(0)),
                _ => return None,
            }
        }
        (texts.len() == pattern.segments.len()).then_some((host_rank, ranks, method_rank))
    }

    const METHODS: [&str; 6] = ["", "GET ", "HEAD ", "POST ", "GET|POST ", "PURGE "];
    const HOSTS: [&str; 5] = ["", "", "a.b.c", "*.b.c", "*.c"];
    const ENDS: [&str; 5] = ["", "/", "/{*r}", "/{x}", "/a"];
    const PARTS: [&str; 4] = ["/a", "/b", "/{x1}", "/{x2}"];

    fn pattern() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::strategy::Strategy;
        let middle = proptest::collection::vec(select(&PARTS[..]), 0..4);
        (select(&METHODS[..]), select(&HOSTS[..]), middle, select(&ENDS[..]))
            .prop_map(|(method, host, middle, end)| format!("{method}{host}{}{end}", middle.concat()))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn it_finds_what_a_look_at_every_route_finds(
            texts in proptest::collection::vec(pattern(), 1..12),
            requests in proptest::collection::vec((
                select(vec![Method::GET, Method::HEAD, Method::POST, Method::PUT]),
                select(vec!["a.b.c", "x.b.c", "b.c", "c", "x.y.c", "z"]),
                "(/[abc]?){1,5}",
            ), 1..20),
        ) {
            let (mut table, mut kept): (_, Vec<Pattern>) = (Table::default(), Vec::new());
            for pattern in texts.iter().filter_map(|text| Pattern::parse(text).ok()) {
                // Those that conflict would be in the table in part.
                let mut tried = Table::default();
                kept.iter().enumerate().for_each(|(at, known)| tried.insert(known, at).unwrap());
                if tried.insert(&pattern, kept.len()).is_ok() {
                    table = tried;
                    kept.push(pattern);
                }
            }
            for (method, host, path) in requests {
                let ranked = kept.iter().enumerate().filter_map(|(at, pattern)| {
                    Some((rank(pattern, &method, host, &path)?, at))
                });
                let best = ranked.max_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, at)| at);
                let found = table.find(&method, Some(host), &path);
                prop_assert_eq!(found.as_ref().map(|found| found.route), best, "{} {}{}", method, host, path);
                if let Some(Found { route, values }) = found {
                    prop_assert_eq!(values.len(), kept[route].names().count());
                }
                prop_assert_eq!(best.is_some() || !table.methods(Some(host), &path).contains(&method), true);
            }
        }
    }
}
