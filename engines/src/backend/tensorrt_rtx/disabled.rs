//! What stands in for TensorRT for RTX in a program that was built without it: a refusal.

use crate::engine::{Engine, Options, Progress};
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::plan::TENSORRT_RTX;

fn refusal() -> EngineError {
    EngineError::Feature { backend: TENSORRT_RTX, feature: TENSORRT_RTX }
}

/// Refuses.
///
/// # Errors
/// Always [`EngineError::Feature`].
pub fn available() -> Result<(), EngineError> {
    Err(refusal())
}

/// Refuses.
///
/// # Errors
/// Always [`EngineError::Feature`].
pub fn prepare(
    _folder: &EngineFolder,
    _options: &Options,
    _progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(), EngineError> {
    Err(refusal())
}

/// Refuses.
///
/// # Errors
/// Always [`EngineError::Feature`].
pub fn open(_folder: &EngineFolder, _options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    Err(refusal())
}
