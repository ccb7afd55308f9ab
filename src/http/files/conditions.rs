//! Conditional requests: RFC 9110, section 13.

use std::time::SystemTime;

use http::header::{
    AsHeaderName, HeaderMap, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
};

use super::tag::State;

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Answer as if there were none.
    Go,
    /// The client has it already: 304.
    NotModified,
    /// It is not what the client thinks: 412.
    Failed,
}

/// Judges the conditions in the order that the RFC gives.
pub(super) fn judge(headers: &HeaderMap, state: &State) -> Verdict {
    if headers.contains_key(IF_MATCH) {
        if !any_tag(headers, IF_MATCH, |tag| state.matches_strongly(tag)) {
            return Verdict::Failed;
        }
    } else if date(headers, IF_UNMODIFIED_SINCE).is_some_and(|date| state.modified() > date) {
        return Verdict::Failed;
    }
    let is_known = if headers.contains_key(IF_NONE_MATCH) {
        any_tag(headers, IF_NONE_MATCH, |tag| state.matches_weakly(tag))
    } else {
        date(headers, IF_MODIFIED_SINCE).is_some_and(|date| state.modified() <= date)
    };
    if is_known { Verdict::NotModified } else { Verdict::Go }
}

/// Tells whether a range may be answered: the client has the rest of this very state.
pub(super) fn allow_range(headers: &HeaderMap, state: &State) -> bool {
    let Some(condition) = headers.get(IF_RANGE) else { return true };
    let Ok(condition) = condition.to_str() else { return false };
    let condition = condition.trim();
    if condition.ends_with('"') {
        return state.matches_strongly(condition);
    }
    httpdate::parse_http_date(condition).is_ok_and(|date| state.is_of(date))
}

/// A date that is given once and can be read; any other is ignored.
fn date(headers: &HeaderMap, name: impl AsHeaderName) -> Option<SystemTime> {
    let mut values = headers.get_all(name).iter();
    let date = httpdate::parse_http_date(values.next()?.to_str().ok()?.trim()).ok()?;
    values.next().is_none().then_some(date)
}

fn any_tag(headers: &HeaderMap, name: impl AsHeaderName, is_wanted: impl Fn(&str) -> bool) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.into_iter().any(|list| list.trim() == "*" || tags(list).any(&is_wanted))
}

/// Takes a list of tags apart; a tag may hold a comma. What is no list ends there.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let open = if rest.starts_with("W/") { 2 } else { 0 };
        let quoted = rest.get(open..)?.strip_prefix('"')?;
        let len = open + 1 + quoted.find('"')? + 1;
        let (tag, behind) = rest.split_at(len);
        rest = behind;
        Some(tag)
    })
}
