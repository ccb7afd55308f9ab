//! A process that serves one event and leaves: what a cold start is where each event starts a program.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Problem;
use crate::args::FIRST_EVENT;
use crate::cases::Case;
use crate::lab::{Subject, Way};

/// What the first event in a new process took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstEvent {
    /// From starting the process to having read its answer.
    pub(crate) total: Duration,
    pub(crate) runtime: Duration,
    pub(crate) deploy: Duration,
    pub(crate) event: Duration,
}

/// Runs this program once more, and waits for its answer.
pub(crate) fn start(case: &Case, event: &Path, way: Way, cache: &Path) -> Result<FirstEvent, Problem> {
    let program = std::env::current_exe()
        .map_err(|error| format!("this program cannot find itself to start it again: {error}"))?;
    let mut command = Command::new(program);
    command.arg(FIRST_EVENT).args([word(way), &case.name]).arg(&case.path).args([event, cache]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("no new process can be started: {error}"))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    let total = started.elapsed();
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_string().into());
    }
    parse(&line, total).ok_or_else(|| format!("a new process answered {line:?} in place of its times").into())
}

/// Serves one event and prints what that took: the whole life of such a process.
pub(crate) fn serve(words: &[String]) -> Result<(), Problem> {
    let [way, name, guest, event, cache] = words else {
        return Err(format!("{FIRST_EVENT} is for this program itself; see --help").into());
    };
    let way = if way == word(Way::Warm) { Way::Warm } else { Way::Plain };
    let mut case = Case::of_file(Path::new(guest), Some(Path::new(event)))?;
    case.name.clone_from(name);
    let subject = Subject::deploy(&case, way, &PathBuf::from(cache))?;
    let started = Instant::now();
    subject.handler.invoke_blocking(case.event)?;
    let event = started.elapsed().as_nanos();
    let (runtime, deploy) = (subject.runtime_took.as_nanos(), subject.deploy_took.as_nanos());
    println!("{runtime} {deploy} {event}");
    Ok(())
}

fn word(way: Way) -> &'static str {
    if way == Way::Warm { "warm" } else { "plain" }
}

fn parse(line: &str, total: Duration) -> Option<FirstEvent> {
    let numbers: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let [runtime, deploy, event] = numbers[..] else { return None };
    Some(FirstEvent {
        total,
        runtime: Duration::from_nanos(runtime),
        deploy: Duration::from_nanos(deploy),
        event: Duration::from_nanos(event),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_three_numbers_and_nothing_less() {
        let first = parse("10 20 30\n", Duration::from_nanos(99)).unwrap();
        assert_eq!((first.runtime.as_nanos(), first.deploy.as_nanos(), first.event.as_nanos()), (10, 20, 30));
        assert_eq!(first.total.as_nanos(), 99);
        assert!(parse("10 20 thirty", Duration::ZERO).is_none());
        assert!(parse("", Duration::ZERO).is_none());
    }
}
