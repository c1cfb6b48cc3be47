//! One training step.

use std::rc::Rc;

use polyp::input::Normalisation;
use polyp::model::{FrameOps, Mode, Network};
use tch::{Device, Kind, Tensor};

use super::optimiser::average;
use super::{AdamW, FitConfig, Precision, first_weights, text_features};
use crate::data::Batch;
use crate::error::TrainingError;
use crate::loss::{self, Loss};
use crate::ops::TchOps;
use crate::variables::Variables;

/// A network being trained: weights, their average, the optimiser.
pub struct Trainer {
    pub(super) network: Network,
    pub(super) variables: Variables,
    pub(super) averaged: Variables,
    pub(super) optimiser: AdamW,
    texts: Vec<Tensor>,
    loss: &'static dyn Loss,
    normalisation: Normalisation,
    compute: Kind,
    average: f64,
}

impl std::fmt::Debug for Trainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer").field("model", &self.network.spec().name).finish_non_exhaustive()
    }
}

/// Bytes `[B,S,S,3]` as network input `[B,3,S,S]`, channels last in memory.
///
/// # Errors
/// When the count does not fit the shape.
pub fn images_to_tensor(
    bytes: &[u8],
    count: usize,
    side: usize,
    normalisation: &Normalisation,
) -> Result<Tensor, TrainingError> {
    let (count, side) = (count as i64, side as i64);
    let x = Tensor::f_from_data_size(bytes, &[count, side, side, 3], Kind::Uint8)?.f_to_kind(Kind::Float)?;
    let x = match normalisation {
        Normalisation::Fixed { mean, std } => {
            x.f_sub(&Tensor::f_from_slice(mean)?)?.f_div(&Tensor::f_from_slice(std)?)?
        }
        Normalisation::ZScorePerImage => {
            let mean = x.f_mean_dim([1, 2].as_slice(), true, Kind::Float)?;
            let spread = x.f_std_dim([1, 2].as_slice(), false, true)?.f_clamp_min(1e-6)?;
            x.f_sub(&mean)?.f_div(&spread)?
        }
    };
    Ok(x.f_permute([0, 3, 1, 2])?)
}

impl Trainer {
    /// A network at its start.
    ///
    /// # Errors
    /// When the configuration's files can not be read.
    pub fn new(config: &FitConfig) -> Result<Self, TrainingError> {
        let network = Network::new(&config.model)?;
        let weights = first_weights(config, &network)?;
        let variables = Variables::new(&network, &weights, &config.frozen, Device::Cpu)?;
        let loss = loss::loss(&config.loss).ok_or_else(|| TrainingError::Field {
            path: "configuration".into(),
            field: "loss".to_owned(),
            expected: "a known loss".to_owned(),
            found: config.loss.clone(),
        })?;
        Ok(Self {
            averaged: variables.detached(),
            optimiser: AdamW::new(&variables, config),
            texts: text_features(config)?,
            loss,
            normalisation: config.normalisation,
            compute: match config.precision {
                Precision::F32 => Kind::Float,
                Precision::Bf16 => Kind::BFloat16,
            },
            average: config.average,
            network,
            variables,
        })
    }

    /// Learns from a batch at a rate; gives its loss.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn step(&mut self, batch: &Batch, rate: f64) -> Result<f64, TrainingError> {
        // The fixed prompt half of the time, one of the others otherwise.
        let others = self.texts.len() as i64 - 1;
        let draw = if others > 0 {
            i64::try_from(Tensor::f_randint(2 * others, [1], (Kind::Int64, Device::Cpu))?)?
        } else {
            0
        };
        let text = self.texts.get(usize::try_from(draw + 1 - others).unwrap_or(0)).unwrap_or(&self.texts[0]);
        let logits = self.logits(&self.variables, Mode::Train, batch, text)?;
        let loss = self.loss.forward(&logits, &self.truth(batch)?)?;
        self.optimiser.step(&loss, rate)?;
        average(&self.averaged, &self.variables, self.average, self.optimiser.steps())?;
        Ok(loss.f_double_value(&[])?)
    }

    /// Loss of a batch, and probabilities `[B,1,S,S]`, of the averaged weights with the fixed prompt.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn judge(&self, batch: &Batch) -> Result<(f64, Tensor, Tensor), TrainingError> {
        tch::no_grad(|| {
            let logits = self.logits(&self.averaged, Mode::Infer, batch, &self.texts[0])?;
            let truth = self.truth(batch)?;
            let loss = self.loss.forward(&logits, &truth)?.f_double_value(&[])?;
            Ok((loss, logits.f_sigmoid()?, truth))
        })
    }

    fn logits(
        &self,
        variables: &Variables,
        mode: Mode,
        batch: &Batch,
        text: &Tensor,
    ) -> Result<Tensor, TrainingError> {
        let side = self.network.spec().side_px;
        let image = images_to_tensor(&batch.images, batch.count, side, &self.normalisation)?;
        let ops = TchOps::new(variables, mode, self.compute);
        let memory = self.network.remember(&ops.exact(), &Rc::new(text.shallow_clone()))?;
        let logits = self.network.forward(&ops, &Rc::new(image), &memory)?;
        debug_assert_eq!(ops.shape(&logits), [batch.count, 1, side, side]);
        Ok(logits.f_to_kind(Kind::Float)?)
    }

    fn truth(&self, batch: &Batch) -> Result<Tensor, TrainingError> {
        let side = self.network.spec().side_px as i64;
        let size = [batch.count as i64, 1, side, side];
        Ok(Tensor::f_from_data_size(&batch.masks, &size, Kind::Uint8)?.f_to_kind(Kind::Float)?)
    }
}
