//! What stands in for ONNX Runtime in a program that was built without it: a refusal.

use crate::engine::{Engine, Options};
use crate::error::EngineError;
use crate::folder::EngineFolder;

/// Refuses.
///
/// # Errors
/// Always [`EngineError::Feature`].
pub fn available() -> Result<(), EngineError> {
    Err(EngineError::Feature { backend: "ort", feature: "ort" })
}

/// Refuses.
///
/// # Errors
/// Always [`EngineError::Feature`].
pub fn open(_folder: &EngineFolder, _options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    Err(EngineError::Feature { backend: "ort", feature: "ort" })
}
