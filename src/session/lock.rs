//! One process records into a session; no other records, and nobody repairs it meanwhile.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::{JOURNAL_FILE, SessionError};

/// The right to change a session. It ends when this is dropped, or with the process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it for the session in `folder`, whose journal must be there.
    ///
    /// # Errors
    /// [`SessionError::Busy`] when somebody has it.
    pub fn take(folder: &Path) -> Result<Self, SessionError> {
        Self::get(folder, File::try_lock)
    }

    /// The right to find it unchanged, which several may have at a time.
    ///
    /// # Errors
    /// [`SessionError::Busy`] when somebody has the right to change it.
    pub fn share(folder: &Path) -> Result<Self, SessionError> {
        Self::get(folder, File::try_lock_shared)
    }

    fn get(folder: &Path, lock: fn(&File) -> Result<(), TryLockError>) -> Result<Self, SessionError> {
        let path = folder.join(JOURNAL_FILE);
        let file = File::open(&path).map_err(SessionError::file("it can not be opened", &path))?;
        match lock(&file) {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(SessionError::Busy { path: folder.to_owned() }),
            Err(TryLockError::Error(cause)) => {
                Err(SessionError::File { path, what: "it can not be locked", cause })
            }
        }
    }
}
