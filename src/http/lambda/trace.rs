//! The trace header of AWS, as W3C writes it.

/// Returns the W3C trace parent that `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=<0 or 1>` stands for.
///
/// A header without a parent gets the given span as one; none for what is no trace header.
pub(super) fn traceparent(header: &str, span: u64) -> Option<String> {
    let field = |wanted: &str| {
        let mut fields = header.split(';').filter_map(|field| field.trim().split_once('='));
        fields.find_map(|(name, value)| (name == wanted).then_some(value))
    };
    let (time, random) = field("Root")?.strip_prefix("1-")?.split_once('-')?;
    let own = format!("{span:016x}");
    let parent = field("Parent").filter(|parent| is_hex(parent, 16)).unwrap_or(&own);
    let flags = if field("Sampled") == Some("1") { "01" } else { "00" };
    let is_trace = is_hex(time, 8) && is_hex(random, 24);
    is_trace.then(|| format!("00-{time}{random}-{parent}-{flags}").to_ascii_lowercase())
}

/// Tells whether the text is so many hexadecimal digits, and not only zeros.
fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| b.is_ascii_hexdigit()) && text.bytes().any(|b| b != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793";

    #[test]
    fn a_trace_header_becomes_a_trace_parent() {
        let trace = "00-5759e988bd862e3fe1be46a994272793";
        for (more, expected) in [
            (";Parent=53995c3f42cd8ad8;Sampled=1", "53995c3f42cd8ad8-01"),
            (";Sampled=0;Parent=53995C3F42CD8AD8;Lineage=a87bd80c:1", "53995c3f42cd8ad8-00"),
            ("; Parent=0000000000000000; Sampled=?", "00000000000000ff-00"),
            ("", "00000000000000ff-00"),
        ] {
            assert_eq!(traceparent(&format!("{ROOT}{more}"), 255), Some(format!("{trace}-{expected}")));
        }
    }

    #[test]
    fn what_is_no_trace_header_is_left_alone() {
        for wrong in [
            "",
            "Root=",
            "Parent=53995c3f42cd8ad8",
            "Root=1-5759e988-bd862e3fe1be46a99427279",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-00000000-bd862e3fe1be46a994272793-x",
            "Root=1-5759e98g-bd862e3fe1be46a994272793",
        ] {
            assert_eq!(traceparent(wrong, 255), None, "{wrong}");
        }
    }
}
