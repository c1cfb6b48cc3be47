//! From a run's folder to an engine folder: the frame graph as ONNX, the prompt side, the fixed prompt's
//! memory, the temperature, and a manifest with every figure that the run was scored with.
//!
//! Not here: the folder's layout (`polyp_engine::folder`).

use std::path::{Path, PathBuf};

use polyp_engine::folder::{EngineFolder, NewFolder, write_folder};
use polyp_engine::manifest::{DataSource, Metric};

use crate::TrainingError;
use crate::calibrate::Calibration;
use crate::predict::{Predictor, Trained};
use crate::score::ScoreReport;

/// Writes the engine folder `out` of the best checkpoint in `run`, which was calibrated and may have been
/// scored. `name` is what the engine is called, `text_encoder` its text encoder.
///
/// # Errors
/// [`TrainingError`] when the run is not calibrated, a calibration or a score is of other weights, another
/// prompt or another temperature than is exported, or the folder can not be written.
pub fn export(run: &Path, name: &str, text_encoder: &str, out: &Path) -> Result<EngineFolder, TrainingError> {
    let trained = Trained::open(run, None)?;
    let Some(calibration) = Calibration::of(run)? else {
        let path = Calibration::path(run);
        return Err(TrainingError::field(&path, "(file)", "a calibration (polyp-train calibrate)", "none"));
    };
    let path = Calibration::path(run);
    same(&path, "weights_sha256", trained.weights_sha256(), &calibration.weights_sha256)?;
    same(&path, "prompt", trained.prompt(), &calibration.prompt)?;
    let (metrics, scored) = scores(run, &trained, &calibration)?;
    let mut data = calibration.data;
    data.extend(scored.into_iter().filter(|line| line.split == "test"));
    data.dedup();
    let config = trained.config();
    let new = NewFolder {
        name: name.to_owned(),
        model: config.model.clone(),
        input: config.input(),
        temperature: calibration.temperature,
        contour_95: calibration.contour_95,
        text_encoder: text_encoder.to_owned(),
        weights: "trained".to_owned(),
        data,
        metrics,
    };
    Ok(write_folder(out, new, trained.weights(), trained.memory())?)
}

/// The figures of every score of the run's fixed prompt, and what they were measured on.
fn scores(
    run: &Path,
    trained: &Trained,
    calibration: &Calibration,
) -> Result<(Vec<Metric>, Vec<DataSource>), TrainingError> {
    let (mut metrics, mut data) = (Vec::new(), Vec::new());
    for path in reports(&run.join("scores"))? {
        let report = ScoreReport::read(&path)?;
        same(&path, "weights_sha256", trained.weights_sha256(), &report.weights_sha256)?;
        same(&path, "temperature", &calibration.temperature.to_string(), &report.temperature.to_string())?;
        let level = |level: Option<f32>| level.map_or_else(|| "none".to_owned(), |level| level.to_string());
        same(&path, "contour_95", &level(calibration.contour_95), &level(report.contour_95))?;
        for metric in &report.metrics {
            same(&path, "metrics.prompt", trained.prompt(), &metric.prompt)?;
        }
        metrics.extend(report.metrics);
        data.extend(report.data);
    }
    Ok((metrics, data))
}

/// Refuses a report about something else than is exported.
fn same(path: &Path, field: &str, expected: &str, found: &str) -> Result<(), TrainingError> {
    if expected == found {
        return Ok(());
    }
    let expected = format!("{expected}, as is exported (measure again, or remove the file)");
    Err(TrainingError::field(path, field, expected, found))
}

/// The reports of a folder, in the order of their names; none when there is no folder.
fn reports(folder: &Path) -> Result<Vec<PathBuf>, TrainingError> {
    let mut paths = Vec::new();
    if !folder.exists() {
        return Ok(paths);
    }
    for entry in std::fs::read_dir(folder).map_err(TrainingError::file("list", folder))? {
        let path = entry.map_err(TrainingError::file("list", folder))?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
