//! The folder itself: who may write to it, and how a file gets into it.

#[cfg(not(unix))]
pub(super) use self::other::Folder;
#[cfg(unix)]
pub(super) use self::unix::Folder;

/// How a file is called until it is whole.
pub(super) const UNFINISHED: &str = "unfinished-";

/// What is known of one file.
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) size: u64,
    /// When it was last used, in nanoseconds of the system's clock.
    pub(super) used: i128,
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{self, Write};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::DirBuilderExt;
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use rustix::fs::{AtFlags, Dir, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW};

    use rustix::io::Errno;

    use super::{Listed, UNFINISHED};
    use crate::cache::Unfit;
    use crate::cache::key::ENDING;

    /// An open folder; whoever renames it does not change which one it is.
    pub(crate) struct Folder {
        dir: OwnedFd,
    }

    impl Folder {
        pub(crate) fn open(path: &Path) -> Result<Self, String> {
            let shown = path;
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(|error| {
                    format!("cache folder {shown:?} cannot be made: {error}; correct the path")
                })?;
            }
            match std::fs::DirBuilder::new().mode(0o700).create(path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(format!("cache folder {shown:?} cannot be made: {error}; correct the path"));
                }
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let dir = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| {
                format!("cache folder {shown:?} cannot be opened: {error}; give a folder")
            })?;
            let stat = rustix::fs::fstat(&dir).map_err(|error| format!("cache folder {shown:?}: {error}"))?;
            let (owner, user) = (stat.st_uid, rustix::process::geteuid().as_raw());
            if owner != user {
                return Err(format!(
                    "cache folder {shown:?} belongs to user {owner}, this process runs as {user}; give a folder of \
                     its own, as compiled code in it is believed"
                ));
            }
            let mode = stat.st_mode & 0o7777;
            if mode & 0o077 != 0 {
                return Err(format!(
                    "cache folder {shown:?} has mode {mode:03o}, so others may reach it, and compiled code in it is \
                     believed; give a folder of its own, with mode 700"
                ));
            }
            Ok(Self { dir })
        }

        /// Opens a file that only this user may have written; none if it is not there.
        pub(crate) fn file(&self, name: &str) -> Result<Option<File>, Unfit> {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let file = match rustix::fs::openat(&self.dir, name, flags, Mode::empty()) {
                Ok(file) => file,
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::LOOP | Errno::ACCESS) => return Err("it is a link, or not this user's".into()),
                Err(error) => return Err(Unfit::Unread(error.into())),
            };
            if !is_ours(&rustix::fs::fstat(&file).map_err(io::Error::from)?) {
                return Err("it is no file that only this user may read".into());
            }
            Ok(Some(File::from(file)))
        }

        /// Notes that a file was used.
        pub(crate) fn touch(&self, file: &File) {
            let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
            // Only the order of eviction depends on it.
            let _ = rustix::fs::futimens(file, &Timestamps { last_access: now, last_modification: now });
        }

        /// Writes a file under another name, syncs it, and gives it its name once it is whole.
        pub(crate) fn write(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
            let unfinished = unfinished();
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(&self.dir, &unfinished, flags, Mode::RUSR)?;
            let mut file = File::from(file);
            let written =
                parts.iter().try_for_each(|part| file.write_all(part)).and_then(|()| file.sync_all());
            let renamed =
                written.and_then(|()| Ok(rustix::fs::renameat(&self.dir, &unfinished, &self.dir, name)?));
            renamed.inspect_err(|_| self.remove(&unfinished))
        }

        pub(crate) fn remove(&self, name: &str) {
            // Whoever else shares the folder may have been faster.
            let _ = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty());
        }

        /// Lists the regular files that are ours by their name; what goes meanwhile is left out.
        pub(crate) fn list(&self) -> Vec<Listed> {
            let Ok(dir) = Dir::read_from(&self.dir) else { return Vec::new() };
            let names = dir.flatten().filter_map(|entry| Some(entry.file_name().to_str().ok()?.to_string()));
            names.filter(|name| name.ends_with(ENDING)).filter_map(|name| self.listed(name)).collect()
        }

        fn listed(&self, name: String) -> Option<Listed> {
            let stat = rustix::fs::statat(&self.dir, &name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
            let is_file = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
            let used = i128::from(stat.st_mtime) * 1_000_000_000 + stat.st_mtime_nsec as i128;
            is_file.then_some(Listed { name, size: u64::try_from(stat.st_size).unwrap_or(0), used })
        }
    }

    /// Tells whether it is a regular file that only this user may have written.
    fn is_ours(stat: &Stat) -> bool {
        let is_file = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
        is_file && stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o7777 == 0o400
    }

    /// A name that no other writer has, in this process or another.
    fn unfinished() -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let number = NEXT.fetch_add(1, Relaxed);
        format!("{UNFINISHED}{}-{}-{number}{ENDING}", std::process::id(), since.as_nanos())
    }
}

#[cfg(not(unix))]
mod other {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    use super::Listed;
    use crate::cache::Unfit;

    /// There is no way to tell here who else may write to a folder, so none is taken.
    pub(crate) enum Folder {}

    impl Folder {
        pub(crate) fn open(_: &Path) -> Result<Self, String> {
            Err("a cache folder needs a Unix system; leave `cache_dir` out".into())
        }

        pub(crate) fn file(&self, _: &str) -> Result<Option<File>, Unfit> {
            match *self {}
        }

        pub(crate) fn touch(&self, _: &File) {
            match *self {}
        }

        pub(crate) fn write(&self, _: &str, _: &[&[u8]]) -> io::Result<()> {
            match *self {}
        }

        pub(crate) fn remove(&self, _: &str) {
            match *self {}
        }

        pub(crate) fn list(&self) -> Vec<Listed> {
            match *self {}
        }
    }
}
