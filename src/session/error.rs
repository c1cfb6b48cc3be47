//! What can be wrong with a session.

use std::io;
use std::path::{Path, PathBuf};

/// Why a session can not be written, read or repaired.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A file can not be opened, read or written.
    #[error("{path}: {what}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What was to be done with it.
        what: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: expected {expected}, found {found}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// Another process records into it.
    #[error("{path}: the session is being recorded; stop the recording first")]
    Busy {
        /// The session's folder.
        path: PathBuf,
    },
}

impl SessionError {
    /// For `map_err`: what was to be done with the file `path`.
    pub(crate) fn file<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |cause| Self::File { path: path.to_owned(), what, cause }
    }

    /// The file `path` should hold something else.
    pub(crate) fn format(path: &Path, expected: &'static str, found: impl Into<String>) -> Self {
        Self::Format { path: path.to_owned(), expected, found: found.into() }
    }

    /// Whether the disk has no room left.
    pub fn is_full(&self) -> bool {
        let Self::File { cause, .. } = self else { return false };
        matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}
