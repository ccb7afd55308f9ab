//! The folder and its file: for this process's user alone.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// How the one file is called.
const FILE: &str = "events.redb";

/// Returns where the file stands.
pub(super) fn file_in(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Has a folder to oneself until what is returned is dropped, also while the file in it is not open; it is made if it
/// is not there.
pub(super) fn hold(folder: &Path) -> Result<Option<File>, String> {
    prepare(folder)?;
    lock(folder)
}

/// Says that somebody else has a file.
pub(super) fn in_use(path: &Path) -> String {
    format!(
        "file {path:?} is in use by another runtime or process; end that one, or give each a folder of its own"
    )
}

/// Opens the file of a folder; both are made if they are not there.
pub(super) fn open(folder: &Path) -> Result<File, String> {
    prepare(folder)?;
    let path = file_in(folder);
    let refused = |error: io::Error| {
        format!("file {path:?} cannot be opened: {error}; give a folder that this user may write to")
    };
    let file = options().open(&path).map_err(refused)?;
    if !is_ours(&file).map_err(refused)? {
        return Err(format!(
            "file {path:?} may be reached by others than this user; give it mode 600, or another folder"
        ));
    }
    // The name must be as safe as what stands under it.
    sync_folder(folder).map_err(refused)?;
    Ok(file)
}

fn prepare(folder: &Path) -> Result<(), String> {
    let cannot = |error: io::Error| format!("folder {folder:?} cannot be made: {error}; correct the path");
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(cannot)?;
    }
    match make(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(cannot(error)),
    }
    check(folder)
}

#[cfg(unix)]
fn make(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(folder)?;
    sync_folder(&folder.canonicalize()?.join(".."))
}

#[cfg(unix)]
fn check(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let cannot = |error| format!("folder {folder:?} cannot be opened: {error}; give a folder");
    let known = std::fs::metadata(folder).map_err(cannot)?;
    if !known.is_dir() {
        return Err(format!("folder {folder:?} is no folder; give one"));
    }
    let (owner, user) = (known.uid(), rustix::process::geteuid().as_raw());
    if owner != user {
        return Err(format!(
            "folder {folder:?} belongs to user {owner}, this process runs as {user}; give a folder of its own"
        ));
    }
    let mode = known.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "folder {folder:?} has mode {mode:03o}, so others may reach the events in it; give a folder of \
             its own, with mode 700"
        ));
    }
    Ok(())
}

/// Locks a folder; none where folders cannot be locked, so that the lock of the file has to do.
#[cfg(unix)]
fn lock(folder: &Path) -> Result<Option<File>, String> {
    let Ok(held) = File::open(folder) else { return Ok(None) };
    match rustix::fs::flock(&held, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(held)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(in_use(&file_in(folder))),
        Err(_) => Ok(None),
    }
}

#[cfg(unix)]
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC;
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags(flags.bits() as i32);
    options
}

#[cfg(unix)]
fn is_ours(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let known = file.metadata()?;
    let is_users = known.uid() == rustix::process::geteuid().as_raw();
    Ok(known.is_file() && is_users && known.mode() & 0o077 == 0)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn make(folder: &Path) -> io::Result<()> {
    std::fs::create_dir(folder)
}

#[cfg(not(unix))]
fn check(_: &Path) -> Result<(), String> {
    Ok(())
}

#[cfg(not(unix))]
fn lock(_: &Path) -> Result<Option<File>, String> {
    Ok(None)
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
}

#[cfg(not(unix))]
fn is_ours(_: &File) -> io::Result<bool> {
    Ok(true)
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
