//! What the command line asks for.

use std::time::Duration;

use crate::Problem;

pub(crate) const HELP: &str = "\
A small shop: a page and the functions behind it, served by the gateway.

    cargo run --release --example gateway -- [options]

    --port N       where it listens on this machine, 8080 unless given; 0 takes any that is free
    --for SECONDS  closes after that time; without it, at the end of the input
    --check        takes any port, is its own client, prints what it saw, and closes
";

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Args {
    pub(crate) port: u16,
    pub(crate) until: Until,
}

/// When the shop closes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Until {
    EndOfInput,
    Past(Duration),
    Checked,
}

impl Args {
    /// Reads the words of a command line; none when it asks for help.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Option<Self>, Problem> {
        let mut words = words.into_iter();
        let mut args = Self { port: 8080, until: Until::EndOfInput };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value; see --help"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--port" => args.port = number(&word, &value()?)?,
                "--for" => args.until = Until::Past(Duration::from_secs(number(&word, &value()?)?)),
                "--check" => args = Self { port: 0, until: Until::Checked },
                _ => return Err(format!("there is no option {word}; see --help").into()),
            }
        }
        Ok(Some(args))
    }
}

fn number<N: std::str::FromStr>(option: &str, text: &str) -> Result<N, Problem> {
    text.parse().map_err(|_| format!("{option} {text} is no number that fits; see --help").into())
}
