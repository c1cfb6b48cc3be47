//! How a recording ends.

use std::path::PathBuf;

use polyp::session::SessionError;

/// Why a recording ends before it is stopped.
#[derive(Debug)]
pub(super) enum Fault {
    /// The disk is nearly full.
    Full { free: u64, keep: u64 },
    /// A file can not be written.
    Session(SessionError),
    /// A codec fails.
    Codec(String),
}

impl Fault {
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Full { free, keep } => {
                format!(
                    "the disk has {free} bytes left, and {keep} are to be kept free (property record-keep-free)"
                )
            }
            Self::Session(error) => error.to_string(),
            Self::Codec(error) => error.clone(),
        }
    }
}

impl From<SessionError> for Fault {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

/// What a recording came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) folder: PathBuf,
    pub(super) began: bool,
    pub(super) frames: u64,
    pub(super) dropped: u64,
    pub(super) reason: String,
    /// Why it ended before it was stopped.
    pub(super) fault: Option<String>,
}
