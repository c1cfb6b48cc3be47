//! Where a run comes from, so that its figures can be traced: program, state of the sources, data, device.

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};
use tch::Device;

use crate::data::{DataSet, Split};
use crate::error::TrainingError;
use crate::json;

/// The file, below the run's folder.
const FILE: &str = "origin.json";

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The program and its version.
    pub program: String,
    /// The commit that the working folder stands at; none outside of a git repository.
    pub git_commit: Option<String>,
    /// Whether files that git knows were changed since that commit.
    pub git_changed: Option<bool>,
    /// The data set's file.
    pub data: String,
    /// Its pictures to learn from, to validate and to test on.
    pub pictures: [usize; 3],
    /// The device.
    pub device: String,
    /// Processor threads that the system offers.
    pub processor_threads: usize,
}

impl Origin {
    /// Of a run that starts now.
    pub fn of(data: &DataSet, device: Device) -> Self {
        Self {
            program: format!("polyp-train {}", env!("CARGO_PKG_VERSION")),
            git_commit: git(&["rev-parse", "HEAD"]),
            git_changed: git(&["status", "--porcelain", "--untracked-files=no"])
                .map(|found| !found.is_empty()),
            data: data.path().display().to_string(),
            pictures: Split::ALL.map(|split| data.indices(split).len()),
            device: format!("{device:?}").to_lowercase(),
            processor_threads: std::thread::available_parallelism().map_or(0, usize::from),
        }
    }

    /// Writes it into the folder `run`; a run that is gone on with says what it was gone on with last.
    ///
    /// # Errors
    /// [`TrainingError`] when the file can not be written.
    pub fn write(&self, run: &Path) -> Result<(), TrainingError> {
        json::write(&run.join(FILE), self)
    }
}

/// What git says; none where there is no git or no repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
