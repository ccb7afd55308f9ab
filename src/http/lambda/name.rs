//! Which function and version a client names.

use crate::http::lambda::fault::Fault;
use crate::registry::check_name;

/// Longest qualifier.
const MAX_QUALIFIER: usize = 128;
/// How many digits an account has.
const ACCOUNT: usize = 12;

/// Returns the target that a function's name and the qualifier beside it stand for: `name` or `name:qualifier`.
///
/// The name may be `NAME`, `ACCOUNT:function:NAME` or `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME`, each with
/// `:QUALIFIER` behind it. There is one place only, so partition, region and account may be any.
pub(super) fn target(text: &str, beside: Option<&str>) -> Result<String, Fault> {
    let (name, within) = split(text)?;
    check_name(name).map_err(|error| Fault::invalid_parameter(error.to_string()))?;
    match one_of(within, beside)? {
        None => Ok(name.into()),
        Some(qualifier) => qualified(name, qualifier),
    }
}

/// Takes off what stands before the name, and the qualifier behind it.
fn split(text: &str) -> Result<(&str, Option<&str>), Fault> {
    let parts: Vec<&str> = text.splitn(9, ':').collect();
    match parts[..] {
        ["arn", partition, "lambda", region, account, "function", ref rest @ ..]
            if partition.starts_with("aws") && !region.is_empty() && is_account(account) =>
        {
            name_of(rest)
        }
        [account, "function", ref rest @ ..] if is_account(account) && !rest.is_empty() => name_of(rest),
        ref rest => name_of(rest),
    }
    .ok_or_else(|| {
        Fault::invalid_parameter(format!(
            "{text:?} is not the name of a function; write NAME, NAME:QUALIFIER, ACCOUNT:function:NAME or \
             arn:aws:lambda:REGION:ACCOUNT:function:NAME"
        ))
    })
}

fn name_of<'a>(parts: &[&'a str]) -> Option<(&'a str, Option<&'a str>)> {
    match *parts {
        [name] => Some((name, None)),
        [name, qualifier] => Some((name, Some(qualifier))),
        _ => None,
    }
}

fn is_account(text: &str) -> bool {
    text.len() == ACCOUNT && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the one qualifier that was given, in the name, beside it, or the same in both places.
fn one_of<'a>(within: Option<&'a str>, beside: Option<&'a str>) -> Result<Option<&'a str>, Fault> {
    match (within, beside) {
        (Some(within), Some(beside)) if within != beside => Err(Fault::invalid_parameter(format!(
            "The derived qualifier from the function name does not match the specified qualifier: {within:?} in the \
             name, {beside:?} beside it; give one"
        ))),
        (within, beside) => Ok(within.or(beside)),
    }
}

fn qualified(name: &str, qualifier: &str) -> Result<String, Fault> {
    // There is no version that is not published: the newest one it is.
    if matches!(qualifier, "$LATEST" | "$LATEST.PUBLISHED") {
        return Ok(name.into());
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !(1..=MAX_QUALIFIER).contains(&qualifier.len()) || !qualifier.bytes().all(allowed) {
        return Err(Fault::invalid_parameter(format!(
            "{qualifier:?} is not a qualifier; give $LATEST, or a version or an alias of 1 to {MAX_QUALIFIER} \
             letters, digits, hyphens and underscores"
        )));
    }
    Ok(format!("{name}:{qualifier}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns_lead_to_targets() {
        for (text, expected) in [
            ("resize", "resize"),
            ("resize:7", "resize:7"),
            ("resize:live", "resize:live"),
            ("resize:$LATEST", "resize"),
            ("resize:$LATEST.PUBLISHED", "resize"),
            ("123456789012:function:resize", "resize"),
            ("123456789012:function:resize:7", "resize:7"),
            ("arn:aws:lambda:us-east-1:123456789012:function:resize", "resize"),
            ("arn:aws-cn:lambda:cn-north-1:123456789012:function:resize:live", "resize:live"),
            ("arn:aws:lambda:us-east-1:123456789012:function:resize:$LATEST", "resize"),
            ("function:7", "function:7"),
            ("arn:7", "arn:7"),
        ] {
            assert_eq!(target(text, None).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_qualifier_stands_in_one_place_or_is_the_same_in_both() {
        assert_eq!(target("resize", Some("7")).unwrap(), "resize:7");
        assert_eq!(target("resize:7", Some("7")).unwrap(), "resize:7");
        assert_eq!(target("resize", Some("$LATEST")).unwrap(), "resize");
        assert!(target("resize:7", Some("8")).is_err());
        assert!(target("resize:$LATEST", Some("8")).is_err());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for wrong in [
            "",
            ":7",
            "resize:",
            "resize:7:8",
            "re size",
            "resize:a b",
            "../resize",
            "arn:aws:lambda:us-east-1:123456789012:function",
            "arn:aws:lambda:us-east-1:123456789012:function:",
            "arn:aws:lambda:us-east-1:123456789012:function:resize:7:8",
            "arn:aws:lambda:us-east-1:1234:function:resize",
            "arn:aws:lambda::123456789012:function:resize",
            "arn:aws:s3:us-east-1:123456789012:function:resize",
            "arn:other:lambda:us-east-1:123456789012:function:resize",
            "1234:function:resize",
            "123456789012:function:resize:7:8",
        ] {
            assert!(target(wrong, None).is_err(), "{wrong:?}");
        }
        assert!(target("resize", Some("")).is_err());
        assert!(target("resize", Some(&"x".repeat(129))).is_err());
        assert!(target(&"x".repeat(65), None).is_err());
    }
}
