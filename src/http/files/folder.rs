//! A folder that is opened once, and files beneath it that are found without leaving it.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::name::Name;

/// A folder.
pub(super) struct Folder {
    path: PathBuf,
    beneath: Beneath,
}

/// What was found beneath a folder.
pub(super) struct Found {
    pub(super) file: File,
    pub(super) metadata: Metadata,
}

impl Found {
    fn new(file: File) -> io::Result<Self> {
        Ok(Self { metadata: file.metadata()?, file })
    }

    pub(super) fn is_file(&self) -> bool {
        self.metadata.is_file()
    }

    pub(super) fn is_folder(&self) -> bool {
        self.metadata.is_dir()
    }
}

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.into(), beneath: Beneath::open(path)? })
    }

    /// Where it was when it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens what has that name, be it a file, a folder or something else.
    pub(super) fn find(&self, name: &Name) -> io::Result<Found> {
        Found::new(self.beneath.open_file(name.path())?)
    }
}

#[cfg(unix)]
use self::unix::Beneath;

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::{Mode, OFlags, open, openat};

    /// An open folder.
    pub(super) struct Beneath {
        root: OwnedFd,
        #[cfg(target_os = "linux")]
        has_openat2: bool,
    }

    /// A pipe without a writer must not be waited for, and a terminal not become ours.
    fn flags() -> OFlags {
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY
    }

    impl Beneath {
        pub(super) fn open(path: &Path) -> io::Result<Self> {
            let root = open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            Ok(Self {
                #[cfg(target_os = "linux")]
                has_openat2: super::linux::open_beneath(&root, Path::new("."), flags()).is_ok(),
                root,
            })
        }

        pub(super) fn open_file(&self, path: &Path) -> io::Result<File> {
            // The folder itself has the empty name.
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            #[cfg(target_os = "linux")]
            if self.has_openat2 {
                return Ok(super::linux::open_beneath(&self.root, path, flags())?.into());
            }
            self.walk(path)
        }

        /// Opens component by component, each without following a symbolic link.
        pub(super) fn walk(&self, path: &Path) -> io::Result<File> {
            let mut at: Option<OwnedFd> = None;
            for part in path.components() {
                let folder = at.as_ref().unwrap_or(&self.root);
                at = Some(openat(folder, part.as_os_str(), flags() | OFlags::NOFOLLOW, Mode::empty())?);
            }
            at.map(File::from).ok_or_else(|| io::ErrorKind::NotFound.into())
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
    use rustix::io::Errno;

    /// How often it is tried again when something beneath the folder is renamed meanwhile.
    const TRIES: usize = 16;

    pub(super) fn open_beneath(root: &OwnedFd, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let mut opened = Err(Errno::AGAIN);
        for _ in 0..TRIES {
            opened = openat2(root, path, flags, Mode::empty(), resolve);
            if !matches!(opened, Err(Errno::AGAIN | Errno::INTR)) {
                break;
            }
        }
        opened
    }
}

/// Where the system cannot open beneath a folder, a name is resolved first and must lie inside.
#[cfg(not(unix))]
struct Beneath {
    root: PathBuf,
}

#[cfg(not(unix))]
impl Beneath {
    fn open(path: &Path) -> io::Result<Self> {
        let root = path.canonicalize()?;
        if root.is_dir() { Ok(Self { root }) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    fn open_file(&self, path: &Path) -> io::Result<File> {
        let path = self.root.join(path).canonicalize()?;
        if path.starts_with(&self.root) { File::open(path) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

#[cfg(all(test, unix))]
impl Folder {
    /// Opens the way of systems that have no `openat2`.
    pub(super) fn walk(&self, name: &Name) -> io::Result<Found> {
        Found::new(self.beneath.walk(name.path())?)
    }
}
