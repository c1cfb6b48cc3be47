//! What is scored: a run or an engine folder, with its calibration and its name.
//!
//! Not here: what gives the logits ([`crate::predict`]), what comes of them ([`crate::score`]).

use std::path::{Path, PathBuf};

use polyp_engine::engine::Options;

use crate::TrainingError;
use crate::calibrate::Calibration;
use crate::predict::{Exported, Predictor, Trained};
use crate::score::Reading;

/// A network to be scored.
pub struct Contestant {
    /// What it is called: the last part of its folder's path.
    pub name: String,
    /// Gives its logits.
    pub predictor: Box<dyn Predictor>,
    /// Reads them.
    pub reading: Reading,
    /// The folder, if it is a run's.
    pub run: Option<PathBuf>,
}

impl Contestant {
    /// A run's best checkpoint; without a calibration its temperature is 1, which is told as a warning.
    ///
    /// # Errors
    /// [`TrainingError`] when a file of the run or the text encoder can not be read.
    pub fn run(run: &Path, prompt: Option<&str>) -> Result<Self, TrainingError> {
        let calibration = Calibration::of(run)?;
        if calibration.is_none() {
            tracing::warn!("{}: not calibrated: temperature 1 is used", run.display());
        }
        let reading = calibration.map_or_else(|| Reading::new(1.0, None), |found| found.reading())?;
        let predictor = Box::new(Trained::open(run, prompt)?);
        Ok(Self { name: name(run), predictor, reading, run: Some(run.to_owned()) })
    }

    /// An engine folder on a backend, with the folder's own prompt or another.
    ///
    /// # Errors
    /// [`TrainingError::Engine`] when the folder does not verify, the backend refuses it, or there is no text encoder
    /// for another prompt.
    pub fn engine(
        folder: &Path,
        backend: &str,
        options: &Options,
        prompt: Option<&str>,
    ) -> Result<Self, TrainingError> {
        let mut engine = Exported::open(folder, backend, options)?;
        if let Some(prompt) = prompt {
            engine.remember(prompt)?;
        }
        let manifest = engine.folder().manifest();
        let reading = Reading::new(manifest.temperature, manifest.contour_95)?;
        Ok(Self { name: name(folder), predictor: Box::new(engine), reading, run: None })
    }
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}
