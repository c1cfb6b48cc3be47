//! Training: epochs over an HDF5 set, the best one on its validation split, resumable after a kill.
//!
//! A run is a folder:
//!
//! | file | what |
//! |---|---|
//! | `config.toml` | the configuration as resolved |
//! | `origin.json` | what it was started with: program, sources, data, device |
//! | `metrics.jsonl` | one line per epoch: loss and its terms, Dice, rates, seconds |
//! | `learning.svg` | the same, drawn |
//! | `checkpoint/last/` | everything to go on with: weights, averaged weights, optimiser, state |
//! | `checkpoint/best/model.safetensors` | the averaged weights of the best epoch on validation |
//!
//! A kill costs at most `checkpoint_steps` steps: random numbers depend on seed, epoch, step and picture only, so a
//! resumed run draws what the unkilled one would have, and on one CPU its curve is the same to the last digit.
//!
//! Not here: data ([`crate::data`]), test scores (never looked at while training), temperatures.

mod checkpoint;
mod config;
mod metrics;
mod optimiser;
mod origin;
mod prompts;
mod rates;
mod schedule;
mod start;
mod step;
mod validate;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub use checkpoint::{BEST, Checkpoint, State};
pub use config::{FitConfig, Precision};
pub use metrics::{EpochMetrics, EpochSums, Progress};
pub use optimiser::AdamW;
pub use origin::Origin;
pub use prompts::{PromptMix, Prompter, Texts};
pub use schedule::Schedule;
pub use start::first_weights;
pub use step::{StepLoss, Trainer, images_to_tensor};
use tch::Device;
pub use validate::{Validation, validate};

use crate::data::{DataSet, Loader, Pass, Split};
use crate::error::TrainingError;
use crate::plot::learning_curves;

/// The learning curves, below the run's folder.
pub const CURVES: &str = "learning.svg";

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

/// Trains into the folder `run` on `device`, from where it stands if `resume` is set; `watch` hears of every step.
///
/// # Errors
/// [`TrainingError`]: a configuration that does not fit, a device that is not there, data or files that can not be
/// read or written, or a loss that is no longer a number. The last good checkpoint is kept.
pub fn fit(
    config: &FitConfig,
    data: &Arc<DataSet>,
    run: &Path,
    device: Device,
    resume: bool,
    watch: &mut dyn FnMut(&Progress<'_>),
) -> Result<Outcome, TrainingError> {
    config.check()?;
    check_device(device)?;
    tch::set_num_threads(i32::try_from(config.threads).unwrap_or(1));
    let train = data.indices(Split::Train);
    let validation = data.indices(Split::Validation);
    config.check_data(data.path(), train.len(), validation.len())?;
    let mut trainer = Trainer::new(config, device)?;
    let checkpoint = Checkpoint::new(run);
    let mut state = checkpoint.start(config, &mut trainer, resume)?;
    Origin::of(data, device).write(run)?;
    let steps = train.len() / config.batch;
    let schedule = Schedule::new(config, steps);
    for epoch in state.epoch + 1..=config.epochs {
        let started = Instant::now();
        let skip = state.sums.steps;
        let loader = Loader::start(data, train.clone(), pass(config, epoch, skip))?;
        for (step, batch) in loader.take(steps - skip).enumerate().map(|(n, batch)| (skip + n, batch)) {
            // What the network drops at random depends on the step alone, wherever the run was gone on with.
            tch::manual_seed(seed(config.seed, epoch, step));
            let loss = trainer.step(data.infos(), &batch?, epoch as u64, schedule.rate(epoch - 1, step))?;
            if !loss.total.is_finite() {
                return Err(TrainingError::NotFinite { epoch, step, found: loss.total });
            }
            state.sums.add(&loss);
            let done = step + 1;
            watch(&Progress {
                epoch,
                epochs: config.epochs,
                steps,
                sums: &state.sums,
                terms: &trainer.terms(),
                best_dice: state.best_dice,
                pictures_per_s: ((done - skip) * config.batch) as f64 / started.elapsed().as_secs_f64(),
            });
            if done % config.checkpoint_steps == 0 && done < steps {
                checkpoint.keep_last(&trainer, &state)?;
            }
        }
        let learned_s = started.elapsed().as_secs_f64();
        let seen = validate(&mut trainer, config, data, &validation)?;
        // The first is kept whatever it is: a run always has a checkpoint to look at.
        let best = state.best_epoch == 0 || seen.dice > state.best_dice;
        if best {
            state.best_dice = seen.dice;
            state.best_epoch = epoch;
            checkpoint.keep_best(&trainer)?;
        }
        state.epoch = epoch;
        let sums = std::mem::take(&mut state.sums);
        let metrics = EpochMetrics {
            epoch,
            train_loss: sums.mean(),
            train_terms: sums.named(&trainer.terms()),
            validation_loss: seen.loss,
            validation_dice: seen.dice,
            learning_rate: schedule.rate(epoch - 1, steps.saturating_sub(1)),
            pictures_per_s: ((steps - skip) * config.batch) as f64 / learned_s,
            seconds: started.elapsed().as_secs_f64(),
            best,
        };
        tracing::info!("{}", metrics.line(config.epochs));
        state.metrics.push(metrics);
        checkpoint.keep_last(&trainer, &state)?;
        let curves = run.join(CURVES);
        std::fs::write(&curves, learning_curves(&state.metrics)?)
            .map_err(TrainingError::file("write", &curves))?;
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

/// How the pictures of an epoch are made.
fn pass(config: &FitConfig, epoch: usize, skip: usize) -> Pass {
    Pass {
        side: config.model.side_px,
        batch: config.batch,
        augment: Some(config.augment.clone()),
        seed: config.seed,
        epoch: epoch as u64,
        skip,
        threads: config.loader_threads,
    }
}

fn seed(seed: u64, epoch: usize, step: usize) -> i64 {
    crate::data::Random::new(&[seed, epoch as u64, step as u64]).bits() as i64
}

/// Refuses a GPU that libtorch does not see.
fn check_device(device: Device) -> Result<(), TrainingError> {
    let Device::Cuda(index) = device else { return Ok(()) };
    let count = tch::Cuda::device_count();
    if (index as i64) < count {
        return Ok(());
    }
    let found =
        format!("{count} (on a machine with a GPU, LD_LIBRARY_PATH has to name a libtorch with CUDA)");
    Err(TrainingError::field("--device".as_ref(), format!("cuda:{index}"), "that GPU", found))
}
