//! Where programs come from: those that are there already, the cache folder, the compiler.
//!
//! It promises that the same code is compiled once, however many functions are deployed with it at a time; that
//! what the cache folder holds is used only when it verifies; and that a folder which takes or gives nothing
//! makes deploying slower, never wrong.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::admission::{Amount, Gate, Ticket};
use crate::block_on::block_on;
use crate::cache::{Cache, Entry, Key, pack, unpack};
use crate::error::ErrorKind;
use crate::wasm::artifact::{Artifact, Loaded, Shape};
use crate::wasm::contract::Code;
use crate::wasm::engine::{Engines, Kind};
use crate::wasm::findings::Findings;
use crate::wasm::mappings::Mappings;
use crate::wasm::program::{Mapped, Program, Stock};
use crate::wasm::survey::{Survey, to_binary};

/// Compilations at a time: one would let a large one hold up all others, more would take the machine.
const COMPILERS: u32 = 2;

/// Where a function's compiled code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// It was compiled by this deployment.
    Compiled,
    /// It was there: in the cache folder, or with another function of the same code.
    Loaded,
    /// The host brought it; see [`Function::precompiled`](crate::Function::precompiled).
    Precompiled,
    /// A handler in Rust; there is nothing to compile.
    Native,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compiled => "compiled",
            Self::Loaded => "loaded",
            Self::Precompiled => "precompiled",
            Self::Native => "native",
        })
    }
}

/// Where programs come from.
pub(crate) struct Vault {
    pub(crate) engines: Arc<Engines>,
    pub(crate) mappings: Arc<Mappings>,
    cache: Option<Arc<Cache>>,
    known: Mutex<HashMap<Key, Weak<Program>>>,
    /// Held by whoever makes a program, so that nobody else makes the same.
    turns: Mutex<HashMap<Key, Weak<Mutex<()>>>>,
    compilers: Gate,
}

/// What one piece of code is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    pub(crate) hash: blake3::Hash,
    code: Key,
    source: Key,
}

/// A program and how it was come by.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) program: Arc<Program>,
    /// The hash of the code that was deployed.
    pub(crate) hash: blake3::Hash,
    /// It is a snapshot of that code, whose init has run.
    pub(crate) is_initialized: bool,
    pub(crate) origin: Origin,
    /// It is mapped already, as nothing could be known of it otherwise.
    pub(crate) mapped: Option<(Arc<Mapped>, usize)>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// What stands beside compiled code.
#[derive(Serialize, Deserialize)]
struct Note {
    source: String,
    findings: Findings,
}

impl Found {
    fn new(
        program: Arc<Program>,
        hash: blake3::Hash,
        origin: Origin,
        mapped: Option<(Arc<Mapped>, usize)>,
    ) -> Self {
        Self { program, hash, is_initialized: false, origin, mapped, took: Duration::ZERO }
    }

    /// Says that this is the snapshot of other code, whose init has run.
    pub(crate) fn stand_for(self, original: blake3::Hash) -> Self {
        Self { hash: original, is_initialized: true, ..self }
    }
}

impl Names {
    fn of(engines: &Engines, hash: blake3::Hash) -> Result<Self, ErrorKind> {
        let code = Key::of("fnhost 2026 compiled code", &[&engines.fingerprint()?, hash.as_bytes()]);
        Ok(Self { hash, code, source: Key::of("fnhost 2026 source", &[hash.as_bytes()]) })
    }
}

impl Vault {
    pub(crate) fn new(engines: Arc<Engines>, mappings: Arc<Mappings>, cache: Option<Arc<Cache>>) -> Self {
        let (known, turns) = (Mutex::default(), Mutex::default());
        let compilers = Gate::new(Amount::new(COMPILERS, 0), usize::MAX);
        Self { engines, mappings, cache, known, turns, compilers }
    }

    /// Finds or makes the program of some code, binary or text; long work, for a thread of its own.
    pub(crate) fn open(&self, function: &str, code: &[u8], lane: usize) -> Result<Found, ErrorKind> {
        let binary = to_binary(function, code)?;
        let names = Names::of(&self.engines, blake3::hash(&binary))?;
        let turn = self.turn(&names.code);
        let _mine = turn.lock();
        if let Some(found) = self.ready(&names, Some(&binary)) {
            return Ok(found);
        }
        self.compile(function, &binary, names, lane)
    }

    /// Checks that the code exports what a function names as its init; maps it for that.
    pub(crate) fn check_init(
        &self,
        function: &str,
        program: &Program,
        export: &str,
        lane: usize,
    ) -> Result<(), ErrorKind> {
        let checked = program.map(self, function, lane)?.code.check_init(export);
        checked.map_err(|reason| ErrorKind::InvalidConfiguration { reason })
    }

    /// Compiles code that nobody will ask for again.
    pub(crate) fn open_once(&self, function: &str, binary: &[u8], lane: usize) -> Result<Found, ErrorKind> {
        let hash = blake3::hash(binary);
        let names = Names::of(&self.engines, hash)?;
        let (compiled, findings, mapped) = self.make(function, binary, lane)?;
        let stock = Stock::Kept(Artifact::of_bytes(compiled));
        let program = Arc::new(Program::new(findings, names, stock, self.engines.shards()));
        let mapped = Arc::new(mapped);
        program.adopt(&mapped, lane);
        Ok(Found::new(program, hash, Origin::Compiled, Some((mapped, lane))))
    }

    /// Finds code by its hash alone, in the cache folder.
    pub(crate) fn reopen(&self, function: &str, hash: blake3::Hash, lane: usize) -> Option<Found> {
        let names = Names::of(&self.engines, hash).ok()?;
        if let Some(found) = self.ready(&names, None) {
            return Some(found);
        }
        let source = self.find(&names.source)?.body().ok()?;
        self.open(function, &source, lane).ok()
    }

    /// Returns what was remembered under this key.
    pub(crate) fn recall(&self, key: &Key) -> Option<Vec<u8>> {
        Some(self.find(key)?.note().to_vec())
    }

    /// Remembers something small.
    pub(crate) fn remember(&self, key: &Key, note: &[u8]) {
        if let Some(cache) = &self.cache {
            // It is found out again if it is not kept.
            let _ = cache.keep(key, b"", note);
        }
    }

    /// Takes what [`precompile`](Self::precompile) answered.
    pub(crate) fn unpack(&self, function: &str, bytes: &[u8]) -> Result<Found, ErrorKind> {
        let refused = |reason: &str| ErrorKind::InvalidConfiguration {
            reason: format!(
                "precompiled code of {function:?} cannot be used: {reason}; precompile it again with this fnhost and \
                 the options of this runtime"
            ),
        };
        let note = |note: &[u8]| {
            let (hash, findings) = read_note(note)?;
            Some((Names::of(&self.engines, hash).ok()?, findings))
        };
        let unpacked = unpack(bytes, |text| note(text).map(|(names, _)| names.code));
        let (body, text) = unpacked.map_err(refused)?;
        let (names, findings) = note(text).ok_or_else(|| refused("its note cannot be read"))?;
        let stock = Stock::Kept(Artifact::of_bytes(body.to_vec()));
        // Not among the known ones: what the host vouches for in one place is for that place alone.
        let program = Arc::new(Program::new(findings, names, stock, self.engines.shards()));
        Ok(Found::new(program, names.hash, Origin::Precompiled, None))
    }

    /// Compiles code into bytes that [`unpack`](Self::unpack) takes.
    pub(crate) fn precompile(&self, code: &Bytes) -> Result<Vec<u8>, ErrorKind> {
        let function = "precompiled";
        let binary = to_binary(function, code)?;
        let names = Names::of(&self.engines, blake3::hash(&binary))?;
        let (compiled, findings, _) = self.make(function, &binary, 0)?;
        Ok(pack(&names.code, compiled, &write_note(&names, &findings)))
    }

    /// Returns the program if it is there, or in the cache folder.
    fn ready(&self, names: &Names, binary: Option<&[u8]>) -> Option<Found> {
        let known = self.known.lock().get(&names.code).and_then(Weak::upgrade);
        let program = match (known, &self.cache) {
            (Some(program), _) if program.is_kept() => program,
            (_, None) => return None,
            (known, Some(cache)) => {
                // Pinned first, looked second: nobody of this process evicts it in between.
                let stock = self.pinned(cache, names);
                let entry = self.find(&names.code)?;
                // Without its source it could not come back if the file were lost; then that would be an error. It
                // counts as used after the code, so that it is not the first of the two to go.
                let _ = binary.map(|binary| cache.keep_once(&names.source, binary));
                let (hash, findings) = read_note(entry.note())?;
                (hash == names.hash).then_some(())?;
                known.unwrap_or_else(|| self.known(findings, *names, stock))
            }
        };
        Some(Found::new(program, names.hash, Origin::Loaded, None))
    }

    /// Finds an entry where not finding it only means more work.
    fn find(&self, key: &Key) -> Option<Entry> {
        self.cache.as_ref()?.find(key).ok().flatten()
    }

    fn compile(&self, function: &str, binary: &[u8], names: Names, lane: usize) -> Result<Found, ErrorKind> {
        let (compiled, findings, mapped) = self.make(function, binary, lane)?;
        let stock = self.keep(&names, (binary, compiled), &findings);
        // What lies in the cache folder is mapped from there, by the first event.
        let mapped = matches!(stock, Stock::Kept(_)).then(|| (Arc::new(mapped), lane));
        let program = self.known(findings, names, stock);
        if let Some((mapped, lane)) = &mapped {
            program.adopt(mapped, *lane);
        }
        Ok(Found::new(program, names.hash, Origin::Compiled, mapped))
    }

    /// Compiles what was lost, from the source that lies beside it; unless somebody else just did.
    pub(crate) fn compile_again(
        &self,
        function: &str,
        names: &Names,
        findings: &Findings,
    ) -> Result<Stock, ErrorKind> {
        let lost = || ErrorKind::Engine {
            reason: format!(
                "the compiled code of {function:?} is gone from the cache folder, and so is its source; deploy it \
                 again, and raise `cache_size` if others use the folder"
            ),
        };
        let cache = self.cache.as_ref().ok_or_else(lost)?;
        let turn = self.turn(&names.code);
        let _mine = turn.lock();
        if self.cached(names)?.is_some() {
            return Ok(self.pinned(cache, names));
        }
        let mut entry = cache.find(&names.source).map_err(unread)?.ok_or_else(lost)?;
        let binary = entry.body().map_err(unread)?;
        tracing::warn!(function, "compiled code is gone from the cache folder; it is compiled again");
        let _permit = self.permit()?;
        let compiled = self.translate(function, findings.kind, findings.shape, &binary)?;
        Ok(self.keep(names, (&binary, compiled), findings))
    }

    /// Opens compiled code in the cache folder, verified whole; none if it is not there any more.
    pub(crate) fn cached(&self, names: &Names) -> Result<Option<Artifact>, ErrorKind> {
        let Some(cache) = &self.cache else { return Ok(None) };
        let entry = cache.find(&names.code).map_err(unread)?;
        entry.map(|entry| Artifact::of_file(entry.file()).map_err(unread)).transpose()
    }

    /// Maps compiled code on a shard, and links it.
    pub(crate) fn load(
        &self,
        function: &str,
        findings: &Findings,
        artifact: &Artifact,
        lane: usize,
    ) -> Result<Mapped, ErrorKind> {
        let shard = self.engines.shard(findings.kind, lane)?;
        let counted = self.mappings.begin();
        let loaded = artifact.load(findings.shape, &shard.engine).map_err(|error| ErrorKind::Engine {
            reason: format!("compiled code cannot be loaded: {error:#}"),
        })?;
        let code = Code::link(function, &loaded, shard)?;
        Ok(Mapped { code, engine: shard.engine.clone(), _counted: counted })
    }

    /// Compiles, loads and links, to find out all that there is to know.
    fn make(
        &self,
        function: &str,
        binary: &[u8],
        lane: usize,
    ) -> Result<(Vec<u8>, Findings, Mapped), ErrorKind> {
        let survey = Survey::of(function, binary)?;
        let (kind, compiled) = {
            let _permit = self.permit()?;
            self.translate_as_needed(function, &survey, binary)?
        };
        let shard = self.engines.shard(kind, lane)?;
        let counted = self.mappings.begin();
        // What was compiled just now fails to load only when it wants more than the engine's pool offers.
        let loaded: Loaded =
            Artifact::of_bytes(compiled.clone()).load(survey.shape, &shard.engine).map_err(|error| {
                ErrorKind::Compile {
                    function: function.into(),
                    message: format!("it needs what this runtime does not offer: {error}"),
                }
            })?;
        let code = Code::link(function, &loaded, shard)?;
        let findings = Findings::of(function, kind, &survey, (&loaded, &code))?;
        Ok((compiled, findings, Mapped { code, engine: shard.engine.clone(), _counted: counted }))
    }

    fn translate_as_needed(
        &self,
        function: &str,
        survey: &Survey,
        binary: &[u8],
    ) -> Result<(Kind, Vec<u8>), ErrorKind> {
        let with =
            |kind| self.translate(function, kind, survey.shape, binary).map(|compiled| (kind, compiled));
        match with(Kind::Plain) {
            // A component that uses the component model's concurrency validates only where that is on. What is
            // wrong with any other code the first attempt has said.
            Err(plain) if survey.shape == Shape::Component => with(Kind::Concurrent).map_err(|_| plain),
            ended => ended,
        }
    }

    fn translate(
        &self,
        function: &str,
        kind: Kind,
        shape: Shape,
        binary: &[u8],
    ) -> Result<Vec<u8>, ErrorKind> {
        Artifact::compile(&self.engines.compiler(kind)?, shape, binary)
            .map_err(|error| ErrorKind::Compile { function: function.into(), message: format!("{error:#}") })
    }

    /// Puts compiled code and its source into the cache folder; without one, or if it takes nothing, code is kept
    /// here.
    fn keep(&self, names: &Names, (binary, compiled): (&[u8], Vec<u8>), findings: &Findings) -> Stock {
        let Some(cache) = &self.cache else { return Stock::Kept(Artifact::of_bytes(compiled)) };
        let stock = self.pinned(cache, names);
        let kept = cache
            .keep(&names.code, &compiled, &write_note(names, findings))
            .and_then(|()| cache.keep_once(&names.source, binary));
        match kept {
            Ok(()) => stock,
            Err(error) => {
                tracing::warn!(%error, "the cache folder takes no file; compiled code is kept in memory");
                Stock::Kept(Artifact::of_bytes(compiled))
            }
        }
    }

    fn pinned(&self, cache: &Arc<Cache>, names: &Names) -> Stock {
        Stock::Cached { _pins: [cache.pin(names.code), cache.pin(names.source)] }
    }

    fn known(&self, findings: Findings, names: Names, stock: Stock) -> Arc<Program> {
        let program = Arc::new(Program::new(findings, names, stock, self.engines.shards()));
        let mut known = self.known.lock();
        // Swept when it has doubled, so that adding stays cheap.
        if known.len() == known.capacity() {
            known.retain(|_, program| program.strong_count() > 0);
        }
        known.insert(names.code, Arc::downgrade(&program));
        program
    }

    fn turn(&self, key: &Key) -> Arc<Mutex<()>> {
        let mut turns = self.turns.lock();
        if let Some(turn) = turns.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        turns.insert(*key, Arc::downgrade(&turn));
        turn
    }

    fn permit(&self) -> Result<Ticket<'_>, ErrorKind> {
        block_on(self.compilers.take(Amount::one())).map_err(|_| ErrorKind::ShuttingDown)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn unread(error: std::io::Error) -> ErrorKind {
    ErrorKind::Engine {
        reason: format!("the cache folder cannot be read: {error}; see to what the system lacks"),
    }
}

fn write_note(names: &Names, findings: &Findings) -> Vec<u8> {
    let note = Note { source: names.hash.to_hex().to_string(), findings: findings.clone() };
    serde_json::to_vec(&note).expect("a note is numbers and names")
}

fn read_note(note: &[u8]) -> Option<(blake3::Hash, Findings)> {
    let note: Note = serde_json::from_slice(note).ok()?;
    Some((blake3::Hash::from_hex(note.source).ok()?, note.findings))
}
