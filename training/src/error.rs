//! What can go wrong in the trainer: one enum, each message one sentence that names the file or the key, what
//! was expected and what was found.

use std::path::{Path, PathBuf};

use polyp::frame::FrameError;
use polyp::metric::MetricError;
use polyp::model::ModelError;
use polyp::preprocess::PreprocessError;
use polyp_engine::error::EngineError;

/// Why the trainer stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// A file holds what it should not.
    #[error("{path}: {field}: expected {expected}, found {found}")]
    Field {
        /// The file or folder.
        path: PathBuf,
        /// The part of it.
        field: String,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A file can not be read or written.
    #[error("{path}: {doing}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// An HDF5 file can not be read or written.
    #[error("{path}: {doing}: the HDF5 library says: {source}")]
    Hdf5 {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: String,
        /// What the library says.
        source: hdf5::Error,
    },
    /// A picture can not be decoded or encoded.
    #[error("{path}: {doing}: {source}")]
    Image {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the decoder says.
        source: image::ImageError,
    },
    /// The thread that makes batches is gone.
    #[error("loader thread {index}: expected a batch, found that the thread had ended")]
    Loader {
        /// Which of them.
        index: usize,
    },
    /// A picture's samples do not fit its size.
    #[error("picture: {0}")]
    Frame(#[from] FrameError),
    /// A picture can not be resized for the network.
    #[error("preprocess: {0}")]
    Preprocess(#[from] PreprocessError),
    /// A picture can not be scored.
    #[error("score: {0}")]
    Score(#[from] MetricError),
    /// The network can not be built or run.
    #[error("model: {0}")]
    Model(#[from] ModelError),
    /// The engine's side of the trainer: weights, prompts, engine folders.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The loss is no longer a number.
    #[error("epoch {epoch}, step {step}: expected a finite loss, found {found}")]
    NotFinite {
        /// From 1.
        epoch: usize,
        /// From 0.
        step: usize,
        /// The loss.
        found: f64,
    },
    /// Curves can not be drawn.
    #[error("plot: {message}")]
    Plot {
        /// Why.
        message: String,
    },
    /// libtorch refused.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

impl TrainingError {
    /// A file's content that is not as it should be.
    pub fn field(
        path: &Path,
        field: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Field {
            path: path.to_owned(),
            field: field.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// For `map_err`: a file that can not be read or written.
    pub fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, doing, source }
    }

    /// For `map_err`: an HDF5 file that can not be read or written.
    pub(crate) fn hdf5(path: &Path, doing: impl Into<String>) -> impl FnOnce(hdf5::Error) -> Self {
        let (path, doing) = (path.to_owned(), doing.into());
        move |source| Self::Hdf5 { path, doing, source }
    }

    /// For `map_err`: a picture that can not be decoded or encoded.
    pub(crate) fn image(path: &Path, doing: &'static str) -> impl FnOnce(image::ImageError) -> Self {
        let path = path.to_owned();
        move |source| Self::Image { path, doing, source }
    }
}
