//! Which of a file's encodings a client takes.

use http::header::{ACCEPT, ACCEPT_ENCODING, AsHeaderName, HeaderMap};

/// An encoding in which a file may stand beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encoding {
    pub(super) name: &'static str,
    pub(super) extension: &'static str,
}

/// The better one first.
const ENCODINGS: [Encoding; 2] =
    [Encoding { name: "br", extension: ".br" }, Encoding { name: "gzip", extension: ".gz" }];

/// Answers the encodings that the client takes, the ones that it likes best first.
pub(super) fn accepted(headers: &HeaderMap) -> Vec<Encoding> {
    let quality = |encoding: &Encoding| quality_of(headers, ACCEPT_ENCODING, &[encoding.name, "*"]);
    let mut accepted: Vec<_> = ENCODINGS.iter().map(|encoding| (quality(encoding), *encoding)).collect();
    accepted.retain(|(quality, _)| *quality > 0);
    accepted.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
    accepted.into_iter().map(|(_, encoding)| encoding).collect()
}

/// Tells whether the client names pages among what it takes, as a browser does that goes to an address.
pub(super) fn accepts_pages(headers: &HeaderMap) -> bool {
    quality_of(headers, ACCEPT, &["text/html"]) > 0
}

/// Answers in thousandths how much the client likes something: by the first of the names that it gives, 0 if none.
fn quality_of(headers: &HeaderMap, header: impl AsHeaderName, names: &[&str]) -> u32 {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    let items: Vec<_> = values.flat_map(|value| value.split(',')).map(item).collect();
    let find = |name: &&str| items.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
    names.iter().find_map(find).map_or(0, |(_, quality)| *quality)
}

/// Takes `name;q=0.5` apart.
fn item(item: &str) -> (&str, u32) {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, quality.map_or(1000, thousandths))
}

/// What cannot be read counts as not wanted.
fn thousandths(quality: &str) -> u32 {
    let quality: f32 = quality.parse().unwrap_or(0.0);
    (quality.clamp(0.0, 1.0) * 1000.0) as u32
}
