//! The rules that allow what one URL names, and nothing else.

use http::Uri;

use super::address::{Special, special};
use super::host::Host;
use super::origin::Origin;
use super::refusal::Refusal;
use super::rules::Rules;

impl Rules {
    /// Makes the rules for one URL: its host at public addresses, or at private ones too.
    ///
    /// An address that hands out credentials is never allowed.
    ///
    /// # Errors
    ///
    /// `InvalidUrl`, and `DeniedAddress` if the URL names an address that is not allowed.
    pub(crate) fn only(url: &Uri, private: bool) -> Result<Self, Refusal> {
        let origin = Origin::of(url)?;
        let mut rules = Self::default();
        let added = match &origin.host {
            Host::Address(address) => {
                // A rule that names an address allows it, so it must not come that far.
                match special(*address).filter(|special| !private || *special == Special::Metadata) {
                    Some(special) => return Err(denied(&origin, *address, special)),
                    None => rules.allow(&origin.to_string()),
                }
            }
            Host::Name(_) if private => rules.allow_private(&origin.to_string()),
            Host::Name(_) => rules.allow(&origin.to_string()),
        };
        added.map_err(|invalid| Refusal::InvalidUrl { reason: invalid.to_string() })?;
        Ok(rules)
    }
}

fn denied(origin: &Origin, address: std::net::IpAddr, special: Special) -> Refusal {
    let fix = "name a public host".into();
    Refusal::DeniedAddress { origin: origin.to_string(), address, special, fix }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(url: &str, private: bool) -> Result<Rules, Refusal> {
        Rules::only(&url.parse().unwrap(), private)
    }

    fn judge(rules: &Rules, url: &str, address: &str) -> bool {
        let origin = Origin::of(&url.parse().unwrap()).unwrap();
        let address = address.parse().unwrap();
        rules.judge(&origin).is_ok_and(|grant| rules.judge_address(&origin, grant, address).is_ok())
    }

    #[test]
    fn a_name_is_allowed_at_public_addresses_and_nothing_else_is() {
        let url = "https://example.com/hook";
        let rules = only(url, false).unwrap();
        assert!(judge(&rules, url, "93.184.215.14:443"));
        assert!(!judge(&rules, url, "127.0.0.1:443") && !judge(&rules, url, "[::1]:443"));
        for other in ["https://example.org", "https://www.example.com", "http://example.com"] {
            assert!(!judge(&rules, other, "93.184.215.14:443"), "{other}");
        }
    }

    #[test]
    fn private_addresses_are_allowed_when_asked_but_metadata_never() {
        let url = "http://hooks.internal:8080/a";
        let rules = only(url, true).unwrap();
        assert!(judge(&rules, url, "10.0.0.7:8080") && judge(&rules, url, "127.0.0.1:8080"));
        assert!(!judge(&rules, url, "169.254.169.254:8080"));
        assert!(only("http://169.254.169.254/latest", true).is_err());
        assert!(only("http://[fd00:ec2::254]/latest", true).is_err());
    }

    #[test]
    fn an_address_in_the_url_is_judged_at_once_however_it_is_written() {
        for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:10.0.0.1]", "192.168.0.1:8080"] {
            assert!(only(&format!("https://{host}/"), false).is_err(), "{host}");
            assert!(only(&format!("https://{host}/"), true).is_ok(), "{host}");
        }
        assert!(judge(&only("https://1.1.1.1/", false).unwrap(), "https://1.1.1.1/", "1.1.1.1:443"));
        assert!(only("https://user:password@example.com/", true).is_err());
    }
}
