//! Training: epochs over an HDF5 set, the best one on its validation split, resumable after a kill.
//!
//! A run is a folder:
//!
//! | file | what |
//! |---|---|
//! | `config.toml` | the configuration as resolved |
//! | `metrics.jsonl` | one line per epoch: losses, Dice, rates, seconds |
//! | `checkpoint/last/` | everything to go on with: weights, averaged weights, optimiser, state |
//! | `checkpoint/best/model.safetensors` | the averaged weights of the best epoch on validation |
//!
//! A kill costs at most the epoch it falls into: random numbers depend on seed and epoch only, so a resumed
//! run draws what the unkilled one would have.
//!
//! Not here: data ([`crate::data`]), test scores (never looked at while training), temperatures.

mod checkpoint;
mod config;
mod optimiser;
mod schedule;
mod start;
mod step;
mod validate;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub use checkpoint::{BEST, Checkpoint, State};
pub use config::{FitConfig, Precision};
pub use optimiser::AdamW;
pub use schedule::Schedule;
use serde::{Deserialize, Serialize};
pub use start::{first_weights, text_features};
pub use step::{Trainer, images_to_tensor};
pub use validate::{Validation, validate};

use crate::data::{DataSet, Loader, Split};
use crate::error::TrainingError;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// From 1.
    pub epoch: usize,
    /// Mean training loss.
    pub train_loss: f64,
    /// Loss of the averaged weights on the validation split.
    pub validation_loss: f64,
    /// Per-image Dice of the averaged weights on the validation split, at the network's resolution.
    pub validation_dice: f64,
    /// Learning rate at the epoch's end.
    pub learning_rate: f64,
    /// Seconds the epoch took, validation included.
    pub seconds: f64,
    /// Whether it is the best so far.
    pub best: bool,
}

/// Where a run stands, for a progress bar.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// From 1.
    pub epoch: usize,
    /// Of so many.
    pub epochs: usize,
    /// Steps done in this epoch.
    pub step: usize,
    /// Steps in an epoch.
    pub steps: usize,
    /// Mean loss of the epoch so far.
    pub loss: f64,
    /// Best validation Dice so far; 0 before the first epoch's end.
    pub best_dice: f64,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The best epoch, from 1.
    pub best_epoch: usize,
    /// Its validation Dice.
    pub best_dice: f64,
    /// Epochs that were trained in all.
    pub epochs: usize,
}

/// Trains into the folder `run`, from where it stands if `resume` is set; `watch` hears of every step.
///
/// # Errors
/// [`TrainingError`]: a configuration that does not fit, data or files that can not be read or written, or a
/// loss that is no longer a number. The last good checkpoint is kept.
pub fn fit(
    config: &FitConfig,
    data: &Arc<DataSet>,
    run: &Path,
    resume: bool,
    watch: &mut dyn FnMut(Progress),
) -> Result<Outcome, TrainingError> {
    config.check()?;
    tch::set_num_threads(i32::try_from(config.threads).unwrap_or(1));
    let train = data.indices(Split::Train);
    let validation = data.indices(Split::Validation);
    config.check_data(data.path(), train.len(), validation.len())?;
    let mut trainer = Trainer::new(config)?;
    let checkpoint = Checkpoint::new(run);
    let mut state = checkpoint.start(config, &mut trainer, resume)?;
    let steps = train.len() / config.batch;
    let schedule = Schedule::new(config, steps);
    for epoch in state.epoch + 1..=config.epochs {
        let started = Instant::now();
        tch::manual_seed(config.seed.wrapping_mul(1_000_003).wrapping_add(epoch as u64) as i64);
        let loader = Loader::start(
            data,
            train.clone(),
            config.model.side_px,
            config.batch,
            Some(config.augment.clone()),
            config.seed,
            epoch as u64,
            config.loader_threads,
        )?;
        let mut sum = 0.0;
        for (step, batch) in loader.take(steps).enumerate() {
            let rate = schedule.rate(epoch - 1, step);
            let loss = trainer.step(&batch?, rate)?;
            if !loss.is_finite() {
                return Err(TrainingError::NotFinite { epoch, step, found: loss });
            }
            sum += loss;
            let (done, epochs) = (step + 1, config.epochs);
            let loss = sum / done as f64;
            watch(Progress { epoch, epochs, step: done, steps, loss, best_dice: state.best_dice });
        }
        let seen = validate(&trainer, config, data, &validation)?;
        // The first is kept whatever it is: a run always has a checkpoint to look at.
        let best = state.best_epoch == 0 || seen.dice > state.best_dice;
        if best {
            state.best_dice = seen.dice;
            state.best_epoch = epoch;
            checkpoint.keep_best(&trainer)?;
        }
        state.epoch = epoch;
        state.metrics.push(EpochMetrics {
            epoch,
            train_loss: sum / steps as f64,
            validation_loss: seen.loss,
            validation_dice: seen.dice,
            learning_rate: schedule.rate(epoch - 1, steps.saturating_sub(1)),
            seconds: started.elapsed().as_secs_f64(),
            best,
        });
        checkpoint.keep_last(&trainer, &state)?;
        tracing::info!(
            "epoch {epoch}/{}: training loss {:.4}, validation loss {:.4}, Dice {:.4}{}",
            config.epochs,
            sum / steps as f64,
            seen.loss,
            seen.dice,
            if best { ", the best so far" } else { "" }
        );
        if epoch - state.best_epoch >= config.patience {
            tracing::info!(
                epoch,
                best_epoch = state.best_epoch,
                "no better epoch within the patience: stopping"
            );
            break;
        }
    }
    Ok(Outcome { best_epoch: state.best_epoch, best_dice: state.best_dice, epochs: state.epoch })
}
