//! What is to be measured: guests, each with an event that it answers.

use std::path::{Path, PathBuf};
use std::{fs, io};

use fnhost::Event;
use serde_json::json;

use crate::Problem;
use crate::args::Args;

/// The folders of the repository that hold guests.
const FOLDERS: [&str; 2] = ["examples/guests", "tests/guests"];
/// Where guests go that are too large to be in the repository, once somebody has built them.
const LARGE: &str = "tests/guests/large/out";

/// A guest and an event that it answers.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) event: Event,
}

impl Case {
    /// Takes a file; its event is read from another, or one that suits a guest of that name.
    pub(crate) fn of_file(path: &Path, event: Option<&Path>) -> Result<Self, Problem> {
        let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let event = match event {
            Some(file) => read_event(file)?,
            None => default_event(&name)?,
        };
        Ok(Self { name, path: path.into(), event })
    }

    /// Says in words what is sent.
    pub(crate) fn event_in_words(&self) -> String {
        format!("{}, body of {} bytes", self.event.event_type(), self.event.body().len())
    }
}

/// Finds what the command line asks for.
pub(crate) fn find(args: &Args) -> Result<Vec<Case>, Problem> {
    if let Some(guest) = &args.guest {
        let missing = |error: io::Error| format!("guest {} cannot be read: {error}", guest.display());
        fs::File::open(guest).map_err(missing)?;
        return Ok(vec![Case::of_file(guest, args.event.as_deref())?]);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in FOLDERS {
        files.extend(list(&root.join(folder))?);
    }
    if root.join(LARGE).is_dir() {
        files.extend(list(&root.join(LARGE))?);
    }
    let wanted = |case: &Case| args.only.as_ref().is_none_or(|only| case.name.contains(only));
    let cases = files.iter().map(|file| Case::of_file(file, None));
    let cases: Vec<Case> =
        cases.filter(|case| case.as_ref().map_or(true, wanted)).collect::<Result<_, _>>()?;
    match (cases.is_empty(), &args.only) {
        (true, Some(only)) => Err(format!("no guest of the repository has {only:?} in its name").into()),
        (true, None) => Err("the repository has no guests; give a .wasm file".into()),
        _ => Ok(cases),
    }
}

/// Lists the guests of a folder by name; `a.wasm` before `a-b.wasm`.
fn list(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let refused = |error: io::Error| format!("folder {} cannot be read: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(refused)?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(refused)?;
    let is_guest = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "wasm");
    let mut guests: Vec<PathBuf> = paths.into_iter().filter(is_guest).collect();
    guests.sort_by_key(|path| path.with_extension(""));
    Ok(guests)
}

fn read_event(file: &Path) -> Result<Event, Problem> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("event {} cannot be read: {error}", file.display()))?;
    let event: Event = serde_json::from_str(&text)
        .map_err(|error| format!("event {} is no event in JSON: {error}", file.display()))?;
    event.check()?;
    Ok(event)
}

/// Most guests answer anything or read a name; these of the repository want something else.
fn default_event(name: &str) -> Result<Event, Problem> {
    Ok(match name {
        "misbehave" => Event::new("ok"),
        // Its first byte says what it is to do; zero is an echo.
        "misbehave-bytes" => Event::bytes("visit", b"\0Ada".as_slice()),
        "plugin-good" | "plugin-bad" => {
            Event::json("order.priced", &json!({ "sku": "A-1", "quantity": 12 }))?
        }
        _ => Event::json(
            "visit",
            &json!({ "name": "Ada", "numbers": [1, 2, 3], "items": [{ "price": 2.5, "count": 4 }] }),
        )?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn args(only: Option<&str>) -> Args {
        Args {
            guest: None,
            event: None,
            only: only.map(Into::into),
            out: "report.html".into(),
            seconds: Duration::from_secs(1),
        }
    }

    #[test]
    fn the_guests_of_the_repository_are_found() {
        let names: Vec<String> = find(&args(None)).unwrap().into_iter().map(|case| case.name).collect();
        for wanted in ["hello", "plugin-good", "echo", "hello-js", "command", "misbehave-bytes"] {
            assert!(names.iter().any(|name| name == wanted), "{wanted} is not among {names:?}");
        }
    }

    #[test]
    fn a_name_that_no_guest_has_is_an_error() {
        let error = find(&args(Some("nonsuch"))).unwrap_err();
        assert_eq!(error.to_string(), "no guest of the repository has \"nonsuch\" in its name");
    }

    #[test]
    fn a_guest_that_is_not_there_is_an_error_with_its_path() {
        let error = find(&Args { guest: Some("nonsuch.wasm".into()), ..args(None) }).unwrap_err();
        assert!(error.to_string().starts_with("guest nonsuch.wasm cannot be read"), "{error}");
    }

    #[test]
    fn an_event_that_is_not_there_is_an_error_with_its_path() {
        let error = Case::of_file(Path::new("a.wasm"), Some(Path::new("nonsuch.json"))).unwrap_err();
        assert!(error.to_string().starts_with("event nonsuch.json cannot be read"), "{error}");
    }
}
