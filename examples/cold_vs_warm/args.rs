//! What the command line asks for.

use std::path::PathBuf;
use std::time::Duration;

use crate::Problem;

pub(crate) const HELP: &str = "\
How cold is a cold start, how warm a warm one? Measures one guest, or those of the repository.

    cargo run --release --example cold_vs_warm -- [handler.wasm [event.json]] [options]

    handler.wasm      a guest of any contract; without it, every guest of the repository
    event.json        the event to send, in the JSON format of CloudEvents; without it, a small JSON object

    --seconds N       time for each guest, 10 unless given; compiling a large one may take longer
    --only NAME       of the repository's guests, those whose name contains NAME
    --out FILE        where the report goes, target/cold_vs_warm.html unless given
";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) struct Args {
    pub(crate) guest: Option<PathBuf>,
    pub(crate) event: Option<PathBuf>,
    pub(crate) only: Option<String>,
    pub(crate) out: PathBuf,
    pub(crate) seconds: Duration,
}

/// What this run of the program is to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Task {
    Help,
    Measure(Args),
    /// Serve one event and leave: what the program runs itself with.
    FirstEvent(Vec<String>),
}

/// The word with which the program calls itself.
pub(crate) const FIRST_EVENT: &str = "--first-event";

impl Task {
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, Problem> {
        let mut words = words.into_iter().peekable();
        if words.next_if(|word| word == FIRST_EVENT).is_some() {
            return Ok(Self::FirstEvent(words.collect()));
        }
        let mut args = Args {
            guest: None,
            event: None,
            only: None,
            out: PathBuf::from("target/cold_vs_warm.html"),
            seconds: Duration::from_secs(10),
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value; see --help"));
            match word.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--seconds" => args.seconds = seconds(&value()?)?,
                "--only" => args.only = Some(value()?),
                "--out" => args.out = value()?.into(),
                option if option.starts_with('-') => {
                    return Err(format!("there is no option {option}; see --help").into());
                }
                _ if args.guest.is_none() => args.guest = Some(word.into()),
                _ if args.event.is_none() => args.event = Some(word.into()),
                _ => return Err(format!("{word} is one file too many; see --help").into()),
            }
        }
        Ok(Self::Measure(args))
    }
}

fn seconds(text: &str) -> Result<Duration, Problem> {
    let wrong = || format!("--seconds {text} is no number from 0.1 to 3600");
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    if !(0.1..=3600.0).contains(&seconds) {
        return Err(wrong().into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Task, String> {
        Task::parse(words.iter().map(ToString::to_string)).map_err(|problem| problem.to_string())
    }

    #[test]
    fn files_and_options_come_in_any_order() {
        let words = ["--seconds", "2.5", "a.wasm", "--out", "r.html", "e.json", "--only", "x"];
        let Ok(Task::Measure(args)) = parse(&words) else { panic!("it is well formed") };
        assert_eq!((args.guest, args.event), (Some("a.wasm".into()), Some("e.json".into())));
        assert_eq!((args.out, args.only), ("r.html".into(), Some("x".into())));
        assert_eq!(args.seconds, Duration::from_millis(2_500));
    }

    #[test]
    fn what_makes_no_sense_is_said_in_a_sentence() {
        assert_eq!(parse(&["--seconds"]).unwrap_err(), "--seconds needs a value; see --help");
        assert!(parse(&["--seconds", "-1"]).unwrap_err().contains("0.1 to 3600"));
        assert!(parse(&["--fast"]).unwrap_err().contains("no option --fast"));
        assert!(parse(&["a", "b", "c"]).unwrap_err().starts_with("c is one file too many"));
    }

    #[test]
    fn help_wins_and_the_hidden_word_takes_the_rest() {
        assert_eq!(parse(&["a.wasm", "--help"]), Ok(Task::Help));
        assert_eq!(
            parse(&[FIRST_EVENT, "x", "--help"]),
            Ok(Task::FirstEvent(vec!["x".into(), "--help".into()]))
        );
    }
}
