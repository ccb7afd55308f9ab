//! What a route matches, as it is written: `GET|PUT api.example.com/users/{id}`.

use http::Method;

/// Longest name of a wildcard.
const MAX_NAME: usize = 64;

/// What a route matches; parsed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// None is every method.
    pub(crate) methods: Vec<Method>,
    pub(crate) host: Host,
    pub(crate) segments: Vec<Segment>,
}

/// Which hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Any,
    /// This one.
    Exact(String),
    /// All below this one.
    Below(String),
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(String),
    /// One segment, not empty.
    One(String),
    /// All that is left, even if that is empty.
    Rest(String),
}

impl Pattern {
    /// Parses `[METHOD[|METHOD...] ][HOST]/PATH`, or says what is wrong and what to do.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let slash = text.find('/').ok_or("it has no path; write it like GET /users/{id}")?;
        let (before, path) = text.split_at(slash);
        let (methods, host) = match before.split_once(' ') {
            None => (Vec::new(), before),
            Some((methods, host)) => (parse_methods(methods)?, host),
        };
        Ok(Self { methods, host: parse_host(host)?, segments: parse_path(path)? })
    }

    /// Returns the names of the wildcards, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::name)
    }
}

impl Segment {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::One(name) | Self::Rest(name) => Some(name),
        }
    }
}

fn parse_methods(text: &str) -> Result<Vec<Method>, String> {
    let methods: Vec<Method> = text.split('|').map(parse_method).collect::<Result<_, _>>()?;
    match methods.iter().enumerate().find(|(at, method)| methods[..*at].contains(method)) {
        Some((_, twice)) => Err(format!("method {twice} is given twice; give it once")),
        None => Ok(methods),
    }
}

fn parse_method(text: &str) -> Result<Method, String> {
    let is_fine = (1..=24).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    if !is_fine {
        return Err(format!("{text:?} is not a method; write capital letters, several like GET|POST"));
    }
    match Method::from_bytes(text.as_bytes()) {
        Ok(Method::CONNECT) | Err(_) => Err(format!("method {text} cannot be routed; take it away")),
        Ok(method) => Ok(method),
    }
}

fn parse_host(text: &str) -> Result<Host, String> {
    if text.is_empty() {
        return Ok(Host::Any);
    }
    let (name, host): (_, fn(String) -> Host) = match text.strip_prefix("*.") {
        Some(below) => (below, Host::Below),
        None => (text, Host::Exact),
    };
    let is_label = |label: &str| {
        let is_fine = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        !label.is_empty() && label.bytes().all(is_fine)
    };
    let is_v6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).is_some_and(is_v6);
    if name.split('.').all(is_label) || (is_v6 && matches!(host(String::new()), Host::Exact(_))) {
        return Ok(host(name.into()));
    }
    Err(format!(
        "{text:?} is not a host; write a name in small letters without a port, or *.example.com for all below it"
    ))
}

fn is_v6(text: &str) -> bool {
    // As it is written in a request, which nobody rewrites.
    text.parse::<std::net::Ipv6Addr>().is_ok_and(|address| address.to_string() == text)
}

fn parse_path(path: &str) -> Result<Vec<Segment>, String> {
    let texts: Vec<&str> = path[1..].split('/').collect();
    let last = texts.len() - 1;
    let mut segments = Vec::with_capacity(texts.len());
    for (at, text) in texts.into_iter().enumerate() {
        let segment = parse_segment(text)?;
        check_place(&segment, at == last, &segments)?;
        segments.push(segment);
    }
    Ok(segments)
}

fn check_place(segment: &Segment, is_last: bool, before: &[Segment]) -> Result<(), String> {
    if !is_last && matches!(segment, Segment::Rest(_)) {
        return Err("a wildcard for the rest, like {*rest}, has to be the last segment".into());
    }
    if !is_last && *segment == Segment::Literal(String::new()) {
        return Err("it has an empty segment; write one slash between two segments".into());
    }
    match segment.name() {
        Some(name) if before.iter().any(|other| other.name() == Some(name)) => {
            Err(format!("two wildcards are called {name:?}; give each a name of its own"))
        }
        _ => Ok(()),
    }
}

fn parse_segment(text: &str) -> Result<Segment, String> {
    let Some(inside) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
        return parse_literal(text);
    };
    let (name, segment): (_, fn(String) -> Segment) = match inside.strip_prefix('*') {
        Some(name) => (name, Segment::Rest),
        None => (inside, Segment::One),
    };
    let is_fine = |b: u8| matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-');
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_fine) {
        return Ok(segment(name.into()));
    }
    Err(format!(
        "{text:?} is not a wildcard; write {{name}} or {{*rest}}, \
         a name of 1 to {MAX_NAME} letters, digits, hyphens and underscores"
    ))
}

fn parse_literal(text: &str) -> Result<Segment, String> {
    if text == "." || text == ".." {
        return Err(format!("no request has a segment {text:?}; take it away"));
    }
    if text.starts_with(':') {
        return Err(format!("segment {text:?} begins with a colon; a wildcard is written {{name}}"));
    }
    match text.chars().find(|c| c.is_control() || matches!(c, '{' | '}' | '*' | '%' | '?' | '#' | '\\')) {
        None => Ok(Segment::Literal(text.into())),
        Some('%') => Err(format!("segment {text:?} is escaped; write it as it reads decoded")),
        Some(c @ ('{' | '}' | '*')) => Err(format!(
            "segment {text:?} has {c:?} in it; a wildcard is a whole segment, {{name}} or {{*rest}}"
        )),
        Some(c) => Err(format!("segment {text:?} has {c:?} in it, which no path has; take it away")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Segment {
        Segment::Literal(text.into())
    }

    #[test]
    fn methods_hosts_and_segments_are_told_apart() {
        let pattern = Pattern::parse("GET|PUT api.example.com/users/{id}/{*rest}").unwrap();
        assert_eq!(pattern.methods, [Method::GET, Method::PUT]);
        assert_eq!(pattern.host, Host::Exact("api.example.com".into()));
        let segments = [literal("users"), Segment::One("id".into()), Segment::Rest("rest".into())];
        assert_eq!(pattern.segments, segments);
        assert_eq!(pattern.names().collect::<Vec<_>>(), ["id", "rest"]);
    }

    #[test]
    fn only_the_path_is_needed() {
        let pattern = Pattern::parse("/").unwrap();
        assert_eq!((pattern.methods.len(), pattern.host), (0, Host::Any));
        assert_eq!(pattern.segments, [literal("")]);
        assert_eq!(Pattern::parse("/a/").unwrap().segments, [literal("a"), literal("")]);
        assert_eq!(Pattern::parse("*.shop.example/").unwrap().host, Host::Below("shop.example".into()));
        assert_eq!(Pattern::parse("[::1]/").unwrap().host, Host::Exact("[::1]".into()));
        assert_eq!(Pattern::parse("/ä b/c:d").unwrap().segments, [literal("ä b"), literal("c:d")]);
        assert_eq!(Pattern::parse("M-SEARCH /").unwrap().methods, [Method::from_bytes(b"M-SEARCH").unwrap()]);
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_do() {
        for (wrong, part) in [
            ("", "has no path"),
            ("GET", "has no path"),
            ("GET users", "has no path"),
            ("get /", "capital letters"),
            (" /", "not a method"),
            ("GET|GET /", "given twice"),
            ("GET,PUT /", "not a method"),
            ("CONNECT /", "cannot be routed"),
            ("GET  /", "not a host"),
            ("Example.com/", "small letters"),
            ("example.com:80/", "without a port"),
            ("*/", "not a host"),
            ("a.*.com/", "not a host"),
            ("*.[::1]/", "not a host"),
            ("https://example.com/", "not a host"),
            ("/a//b", "empty segment"),
            ("/a/../b", "no request has"),
            ("/%41", "decoded"),
            ("/a?b=c", "no path has"),
            ("/a\\b", "no path has"),
            ("/:id", "written {name}"),
            ("/*", "whole segment"),
            ("/{id}.png", "whole segment"),
            ("/{id", "whole segment"),
            ("/{}", "not a wildcard"),
            ("/{a.b}", "not a wildcard"),
            ("/{*}", "not a wildcard"),
            ("/{id:[0-9]+}", "not a wildcard"),
            ("/{*rest}/a", "last segment"),
            ("/{*rest}/", "last segment"),
            ("/{a}/{a}", "name of its own"),
        ] {
            let said = Pattern::parse(wrong).expect_err(wrong);
            assert!(said.contains(part), "{wrong}: {said}");
        }
    }
}
