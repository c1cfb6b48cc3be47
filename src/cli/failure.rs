//! How the tool fails: in one sentence, and with an exit code that scripts can tell apart.

use std::path::PathBuf;

use polyp::clip::ClipError;
use polyp::config::ConfigError;
use polyp::session::SessionError;

/// Why the tool ends without having done its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The configuration file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The command line asks for what can not be.
    #[error("{0}")]
    Usage(String),
    /// Something is not on this machine.
    #[error("{what}; {remedy}")]
    Missing {
        /// What is missing, and where it was looked for.
        what: String,
        /// How to get it.
        remedy: String,
    },
    /// The stream failed.
    #[error("{0}")]
    Stream(String),
    /// Somebody ended it before it was done.
    #[error("interrupted; nothing is written")]
    Interrupted,
    /// The demonstration's stills can not be used.
    #[error("the demonstration clip: {0}")]
    Clip(#[from] ClipError),
    /// A session can not be read or repaired.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A file can not be written.
    #[error("{path} can not be written: {message}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
}

impl Failure {
    /// The process's exit code; the list stands in [`super`].
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Usage(_) => 2,
            Self::Missing { .. } => 3,
            Self::Stream(_) | Self::Interrupted | Self::Clip(_) | Self::Session(_) | Self::Write { .. } => 1,
        }
    }

    /// Something is missing.
    pub(super) fn missing(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Missing { what: what.into(), remedy: remedy.into() }
    }

    /// GStreamer refused something while the pipeline was built.
    pub(super) fn build(error: impl std::fmt::Display) -> Self {
        Self::Stream(format!("the pipeline can not be built: {error}"))
    }
}
