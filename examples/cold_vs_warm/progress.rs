//! What is being measured right now: one line that changes, on a terminal.

use std::io::{IsTerminal, Write, stderr};

use crate::results::Stage;

/// One line on standard error; where that is no terminal, a line for each guest.
#[derive(Debug)]
pub(crate) struct Progress {
    guest: String,
    moves: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { guest: String::new(), moves: stderr().is_terminal() }
    }

    pub(crate) fn guest(&mut self, name: &str, number: usize, count: usize) {
        self.guest = format!("{name} ({number} of {count})");
        if !self.moves {
            eprintln!("measuring {}", self.guest);
        }
    }

    pub(crate) fn stage(&mut self, stage: Stage) {
        self.show(stage.label());
    }

    pub(crate) fn threads(&mut self, stage: Stage, threads: usize) {
        self.show(&format!("events in a second, {}, threads: {threads}", stage.label()));
    }

    /// Makes room for what is printed next.
    pub(crate) fn clear(&mut self) {
        if self.moves {
            self.put("");
        }
    }

    fn show(&mut self, text: &str) {
        if self.moves {
            self.put(&format!("{}: {text}", self.guest));
        }
    }

    fn put(&mut self, text: &str) {
        let mut line = stderr().lock();
        // Progress that cannot be shown is no reason to stop.
        let _ = write!(line, "\r\x1b[K{text}").and_then(|()| line.flush());
    }
}
