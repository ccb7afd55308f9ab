//! The rules that the compiler does not know: who imports whom, what stands where, how long a file may be.

use std::fs;
use std::path::Path;

/// Lines of code in one file.
const MOST_LINES: usize = 400;
/// The one file that may write what the compiler cannot check.
const UNCHECKED: &str = "src/wasm/artifact.rs";
/// Declares what the host has to vouch for, and does nothing unchecked itself.
const VOUCHED: &str = "src/function/precompiled.rs";
/// Derives traits of the engine, which the lint would refuse.
const DERIVED: &str = "src/wasm/contract/function.rs";

/// Says what is wrong with a file.
type Rule = fn(&Source) -> Option<String>;

/// One file of Rust.
struct Source {
    /// From the root of the repository.
    path: String,
    text: String,
    /// The text without comments, and covered where it is quoted.
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into(), code: strip(text) }
    }

    fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// Returns the module of the crate that the file belongs to.
    fn module(&self) -> Option<&str> {
        let module = self.path.strip_prefix("src/")?.split('/').next()?;
        Some(module.strip_suffix(".rs").unwrap_or(module)).filter(|module| *module != "lib")
    }

    /// Returns each word of the code with what stands behind it.
    fn words(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = self.code.as_str();
        std::iter::from_fn(move || {
            rest = &rest[rest.find(is_word)?..];
            let (word, behind) = rest.split_at(word_len(rest));
            rest = behind;
            Some((word, behind))
        })
    }

    fn has_word(&self, wanted: impl Fn(&str) -> bool) -> bool {
        self.words().any(|(word, _)| wanted(word))
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word_len(text: &str) -> usize {
    text.find(|c| !is_word(c)).unwrap_or(text.len())
}

/// Blanks comments and covers what is quoted; every line stays where it is.
fn strip(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (cover, len) = token(rest);
        let (token, behind) = rest.split_at(len);
        code.extend(token.chars().map(|c| if c.is_whitespace() { c } else { cover.unwrap_or(c) }));
        rest = behind;
    }
    code
}

/// Answers how long the first token is, and what covers it.
fn token(text: &str) -> (Option<char>, usize) {
    let first = text.chars().next().map_or(1, char::len_utf8);
    if text.starts_with("//") {
        return (Some(' '), text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return (Some(' '), block_comment_len(text));
    }
    if let Some(len) = quoted_len(text) {
        return (Some('"'), len);
    }
    (None, word_len(text).max(first))
}

fn block_comment_len(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    text.len()
}

/// Answers the length of a string or character literal, if one stands at the beginning.
fn quoted_len(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| text.starts_with(prefix))?;
    let rest = &text[prefix.len()..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let open = prefix.len() + hashes + 1;
    match &rest[hashes..] {
        quoted if quoted.starts_with('"') && prefix.ends_with('r') => {
            let end = format!("\"{}", "#".repeat(hashes));
            Some(text[open..].find(&end).map_or(text.len(), |at| open + at + end.len()))
        }
        quoted if quoted.starts_with('"') && hashes == 0 => Some(open + escaped_len(&text[open..], '"')),
        // Anything else after a single quote is a lifetime.
        quoted if quoted.starts_with("'\\") && hashes == 0 => Some(open + escaped_len(&text[open..], '\'')),
        quoted if hashes == 0 && quoted.starts_with('\'') && quoted.chars().nth(2) == Some('\'') => {
            Some(open + quoted.chars().nth(1)?.len_utf8() + 1)
        }
        _ => None,
    }
}

/// Answers where the text ends behind its closing quote.
fn escaped_len(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

/// Returns the crate's modules in reading order.
fn modules(lib: &Source) -> Vec<String> {
    let lines = lib.code.lines().map(|line| line.strip_prefix("pub ").unwrap_or(line));
    let names = lines.filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    names.map(String::from).collect()
}

fn imports_upwards_only(source: &Source, order: &[String]) -> Option<String> {
    let own = order.iter().position(|module| Some(module.as_str()) == source.module())?;
    for (word, behind) in source.words() {
        let Some(path) = behind.strip_prefix("::") else { continue };
        let named = &path[..word_len(path)];
        match order.iter().position(|module| module == named) {
            Some(at) if word == "crate" && at > own => {
                return Some(format!("{} stands above {named} and imports it", order[own]));
            }
            None if word == "crate" => return Some(format!("crate::{named} is not the true path")),
            Some(_) if word == "super" && is_top(source) => {
                return Some(format!("write crate::{named} in place of super::{named}"));
            }
            _ if word == "super" && named == "super" => return Some("super::super is no true path".into()),
            _ => {}
        }
    }
    None
}

/// Tells whether `super` is the crate's root.
fn is_top(source: &Source) -> bool {
    let inside = source.path.strip_prefix("src/").unwrap_or_default();
    inside.split('/').nth(1).is_none_or(|file| file == "mod.rs")
}

fn leaves_the_engine_to_wasm(source: &Source) -> Option<String> {
    let names_engine = source.has_word(|word| word == "wasmtime" || word.starts_with("wasmtime_"));
    let wrong = source.is_in("src/") && !source.is_in("src/wasm/") && names_engine;
    wrong.then(|| "names the engine, which only src/wasm may".into())
}

fn is_checked_by_the_compiler(source: &Source) -> Option<String> {
    if !source.is_in("src/") || source.path == UNCHECKED {
        return None;
    }
    let declares = |behind: &str| source.path == VOUCHED && behind.starts_with(" fn ");
    if source.words().any(|(word, behind)| word == "unsafe" && !declares(behind)) {
        return Some(format!("has unsafe code, which only {UNCHECKED} may"));
    }
    let lets =
        ![DERIVED, VOUCHED].contains(&source.path.as_str()) && source.has_word(|word| word == "unsafe_code");
    lets.then(|| format!("lets unsafe code pass, which only {UNCHECKED} and {DERIVED} may"))
}

fn says_what_it_is(source: &Source) -> Option<String> {
    let silent = !source.text.starts_with("//! ");
    silent.then(|| "begin the file with //! and one sentence".into())
}

fn is_short(source: &Source) -> Option<String> {
    let lines = source.code.lines().filter(|line| !line.trim().is_empty()).count();
    (lines >= MOST_LINES).then(|| format!("{lines} lines of code; stay under {MOST_LINES}"))
}

fn is_finished(source: &Source) -> Option<String> {
    // In two halves, so that this file passes.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
    if let Some(mark) = marks.into_iter().find(|mark| source.text.contains(mark)) {
        return Some(format!("has a {mark}; do it, or open an issue"));
    }
    let macros = ["todo!", "unimplemented!", "#[ignore"];
    let found = macros.into_iter().find(|wanted| source.code.contains(wanted))?;
    Some(format!("has {found}"))
}

fn has_no_globs(source: &Source) -> Option<String> {
    let tests = source.code.find("mod tests {");
    let globs = source.code.match_indices("::*").map(|(at, _)| at);
    let is_fine = |at: usize| {
        let in_tests = source.path.contains("/tests") || tests.is_some_and(|tests| tests < at);
        in_tests && source.code[..at].ends_with("use super")
    };
    let is_import = |at: usize| source.code[at + 3..].starts_with([';', ',', '}', ' ', '\n']);
    globs.into_iter().find(|at| is_import(*at) && !is_fine(*at)).map(|at| {
        let line = source.code[..at].lines().count();
        format!("line {line}: import by name, not with a glob")
    })
}

/// Reads every file of Rust that belongs to the repository.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in ["src", "tests", "examples", "benches"] {
        collect(&root.join(folder), &mut paths);
    }
    let read = |path: &std::path::PathBuf| {
        let name = path.strip_prefix(root).expect("it was found there").to_string_lossy();
        Source::new(&name.replace('\\', "/"), &fs::read_to_string(path).expect("a source is text"))
    };
    paths.iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != "node_modules" {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

#[track_caller]
fn assert_all(rule: impl Fn(&Source) -> Option<String>) {
    let wrong = sources()
        .iter()
        .filter_map(|s| rule(s).map(|wrong| format!("\n  {}: {wrong}", s.path)))
        .collect::<String>();
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn modules_import_only_what_stands_above_them() {
    let sources = sources();
    let lib = sources.iter().find(|source| source.path == "src/lib.rs").expect("the crate has a root");
    let order = modules(lib);
    let unknown = sources.iter().filter_map(Source::module).find(|module| !order.iter().any(|m| m == module));
    assert_eq!(unknown, None, "a module that lib.rs does not list");
    assert_all(|source| imports_upwards_only(source, &order));
}

#[test]
fn only_one_folder_knows_the_engine() {
    assert_all(leaves_the_engine_to_wasm);
}

#[test]
fn unsafe_code_stands_in_one_file() {
    assert_all(is_checked_by_the_compiler);
}

#[test]
fn files_say_what_they_are() {
    assert_all(says_what_it_is);
}

#[test]
fn files_stay_short() {
    assert_all(is_short);
}

#[test]
fn nothing_is_left_for_later() {
    assert_all(is_finished);
}

#[test]
fn imports_are_by_name() {
    assert_all(has_no_globs);
}

#[test]
fn each_rule_finds_what_breaks_it() {
    let order = ["error", "event", "wasm"].map(String::from);
    let imports = |path, text| imports_upwards_only(&Source::new(path, text), &order).is_some();
    assert!(imports("src/error/kind.rs", "//! K.\nuse crate::event::Event;"));
    assert!(imports("src/error.rs", "fn f() -> crate::event::Event {}"));
    assert!(imports("src/event.rs", "use crate::Error;"), "not by its true path");
    assert!(imports("src/event/mod.rs", "use super::wasm::Guest;"));
    assert!(imports("src/wasm/a/b.rs", "use super::super::guest::Guest;"));
    assert!(!imports("src/wasm/a.rs", "use crate::error::Error;\npub(crate) use crate::wasm::b::B;"));
    assert!(!imports(
        "src/error.rs",
        "// crate::event\n/* crate::wasm */ const A: &str = r#\"crate::wasm\"#;"
    ));

    let rules: [(Rule, &str, &str); 13] = [
        (leaves_the_engine_to_wasm, "src/invoke/mod.rs", "use wasmtime::Store;"),
        (leaves_the_engine_to_wasm, "src/report.rs", "fn f(ctx: wasmtime_wasi::WasiCtx) {}"),
        (is_checked_by_the_compiler, "src/pool/mod.rs", "fn f() { unsafe { g() } }"),
        (is_checked_by_the_compiler, "src/wasm/guest.rs", "#![allow(unsafe_code)]"),
        (is_checked_by_the_compiler, DERIVED, "unsafe fn f() {}"),
        (is_checked_by_the_compiler, VOUCHED, "unsafe fn f() { unsafe { g() } }"),
        (says_what_it_is, "examples/a.rs", "use std::fs;"),
        (is_short, "benches/a.rs", &"let a = 1;\n".repeat(MOST_LINES)),
        (is_finished, "src/a.rs", concat!("// TO", "DO: later")),
        (is_finished, "src/a.rs", "fn f() { todo!() }"),
        (is_finished, "tests/it/a.rs", "#[test]\n#[ignore = \"slow\"]"),
        (has_no_globs, "src/a.rs", "use std::fs::*;\nmod tests {}"),
        (has_no_globs, "tests/it/a.rs", "use super::{a::*, b};"),
    ];
    for (rule, path, text) in rules {
        assert!(rule(&Source::new(path, text)).is_some(), "{path}: {text}");
    }
}

#[test]
fn what_keeps_the_rules_passes() {
    let source =
        Source::new("src/a.rs", "//! A.\nmod tests {\n    use super::*;\n    let a = 2 * b::*c;\n}\n");
    for rule in [says_what_it_is, is_short, is_finished, has_no_globs, leaves_the_engine_to_wasm] {
        assert_eq!(rule(&source), None);
    }
    let text = "\n//! doc\n/* a /* b */\n c */ let x = \"\\\"//\"; // end\nlet r = r#\"a\n\"b\"#;\nlet c: &'a u8 = b'\"';";
    let lines: Vec<String> = strip(text).lines().map(|line| line.trim().replace('"', "~")).collect();
    assert_eq!(lines, ["", "", "", "let x = ~~~~~~;", "let r = ~~~~", "~~~~;", "let c: &'a u8 = ~~~~;"]);
    assert_eq!(strip("'\\''; 'a, '\u{e9}' r#type"), "\"\"\"\"; 'a, \"\"\" r#type");
}
