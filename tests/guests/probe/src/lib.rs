//! What init may leave behind, and what an event finds of it.
//!
//! The variable `INIT_MODE` says what init does; its default is `plain`.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, Read, Seek};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

const INPUT: &str = "/data/input.txt";

/// Why there is no answer: a kind and a message.
pub type Failure = (&'static str, String);

/// What lives as long as the guest, or as its snapshot.
struct State {
    served: u64,
    kept: Kept,
    began: Option<Instant>,
    file: Option<File>,
}

/// What init kept, as an answer shows it.
#[derive(Clone, Serialize)]
struct Kept {
    mode: String,
    text: Option<String>,
    random: Option<u64>,
    env: Option<String>,
    secret: Option<String>,
    unix_ms: Option<u128>,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    kept: Kept,
    /// Time since the instant that init kept.
    elapsed_ms: Option<u128>,
    /// What can be read from the file that is open, or why nothing.
    file: Option<String>,
    /// From the hash keys of the standard library, which draws them once for a thread.
    fresh_random: u64,
    /// From the host.
    fresh_host_random: u64,
    fresh_env: Option<String>,
    fresh_unix_ms: Option<u128>,
    served: u64,
}

static STATE: Mutex<State> = Mutex::new(State {
    served: 0,
    kept: Kept { mode: String::new(), text: None, random: None, env: None, secret: None, unix_ms: None },
    began: None,
    file: None,
});

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does what `INIT_MODE` says.
///
/// # Errors
///
/// An unknown mode, and a file that cannot be read.
pub fn init() -> Result<(), String> {
    let mut state = state();
    let mode = variable("INIT_MODE").unwrap_or_else(|| "plain".into());
    match mode.as_str() {
        "plain" => {}
        "log" => {
            println!("init to standard output");
            eprintln!("init to standard error");
        }
        "file" => state.file = Some(File::open(INPUT).map_err(|error| error.to_string())?),
        "file-closed" => {
            state.kept.text = Some(std::fs::read_to_string(INPUT).map_err(|error| error.to_string())?)
        }
        "clock" => {
            state.began = Some(Instant::now());
            state.kept.unix_ms = unix_ms();
        }
        "random" => state.kept.random = Some(random()),
        "env" => state.kept.env = variable("VAR"),
        "secret" => state.kept.secret = variable("SECRET"),
        unknown => return Err(format!("no such INIT_MODE: {unknown}")),
    }
    state.kept.mode = mode;
    Ok(())
}

/// Answers everything that init kept, and what is fresh, as JSON. The body `print` prints a line before, the body
/// `open` opens the file and keeps it open.
///
/// # Errors
///
/// A file that cannot be opened, and a host without randomness.
pub fn handle(body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut state = state();
    state.served += 1;
    match body {
        b"print" => println!("event {} to standard output", state.served),
        b"open" => state.file = Some(File::open(INPUT).map_err(|error| ("io", error.to_string()))?),
        _ => {}
    }
    let answer = Answer {
        elapsed_ms: state.began.map(|began| began.elapsed().as_millis()),
        file: state
            .file
            .as_mut()
            .map(|file| read(file).unwrap_or_else(|error| format!("unreadable: {error}"))),
        fresh_random: random(),
        fresh_host_random: getrandom::u64().map_err(|error| ("random", error.to_string()))?,
        fresh_env: variable("VAR"),
        fresh_unix_ms: unix_ms(),
        served: state.served,
        kept: state.kept.clone(),
    };
    serde_json::to_vec(&answer).map_err(|error| ("json", error.to_string()))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn random() -> u64 {
    RandomState::new().hash_one(0)
}

fn unix_ms() -> Option<u128> {
    Some(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis())
}

fn read(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}
