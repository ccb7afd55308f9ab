//! What the cache folder remembers of a snapshot: which code it came to, or why there is none.
//!
//! It is found by all that init and samples saw and that can be told: the code, its settings, variables, arguments and
//! samples. What stands in for the host and what lies in granted folders cannot be told, so functions with
//! either have their snapshot taken anew by each deployment.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime_wasi::HostMonotonicClock;

use crate::cache::Key;
use crate::event::Event;
use crate::wasm::monotonic::Monotonic;
use crate::wasm::snapshot::{Snapshot, Studio};
use crate::wasm::vault::Found;

/// What is remembered.
#[derive(Serialize, Deserialize)]
enum Note {
    /// With the reading of the guests' clock, which must not run backwards for them.
    Taken {
        code: String,
        init: Option<Duration>,
        clock: u64,
    },
    Refused {
        reason: String,
    },
}

/// A snapshot that was taken, or refused, before.
pub(super) enum Remembered {
    Taken { found: Found, init: Option<Duration> },
    Refused { reason: String },
}

/// Where the cache folder keeps what it remembers of some code.
pub(super) struct Memory {
    pub(super) of: blake3::Hash,
    /// None where it must not remember.
    key: Option<Key>,
}

impl Memory {
    pub(super) fn of(studio: &Studio<'_>, code: blake3::Hash) -> Self {
        let is_told = !studio.anew && studio.stand_ins.is_empty() && studio.recipe.dirs.is_empty();
        Self { of: code, key: is_told.then(|| key(studio, code)).flatten() }
    }

    pub(super) fn recall(&self, studio: &Studio<'_>) -> Option<Remembered> {
        match serde_json::from_slice(&studio.vault.recall(self.key.as_ref()?)?).ok()? {
            Note::Refused { reason } => Some(Remembered::Refused { reason }),
            Note::Taken { clock, .. } if clock > Monotonic.now() => None,
            Note::Taken { code, init, .. } => {
                let hash = blake3::Hash::from_hex(code).ok()?;
                let found = studio.vault.reopen(&studio.facts.name, hash, studio.lane)?;
                Some(Remembered::Taken { found: found.stand_for(self.of), init })
            }
        }
    }

    /// Notes what became of the snapshot, which came to this code.
    pub(super) fn note(&self, studio: &Studio<'_>, snapshot: &Snapshot, wasm: &[u8]) {
        let Some(key) = &self.key else { return };
        let note = match snapshot {
            Snapshot::Taken { init, .. } => Note::Taken {
                code: blake3::hash(wasm).to_hex().to_string(),
                init: *init,
                clock: Monotonic.now(),
            },
            Snapshot::Refused { reason } => Note::Refused { reason: reason.clone() },
            Snapshot::None => return,
        };
        studio.vault.remember(key, &serde_json::to_vec(&note).expect("a note is text and numbers"));
    }
}

fn key(studio: &Studio<'_>, code: blake3::Hash) -> Option<Key> {
    let (recipe, facts) = (studio.recipe, &studio.facts);
    let told = serde_json::to_vec(&(
        (&recipe.args, &recipe.env, &recipe.init_export, recipe.event_variables),
        (&facts.name, facts.version, format!("{:?}", recipe.limits)),
        studio.samples.iter().map(told).collect::<Vec<_>>(),
    ));
    let fingerprint = studio.vault.engines.fingerprint().ok()?;
    Some(Key::of("fnhost 2026 snapshot", &[&fingerprint, code.as_bytes(), &told.ok()?]))
}

/// What a sample says; its id and time are new with each process that makes it.
fn told(sample: &Event) -> impl Serialize {
    let extensions: Vec<(String, String)> =
        sample.extensions().map(|(name, value)| (name.into(), value.to_string())).collect();
    (
        (sample.event_type().to_string(), sample.source().to_string(), sample.subject().map(String::from)),
        (sample.content_type().map(String::from), sample.data_schema().map(String::from), extensions),
        blake3::hash(sample.body()).to_hex().to_string(),
    )
}
