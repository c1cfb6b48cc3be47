//! One training step.

use std::rc::Rc;

use polyp::input::Normalisation;
use polyp::model::{FrameOps, Mode, Network};
use tch::{Device, Kind, Tensor};

use super::optimiser::average;
use super::prompts::{Prompter, Texts};
use super::{AdamW, FitConfig, Precision, first_weights};
use crate::data::{Batch, Info};
use crate::error::TrainingError;
use crate::loss::{self, Loss, Term};
use crate::ops::TchOps;
use crate::variables::Variables;

/// A network being trained: weights, their average, the optimiser.
pub struct Trainer {
    pub(super) network: Network,
    pub(super) variables: Variables,
    pub(super) averaged: Variables,
    pub(super) optimiser: AdamW,
    prompter: Prompter,
    loss: &'static dyn Loss,
    normalisation: Normalisation,
    compute: Kind,
    average: f64,
    device: Device,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq)]
pub struct StepLoss {
    /// The loss.
    pub total: f64,
    /// Its terms before they are weighted, in the order of [`Trainer::terms`].
    pub terms: Vec<f64>,
}

impl std::fmt::Debug for Trainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer").field("model", &self.network.spec().name).finish_non_exhaustive()
    }
}

/// Bytes `[B,S,S,3]` as network input `[B,3,S,S]` on `device`, channels last in memory.
///
/// # Errors
/// When the count does not fit the shape.
pub fn images_to_tensor(
    bytes: &[u8],
    count: usize,
    side: usize,
    normalisation: &Normalisation,
    device: Device,
) -> Result<Tensor, TrainingError> {
    let (count, side) = (count as i64, side as i64);
    let x = Tensor::f_from_data_size(bytes, &[count, side, side, 3], Kind::Uint8)?;
    let x = x.f_to_device(device)?.f_to_kind(Kind::Float)?;
    let x = match normalisation {
        Normalisation::Fixed { mean, std } => {
            let on_device = |values: &[f32]| Tensor::f_from_slice(values)?.f_to_device(device);
            x.f_sub(&on_device(mean)?)?.f_div(&on_device(std)?)?
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
    /// A network at its start, on `device`.
    ///
    /// # Errors
    /// When the configuration's files can not be read.
    pub fn new(config: &FitConfig, device: Device) -> Result<Self, TrainingError> {
        let network = Network::new(&config.model)?;
        let weights = first_weights(config, &network)?;
        let variables = Variables::new(&network, &weights, &config.frozen, device)?;
        let loss = loss::loss(&config.loss).ok_or_else(|| TrainingError::Field {
            path: "configuration".into(),
            field: "loss".to_owned(),
            expected: "a known loss".to_owned(),
            found: config.loss.clone(),
        })?;
        Ok(Self {
            averaged: variables.detached(),
            optimiser: AdamW::new(&variables, config),
            prompter: Prompter::new(config, device)?,
            loss,
            normalisation: config.normalisation,
            compute: match config.precision {
                Precision::F32 => Kind::Float,
                Precision::Bf16 => Kind::BFloat16,
            },
            average: config.average,
            device,
            network,
            variables,
        })
    }

    /// The terms of the loss; the loss alone where it is no sum.
    pub fn terms(&self) -> Vec<Term> {
        match self.loss.terms() {
            [] => vec![Term { weight: 1.0, loss: self.loss }],
            terms => terms.to_vec(),
        }
    }

    /// Learns at a rate from a batch, whose pictures draw the texts of epoch `epoch`; gives its loss. `infos` says what is
    /// known of the data set's pictures.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn step(
        &mut self,
        infos: &[Info],
        batch: &Batch,
        epoch: u64,
        rate: f64,
    ) -> Result<StepLoss, TrainingError> {
        let texts = self.prompter.draw(infos, &batch.indices, epoch)?;
        let logits = self.logits(&self.variables, Mode::Train, batch, &texts)?;
        let (loss, terms) = loss::weigh(&self.terms(), &logits, &self.truth(batch)?)?;
        self.optimiser.step(&loss, rate)?;
        average(&self.averaged, &self.variables, self.average, self.optimiser.steps())?;
        let number = |value: &Tensor| value.f_double_value(&[]);
        Ok(StepLoss { total: number(&loss)?, terms: terms.iter().map(number).collect::<Result<_, _>>()? })
    }

    /// Loss of a batch, and probabilities `[B,1,S,S]`, of the averaged weights with the fixed prompt.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn judge(&mut self, batch: &Batch) -> Result<(f64, Tensor, Tensor), TrainingError> {
        let texts = self.prompter.fixed()?;
        tch::no_grad(|| {
            let logits = self.logits(&self.averaged, Mode::Infer, batch, &texts)?;
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
        texts: &Texts,
    ) -> Result<Tensor, TrainingError> {
        let side = self.network.spec().side_px;
        let image = images_to_tensor(&batch.images, batch.count, side, &self.normalisation, self.device)?;
        let ops = TchOps::new(variables, mode, self.compute);
        let mut memory = self.network.remember(&ops.exact(), &Rc::new(texts.features.shallow_clone()))?;
        if let Some(places) = &texts.places {
            for level in &mut memory {
                if let Some(key) = &mut level.key {
                    *key = Rc::new(key.f_index_select(0, places)?);
                }
                level.value = Rc::new(level.value.f_index_select(0, places)?);
            }
        }
        let logits = self.network.forward(&ops, &Rc::new(image), &memory)?;
        debug_assert_eq!(ops.shape(&logits), [batch.count, 1, side, side]);
        Ok(logits.f_to_kind(Kind::Float)?)
    }

    fn truth(&self, batch: &Batch) -> Result<Tensor, TrainingError> {
        let side = self.network.spec().side_px as i64;
        let size = [batch.count as i64, 1, side, side];
        let truth = Tensor::f_from_data_size(&batch.masks, &size, Kind::Uint8)?;
        Ok(truth.f_to_device(self.device)?.f_to_kind(Kind::Float)?)
    }
}
