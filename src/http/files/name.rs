//! The name of a file beneath a folder, as a client wrote it.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

/// Longer ones no file system takes.
const LONGEST_PART: usize = 255;
const LONGEST: usize = 4096;

/// A name that can only lie beneath the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    path: PathBuf,
    is_folder: bool,
}

impl Name {
    /// Reads a path as it stands in a request; none when it can name no file.
    ///
    /// It is taken apart before it is decoded, and decoded once: what was written as `%2f` never separates.
    pub(super) fn parse(path: &str, hidden: bool) -> Option<Self> {
        if path.len() > LONGEST {
            return None;
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        let is_folder = path.is_empty() || path.ends_with('/');
        let path = path.strip_suffix('/').unwrap_or(path);
        let parts = path.split('/').filter(|_| !path.is_empty());
        let path = parts.map(|part| parse_part(part, hidden)).collect::<Option<PathBuf>>()?;
        Some(Self { path, is_folder })
    }

    /// The name of a file in this folder.
    pub(super) fn join(&self, file: &str) -> Self {
        Self { path: self.path.join(file), is_folder: false }
    }

    /// The name of the file that stands beside this one with one more extension.
    pub(super) fn beside(&self, extension: &str) -> Self {
        let mut path = self.path.clone().into_os_string();
        path.push(extension);
        Self { path: path.into(), is_folder: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells whether a folder was named, with a slash at the end.
    pub(super) fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// The extension in lower case.
    pub(super) fn extension(&self) -> Option<String> {
        Some(self.path.extension()?.to_str()?.to_ascii_lowercase())
    }
}

fn parse_part(part: &str, hidden: bool) -> Option<String> {
    let part = percent_decode_str(part).decode_utf8().ok()?;
    let is_odd = |c: char| matches!(c, '/' | '\\' | '\0') || (cfg!(windows) && ":*?\"<>|".contains(c));
    let is_known = !part.is_empty() && part != "." && part != ".." && (hidden || !part.starts_with('.'));
    let is_fine = is_known && part.len() <= LONGEST_PART && !part.contains(is_odd);
    is_fine.then(|| part.into_owned())
}
