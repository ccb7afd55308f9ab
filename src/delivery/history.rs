//! What is noted of an event's attempts.

use std::time::SystemTime;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::delivery::retry::Death;
use crate::error::Error;
use crate::report::Report;
use crate::wall::Moment;

/// How many attempts are noted: the first ones and the last ones, half each.
const MOST_ATTEMPTS: usize = 16;
/// How much is kept of an error's text.
const MOST_MESSAGE: usize = 1024;

/// One attempt that was no success.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// Which attempt it was, from 1; one that did not come as far as to the handler has the number of the next.
    pub number: u32,
    /// When it ended.
    pub at: SystemTime,
    /// The name of the error's kind, such as `trapped`, or `http-status`.
    pub kind: String,
    /// What the error said, at most 1 KB.
    pub message: String,
    /// The tail of what the guest logged, at most 4 KiB.
    pub log_tail: String,
    /// The BLAKE3 hash of the code that ran; none for native handlers, or if none ran.
    pub code: Option<String>,
}

/// All that is noted of an event.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct History {
    attempts: Vec<Noted>,
    /// Attempts since the last one that counted, which did not.
    pub(crate) refusals: u32,
    pub(crate) death: Option<Death>,
}

#[derive(Serialize, Deserialize)]
struct Noted {
    number: u32,
    at: u64,
    kind: String,
    message: String,
    log_tail: String,
    code: Option<String>,
}

impl History {
    pub(crate) fn decode(notes: &Bytes) -> Self {
        // What another version noted is worth less than the event.
        postcard::from_bytes(notes).unwrap_or_default()
    }

    pub(crate) fn encode(&self) -> Bytes {
        postcard::to_stdvec(self).expect("text and numbers can be written").into()
    }

    pub(crate) fn note_error(&mut self, number: u32, at: Moment, error: &Error) {
        let report = error.report();
        self.note(number, at, (error.kind().name(), error.to_string()), report);
    }

    pub(crate) fn note(
        &mut self,
        number: u32,
        at: Moment,
        (kind, mut message): (&str, String),
        report: Option<&Report>,
    ) {
        message.truncate(message.floor_char_boundary(MOST_MESSAGE));
        let noted = Noted {
            number,
            at: at.0,
            kind: kind.into(),
            message,
            log_tail: report.map_or_else(String::new, |report| report.log_tail.clone()),
            code: report.and_then(|report| report.code_hash()).map(Into::into),
        };
        if self.attempts.len() == MOST_ATTEMPTS {
            self.attempts.remove(MOST_ATTEMPTS / 2);
        }
        self.attempts.push(noted);
    }

    /// Returns how often it was tried, as far as that counts.
    pub(crate) fn count(&self) -> u32 {
        // One that did not count has the number of the next.
        self.attempts.last().map_or(0, |last| last.number.saturating_sub((self.refusals > 0).into()))
    }

    pub(crate) fn last_message(&self) -> Option<(&str, &str)> {
        self.attempts.last().map(|last| (last.kind.as_str(), last.message.as_str()))
    }

    pub(crate) fn into_attempts(self) -> Vec<Attempt> {
        let attempts = self.attempts.into_iter().map(|noted| Attempt {
            number: noted.number,
            at: Moment(noted.at).time(),
            kind: noted.kind,
            message: noted.message,
            log_tail: noted.log_tail,
            code: noted.code,
        });
        attempts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn the_first_and_the_last_attempts_are_kept() {
        let mut history = History { refusals: 3, ..History::default() };
        for number in 1..=100 {
            let error = ErrorKind::Engine { reason: "ä".repeat(2_000) }.into();
            history.note_error(number, Moment(u64::from(number)), &error);
        }
        history.death = Some(Death::RetriesExhausted);
        let read = History::decode(&history.encode());
        assert_eq!((read.refusals, read.death), (3, Some(Death::RetriesExhausted)));
        let attempts = read.into_attempts();
        assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>()[6..10], [7, 8, 93, 94]);
        assert!(
            attempts.iter().all(|attempt| attempt.message.len() <= MOST_MESSAGE && attempt.kind == "engine")
        );
    }

    #[test]
    fn what_cannot_be_read_is_an_empty_history() {
        assert!(History::decode(&Bytes::from_static(b"\xff\xff\xff\xff")).into_attempts().is_empty());
    }
}
