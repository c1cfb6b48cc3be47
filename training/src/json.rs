//! Reports as JSON files, written beside their place and then renamed.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::TrainingError;

/// Reads a report.
///
/// # Errors
/// [`TrainingError`] when the file can not be read or is not what `what` names.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, what: &str) -> Result<T, TrainingError> {
    let text = std::fs::read_to_string(path).map_err(TrainingError::file("read", path))?;
    serde_json::from_str(&text).map_err(|error| TrainingError::field(path, "(file)", what, error.to_string()))
}

/// Writes a report, and the folder it is in.
///
/// # Errors
/// [`TrainingError`] when it can not be written; a file that was there is then as it was.
pub(crate) fn write<T: Serialize>(path: &Path, report: &T) -> Result<(), TrainingError> {
    let mut text = serde_json::to_string_pretty(report).map_err(|error| {
        TrainingError::field(path, "(file)", "a report with finite numbers", error.to_string())
    })?;
    text.push('\n');
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(TrainingError::file("create", folder))?;
    }
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    std::fs::write(&unfinished, text).map_err(TrainingError::file("write", &unfinished))?;
    std::fs::rename(&unfinished, path).map_err(TrainingError::file("rename", path))
}
