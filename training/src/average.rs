//! One network out of several runs: the mean of their best weights, a "model soup" (Wortsman et al., ICML 2022).
//!
//! It means something only for runs that started from the same trained weights and stayed near each other: see
//! `start` of a run's configuration. Whether it pays is a matter of the validation side; calibrate the result.

use std::path::{Path, PathBuf};

use polyp_engine::weights::{Array, Weights};
use serde::Serialize;

use crate::error::TrainingError;
use crate::fit::{BEST, FitConfig};
use crate::json;

/// The file that says what a run's weights are the mean of, below the run's folder.
const FILE: &str = "average.json";

/// What was averaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Averaged {
    /// The runs' folders and the sha256 of their best weights, in hexadecimal.
    pub runs: Vec<(PathBuf, String)>,
    /// The sha256 of the mean.
    pub weights_sha256: String,
}

/// Makes the run `out`, whose best checkpoint is the mean of the best checkpoints of `runs`; its configuration is the
/// first one's.
///
/// # Errors
/// [`TrainingError`] when there are fewer than two runs, `out` has a run already, a run can not be read, or the runs
/// differ in network, input or prompt.
pub fn average(runs: &[PathBuf], out: &Path) -> Result<Averaged, TrainingError> {
    let [first, others @ ..] = runs else { return Err(few(out, runs.len())) };
    if others.is_empty() {
        return Err(few(out, runs.len()));
    }
    let path = out.join("config.toml");
    if path.exists() {
        return Err(TrainingError::field(out, "config.toml", "a folder without a run", "a run"));
    }
    let config = FitConfig::read(&first.join("config.toml"))?;
    let mut sum = Weights::read_safetensors(&first.join(BEST))?;
    let mut averaged = Averaged { runs: vec![(first.clone(), sum.sha256())], weights_sha256: String::new() };
    for run in others {
        agree(run, &config)?;
        let weights = Weights::read_safetensors(&run.join(BEST))?;
        averaged.runs.push((run.clone(), weights.sha256()));
        sum = zip(&run.join(BEST), &sum, &weights, |sum, value| sum + value)?;
    }
    let share = 1.0 / runs.len() as f32;
    let mean: Weights = sum
        .into_iter()
        .map(|(name, array)| {
            (name, Array { values: array.values.iter().map(|v| v * share).collect(), ..array })
        })
        .collect();
    averaged.weights_sha256 = mean.sha256();
    let best = out.join(BEST);
    if let Some(folder) = best.parent() {
        std::fs::create_dir_all(folder).map_err(TrainingError::file("make", folder))?;
    }
    mean.write_safetensors(&best)?;
    json::write(&out.join(FILE), &averaged)?;
    let from = first.join("config.toml");
    // Last, so that a folder with a configuration is a whole run.
    std::fs::copy(&from, &path).map_err(TrainingError::file("copy", &from))?;
    Ok(averaged)
}

fn few(out: &Path, found: usize) -> TrainingError {
    TrainingError::field(out, "runs", "at least two to average", found.to_string())
}

/// Refuses a run whose network, input or prompt is another than `config`'s.
fn agree(run: &Path, config: &FitConfig) -> Result<(), TrainingError> {
    let path = run.join("config.toml");
    let other = FitConfig::read(&path)?;
    let shown = |config: &FitConfig| {
        [
            ("model", format!("{:?}", config.model)),
            ("normalisation", format!("{:?}", config.normalisation)),
            ("prompt", config.prompt.clone()),
            ("text_encoder", config.text_encoder.display().to_string()),
        ]
    };
    for ((field, expected), (_, found)) in shown(config).into_iter().zip(shown(&other)) {
        if expected != found {
            return Err(TrainingError::field(
                &path,
                field,
                format!("{expected}, as the first run has"),
                found,
            ));
        }
    }
    Ok(())
}

/// Two sets of weights of the same names and shapes, element by element.
fn zip(
    path: &Path,
    left: &Weights,
    right: &Weights,
    join: impl Fn(f32, f32) -> f32,
) -> Result<Weights, TrainingError> {
    left.iter()
        .map(|(name, array)| {
            let other = right.named(name).filter(|other| other.shape == array.shape).ok_or_else(|| {
                TrainingError::field(path, name, format!("values {:?}", array.shape), "none of that shape")
            })?;
            let values = array.values.iter().zip(&other.values).map(|(&a, &b)| join(a, b)).collect();
            Ok((name.to_owned(), Array { shape: array.shape.clone(), values }))
        })
        .collect()
}
