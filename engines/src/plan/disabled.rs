//! What stands in for TensorRT in a program that was built without it: a refusal.

use std::path::Path;

use super::{FLAVOUR, Plan, PlanOptions, Progress};
use crate::error::EngineError;
use crate::folder::EngineFolder;

fn refusal() -> EngineError {
    EngineError::Feature { backend: FLAVOUR.name, feature: FLAVOUR.name }
}

/// Refuses.
///
/// # Errors
/// Always [`EngineError::Feature`].
pub fn available() -> Result<String, EngineError> {
    Err(refusal())
}

/// Refuses.
///
/// # Errors
/// Always [`EngineError::Feature`].
pub fn build(
    _folder: &EngineFolder,
    _options: &PlanOptions,
    _out: &Path,
    _progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Plan, EngineError> {
    Err(refusal())
}
