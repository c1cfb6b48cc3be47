//! A run's folder: what is kept, and going on from it.
//!
//! A checkpoint is written beside its place and then renamed, so that a kill or a full disk leaves the last
//! good one whole.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use polyp_engine::weights::Weights;
use serde::{Deserialize, Serialize};

use super::{EpochMetrics, EpochSums, FitConfig, Trainer};
use crate::error::TrainingError;

/// The best epoch's weights, below the run's folder.
pub const BEST: &str = "checkpoint/best/model.safetensors";
const LAST: &str = "checkpoint/last";
const NEXT: &str = "checkpoint/next";
const OLD: &str = "checkpoint/old";
const CONFIG: &str = "config.toml";
const METRICS: &str = "metrics.jsonl";
const STATE: &str = "state.json";
const MODEL: &str = "model.safetensors";
const AVERAGED: &str = "averaged.safetensors";
const OPTIMISER: &str = "optimiser.safetensors";

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Epochs done.
    pub epoch: usize,
    /// The best of them, from 1; 0 before there is one.
    pub best_epoch: usize,
    /// Its validation Dice.
    pub best_dice: f64,
    /// Optimiser steps taken.
    pub steps: u64,
    /// The epoch that is not done yet.
    #[serde(default)]
    pub sums: EpochSums,
    /// A line for every epoch done.
    pub metrics: Vec<EpochMetrics>,
}

/// A run's folder.
#[derive(Debug)]
pub struct Checkpoint {
    run: PathBuf,
}

impl Checkpoint {
    /// The folder `run`.
    pub fn new(run: &Path) -> Self {
        Self { run: run.to_owned() }
    }

    /// Makes the folder for a new run, or brings `trainer` to where the run in it stood.
    ///
    /// # Errors
    /// When there is a run and `resume` is not set, or none and it is, or its configuration differs.
    pub fn start(
        &self,
        config: &FitConfig,
        trainer: &mut Trainer,
        resume: bool,
    ) -> Result<State, TrainingError> {
        let config_path = self.run.join(CONFIG);
        let found = |expected: &str, found: &str| TrainingError::Field {
            path: self.run.clone(),
            field: CONFIG.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        };
        if !resume {
            if config_path.exists() {
                return Err(found("a folder without a run, or --resume to go on with it", "a run"));
            }
            let folder = self.run.join("checkpoint/best");
            fs::create_dir_all(&folder).map_err(TrainingError::file("make", &folder))?;
            let text = toml::to_string_pretty(config)
                .map_err(|error| found("a configuration that can be written", &error.to_string()))?;
            fs::write(&config_path, text).map_err(TrainingError::file("write", &config_path))?;
            return Ok(State::default());
        }
        if FitConfig::read(&config_path)? != *config {
            return Err(found("the configuration that the run was started with", "another"));
        }
        let last = self.run.join(LAST);
        let old = self.run.join(OLD);
        if !last.exists() && old.exists() {
            // Killed between the two renames of `keep_last`.
            fs::rename(&old, &last).map_err(TrainingError::file("move", &old))?;
        }
        let state_path = last.join(STATE);
        if !state_path.exists() {
            // Killed before its first checkpoint.
            return Ok(State::default());
        }
        let text = fs::read_to_string(&state_path).map_err(TrainingError::file("read", &state_path))?;
        let state: State = serde_json::from_str(&text).map_err(|error| TrainingError::Field {
            path: state_path,
            field: "(file)".to_owned(),
            expected: "a checkpoint's state in JSON".to_owned(),
            found: error.to_string(),
        })?;
        trainer.variables.load(&last.join(MODEL), &trainer.network)?;
        trainer.averaged.load(&last.join(AVERAGED), &trainer.network)?;
        trainer.optimiser.load(&Weights::read_safetensors(&last.join(OPTIMISER))?, state.steps)?;
        self.write_metrics(&state)?;
        Ok(state)
    }

    /// Keeps the averaged weights as the best so far.
    ///
    /// # Errors
    /// When they can not be written.
    pub fn keep_best(&self, trainer: &Trainer) -> Result<(), TrainingError> {
        Ok(trainer.averaged.weights()?.write_safetensors(&self.run.join(BEST))?)
    }

    /// Keeps everything to go on with, and the metrics so far.
    ///
    /// # Errors
    /// When it can not be written; the checkpoint before it is then still whole.
    pub fn keep_last(&self, trainer: &Trainer, state: &State) -> Result<(), TrainingError> {
        let last = self.run.join(LAST);
        let (next, old) = (self.run.join(NEXT), self.run.join(OLD));
        if next.exists() {
            fs::remove_dir_all(&next).map_err(TrainingError::file("remove", &next))?;
        }
        fs::create_dir_all(&next).map_err(TrainingError::file("make", &next))?;
        trainer.variables.weights()?.write_safetensors(&next.join(MODEL))?;
        trainer.averaged.weights()?.write_safetensors(&next.join(AVERAGED))?;
        trainer.optimiser.save()?.write_safetensors(&next.join(OPTIMISER))?;
        let state = State { steps: trainer.optimiser.steps(), ..state.clone() };
        write_json(&next.join(STATE), &state)?;
        if last.exists() {
            if old.exists() {
                fs::remove_dir_all(&old).map_err(TrainingError::file("remove", &old))?;
            }
            fs::rename(&last, &old).map_err(TrainingError::file("move", &last))?;
        }
        fs::rename(&next, &last).map_err(TrainingError::file("move", &next))?;
        if old.exists() {
            fs::remove_dir_all(&old).map_err(TrainingError::file("remove", &old))?;
        }
        self.write_metrics(&state)
    }

    fn write_metrics(&self, state: &State) -> Result<(), TrainingError> {
        let path = self.run.join(METRICS);
        let mut lines = String::new();
        for metrics in &state.metrics {
            lines.push_str(&serde_json::to_string(metrics).unwrap_or_default());
            lines.push('\n');
        }
        fs::write(&path, lines).map_err(TrainingError::file("write", &path))
    }
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), TrainingError> {
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(path)?;
        file.write_all(&serde_json::to_vec_pretty(value)?)?;
        file.sync_all()
    };
    write().map_err(TrainingError::file("write", path))
}
