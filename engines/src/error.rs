//! Everything that can go wrong between an engine folder and a mask, by stage.
//!
//! A message is one sentence that names the file or field, what was expected and what was found. Causes are
//! inside the sentence (and kept, typed, in the field `cause`) rather than behind `source()`, so that what a
//! cart logs is complete when it prints the error alone, and a tool that prints the chain says nothing twice.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use polyp::decode::DecodeError;
use polyp::model::ModelError;
use polyp::preprocess::PreprocessError;

use crate::cuda::driver::CardError;

/// Why an engine can not be opened, run or scored.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    // ---- files ----
    /// A file or folder can not be read or written.
    #[error("can not {action} {}: {cause}", path.display())]
    File {
        /// `read`, `write`, ...
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A file is not in the format that its name promises.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A field of a file has a value that does not fit.
    #[error("{}, field {field}: expected {expected}, found {found}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field, dotted.
        field: String,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A file is not the one that the manifest was written for.
    #[error("{}: expected sha256 {expected}, found {found}: the file was changed or cut after the manifest was written", path.display())]
    Hash {
        /// The file.
        path: PathBuf,
        /// The manifest's hash, in hexadecimal.
        expected: String,
        /// The file's hash, in hexadecimal.
        found: String,
    },

    // ---- opening ----
    /// A backend was left out when this program was built.
    #[error(
        "backend {backend}: this program was built without the feature `{feature}`; build it with `--features {feature}`"
    )]
    Feature {
        /// The backend.
        backend: &'static str,
        /// The cargo feature.
        feature: &'static str,
    },
    /// A backend's library is missing or of a version that can not be used.
    #[error("backend {backend}: library {}: {message}", path.display())]
    Library {
        /// The backend.
        backend: &'static str,
        /// Where the library was looked for.
        path: PathBuf,
        /// What is wrong, and what to do about it.
        message: String,
    },
    /// A library or model folder that cargo does not bring is nowhere.
    #[error("{dependency}: expected it at {looked}, found nothing there; {remedy}, or set {variable}")]
    Missing {
        /// What.
        dependency: &'static str,
        /// What brings it.
        remedy: &'static str,
        /// The variable that names its place.
        variable: &'static str,
        /// Where it was looked for.
        looked: String,
    },
    /// An option that this machine or this backend can not follow.
    #[error("{option}: expected {expected}, found {found}")]
    Refused {
        /// The option.
        option: &'static str,
        /// What can be had.
        expected: String,
        /// What was asked for.
        found: String,
    },
    /// The network's file does not take or give what the manifest says.
    #[error("{}, tensor {tensor}: expected {expected}, found {found}", path.display())]
    Interface {
        /// The network's file.
        path: PathBuf,
        /// The input or output.
        tensor: String,
        /// What the manifest's model has.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// A plan can not be loaded here.
    #[error("{}: {message}; if it is of another card or version, remove its folder and it is made anew", path.display())]
    Plan {
        /// The plan.
        path: PathBuf,
        /// What the library says.
        message: String,
    },
    /// The network's description refuses.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A frame that can not be made an input.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),

    // ---- running ----
    /// An input of the wrong length.
    #[error("input {what}: expected {expected}, found {found}")]
    Input {
        /// Which input.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A prompt memory that is not one of this engine.
    #[error("prompt memory, {tensor}: expected {expected}, found {found}")]
    Memory {
        /// The tensor or property.
        tensor: String,
        /// What the engine takes.
        expected: String,
        /// What the memory has.
        found: String,
    },
    /// A backend's library failed.
    #[error("backend {backend}, {step}: {message}")]
    Backend {
        /// The backend.
        backend: &'static str,
        /// What it was doing.
        step: &'static str,
        /// What the library says.
        message: String,
    },
    /// A card can not be used, or failed.
    #[error("card, {step}: {cause}")]
    Card {
        /// What was being done.
        step: &'static str,
        /// Why it could not be, and what to do.
        cause: CardError,
    },
    /// The network gave something that is not a number.
    #[error("backend {backend}, output {index}: expected a finite number, found {found}")]
    NotFinite {
        /// The backend.
        backend: &'static str,
        /// The place in the output.
        index: usize,
        /// What it is.
        found: f32,
    },
    /// The logits do not make a segmentation.
    #[error(transparent)]
    Decode(#[from] DecodeError),

    // ---- the worker ----
    /// An engine was not ready in time.
    #[error("engine: not ready after {limit:?}")]
    StartLimit {
        /// The time it had.
        limit: Duration,
    },
    /// An engine panicked; its thread goes on.
    #[error("engine: panicked while {step}: {message}")]
    Panicked {
        /// What it was doing.
        step: &'static str,
        /// The panic's words.
        message: String,
    },
    /// The worker's thread could not be started or is gone.
    #[error("engine worker: {message}")]
    Worker {
        /// What happened.
        message: String,
    },

    /// The process with the engine is gone, stopped or hangs.
    #[error("{message}")]
    Isolated {
        /// What became of it.
        message: String,
    },
    /// An engine in a process of its own refuses, in its own words.
    #[error("{message}")]
    Engine {
        /// The sentence.
        message: String,
    },

    // ---- scoring ----
    /// Pictures and masks can not be scored.
    #[error("{}: {message}", path.display())]
    Picture {
        /// The picture, mask or folder.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

impl EngineError {
    /// For `map_err`: a file that could not be read, written or otherwise acted on.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::File { action, path: path.to_owned(), cause }
    }

    /// A file in a wrong format.
    pub fn format(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Format { path: path.to_owned(), expected: expected.into(), found: found.into() }
    }
}

/// `work`, with a panic made an error; `step` is what it was doing, as `opening`.
///
/// # Errors
/// What `work` says, or [`EngineError::Panicked`].
pub fn caught<T>(
    step: &'static str,
    work: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|payload| Err(EngineError::Panicked { step, message: words(payload.as_ref()) }))
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".to_owned())
}
