//! Who may have the folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{Folder, clock, draft, run};
use crate::broker::Store;

/// Tells a second process which folder to try.
const FOLDER: &str = "FNHOST_TEST_BROKER_FOLDER";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn folder_and_file_are_for_their_user_alone() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    assert_eq!((mode(&folder.0), mode(&folder.0.join("events.redb"))), (0o700, 0o600));
    fs::set_permissions(folder.0.join("events.redb"), Permissions::from_mode(0o644)).unwrap();
    let reason = folder.open().err().unwrap();
    assert!(reason.contains("events.redb") && reason.contains("give it mode 600"), "{reason}");
}

#[test]
fn a_folder_that_others_may_reach_is_refused_with_the_reason() {
    let folder = Folder::new();
    fs::create_dir(&folder.0).unwrap();
    for open in [0o755, 0o750, 0o707] {
        fs::set_permissions(&folder.0, Permissions::from_mode(open)).unwrap();
        let reason = folder.open().err().unwrap();
        assert!(reason.contains(&format!("mode {open:o}")) && reason.contains("with mode 700"), "{reason}");
    }
    assert!(Folder(folder.0.join("..").join("..").join("dev/null")).open().is_err());
}

#[test]
fn a_link_is_not_taken_for_the_file() {
    let (folder, other) = (Folder::new(), Folder::new());
    drop((folder.open().unwrap(), other.open().unwrap()));
    fs::remove_file(folder.0.join("events.redb")).unwrap();
    std::os::unix::fs::symlink(other.0.join("events.redb"), folder.0.join("events.redb")).unwrap();
    assert!(folder.open().is_err());
}

#[test]
fn a_second_store_in_the_process_is_refused_until_the_first_is_gone() {
    let folder = Folder::new();
    let first = folder.open().unwrap();
    let reason = folder.open().err().unwrap();
    assert!(reason.contains("events.redb") && reason.contains("in use by another"), "{reason}");
    let clock = clock();
    run(async { first.put(vec![draft("f.a", "the first goes on", &clock)]).await.unwrap() });
    drop(first);
    drop(folder.open().unwrap());
}

#[test]
fn a_folder_is_held_while_its_file_cannot_be_opened_again() {
    let folder = Folder::new();
    let first = folder.open().unwrap();
    let file = folder.0.join("events.redb");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    assert!(first.shared.base.reopen().is_err());
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let reason = folder.open().err().expect("the second has it, and the first goes on with it later");
    assert!(reason.contains("in use by another"), "{reason}");
    first.shared.base.reopen().unwrap();
    run(async { first.close().await });
    drop(folder.open().unwrap());
}

#[test]
fn a_second_process_is_refused_at_once() {
    let folder = Folder::new();
    let _first = folder.open().unwrap();
    let path = std::thread::current().name().unwrap().replace("a_second_process_is_refused_at_once", "a_try");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &path, "--nocapture"])
        .env(FOLDER, &folder.0)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("refused: ") && told.contains("in use by another runtime or process"), "{told}");
}

/// What the second process does; nothing in any other.
#[test]
fn a_try() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = std::mem::ManuallyDrop::new(Folder(folder.into()));
    println!("refused: {}", folder.open().err().unwrap());
}
