//! The path, and the names and values of the query.

pub struct Query {
    pub path: String,
    pub pairs: Vec<(String, String)>,
}

impl Query {
    pub fn parse(path_with_query: &str) -> Self {
        let (path, query) = path_with_query.split_once('?').unwrap_or((path_with_query, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
        Self { path: path.to_string(), pairs }
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns 0 for what is missing or no number.
    pub fn number(&self, name: &str) -> u64 {
        self.value(name).and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// Returns milliseconds as nanoseconds.
    pub fn nanoseconds(&self, name: &str) -> u64 {
        self.number(name).saturating_mul(1_000_000)
    }

    /// Splits `url` into scheme, authority, and path with query.
    pub fn url(&self) -> Option<(&str, &str, &str)> {
        let (scheme, rest) = self.value("url")?.split_once("://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        Some((scheme, &rest[..end], &rest[end..]))
    }

    /// Returns name and value of each `header=NAME:VALUE`.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values("header").map(|header| header.split_once(':').unwrap_or((header, "")))
    }
}

fn pair(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decode(name), decode(value))
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let escaped = (*first == b'%').then(|| escaped(behind)).flatten();
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escaped(behind: &[u8]) -> Option<u8> {
    let digits = str::from_utf8(behind.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}
