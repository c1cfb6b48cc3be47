//! How good the averaged weights are on the validation split, at the network's resolution.

use std::sync::Arc;

use tch::Kind;

use super::{FitConfig, Trainer};
use crate::data::{DataSet, Loader, Pass};
use crate::error::TrainingError;

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validation {
    /// Mean loss over pictures.
    pub loss: f64,
    /// Mean over pictures of Dice at probability 0.5; an empty truth met with an empty mask is 1.
    pub dice: f64,
}

/// Runs the pictures `indices`, not augmented.
///
/// # Errors
/// When a picture can not be read.
pub fn validate(
    trainer: &mut Trainer,
    config: &FitConfig,
    data: &Arc<DataSet>,
    indices: &[usize],
) -> Result<Validation, TrainingError> {
    let pass = Pass {
        side: config.model.side_px,
        batch: config.batch,
        augment: None,
        seed: config.seed,
        epoch: 0,
        skip: 0,
        threads: config.loader_threads,
    };
    let loader = Loader::start(data, indices.to_vec(), pass)?;
    let (mut loss_sum, mut dice_sum, mut count) = (0.0, 0.0, 0.0);
    for batch in loader {
        let batch = batch?;
        let (loss, probability, truth) = trainer.judge(&batch)?;
        let mask = probability.f_gt(0.5)?.f_to_kind(Kind::Float)?;
        let sum = |x: &tch::Tensor| x.f_sum_dim_intlist([1, 2, 3].as_slice(), false, Kind::Float);
        let both = Vec::<f32>::try_from(sum(&mask.f_mul(&truth)?)?)?;
        let each = Vec::<f32>::try_from(sum(&mask.f_add(&truth)?)?)?;
        for (both, each) in both.iter().zip(&each) {
            dice_sum += if *each == 0.0 { 1.0 } else { f64::from(2.0 * both / each) };
        }
        loss_sum += loss * batch.count as f64;
        count += batch.count as f64;
    }
    Ok(Validation { loss: loss_sum / count, dice: dice_sum / count })
}
