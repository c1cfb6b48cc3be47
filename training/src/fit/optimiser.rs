//! AdamW (Loshchilov and Hutter, ICLR 2019) and the running average of the weights.
//!
//! Our own, because tch's optimiser can not save its moments, and a resumed run must go on as if unkilled.

use polyp_engine::weights::{Array, Weights};
use tch::{Device, Kind, Tensor};

use super::FitConfig;
use super::rates::Rates;
use crate::error::TrainingError;
use crate::variables::Variables;

const BETAS: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;

/// One parameter's moments.
#[derive(Debug)]
struct Slot {
    path: String,
    parameter: Tensor,
    mean: Tensor,
    square: Tensor,
    decay: f64,
    rate: f64,
}

impl Slot {
    /// Moves the parameter by its clipped `gradient`, whose memory is used up. `first` and `second` are what the moments are
    /// short of yet: the share of the mean, and of the root of the squares.
    fn update(
        &mut self,
        gradient: &Tensor,
        rate: f64,
        (first, second): (f64, f64),
    ) -> Result<(), TrainingError> {
        let rate = rate * self.rate;
        let _mean = self.mean.f_lerp_(gradient, 1.0 - BETAS.0)?;
        // mean / first / (sqrt(square) / second + epsilon), in one piece of memory.
        let work = gradient.f_mul_out(gradient, gradient)?;
        let _square = self.square.f_lerp_(&work, 1.0 - BETAS.1)?;
        let work = self.square.f_sqrt_out(&work)?.f_add_scalar_(EPSILON * second)?;
        let work = self.mean.f_div_out(&work, &work)?.f_mul_scalar_(rate * second / first)?;
        let _kept = self.parameter.f_mul_scalar_(1.0 - rate * self.decay)?;
        let _moved = self.parameter.f_sub_(&work)?;
        Ok(())
    }
}

/// See the module.
#[derive(Debug)]
pub struct AdamW {
    slots: Vec<Slot>,
    steps: u64,
    clip_norm: f64,
}

impl AdamW {
    /// An optimiser of `variables`, at rest.
    pub fn new(variables: &Variables, config: &FitConfig) -> Self {
        let rates = Rates::new(variables.trainable().map(|(path, _)| path), config);
        let slots = variables
            .trainable()
            .map(|(path, tensor)| Slot {
                path: path.to_owned(),
                parameter: tensor.shallow_clone(),
                mean: tensor.detach().zeros_like(),
                square: tensor.detach().zeros_like(),
                decay: if tensor.dim() > 1 { config.weight_decay } else { 0.0 },
                rate: rates.of(path),
            })
            .collect();
        Self { slots, steps: 0, clip_norm: config.clip_norm }
    }

    /// Runs `backward`, and moves every parameter by one step of rate `rate`.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn step(&mut self, loss: &Tensor, rate: f64) -> Result<(), TrainingError> {
        // Gradients of their own: those that libtorch keeps at the parameters would have to be cleared and added to.
        let parameters: Vec<&Tensor> = self.slots.iter().map(|slot| &slot.parameter).collect();
        let gradients = Tensor::f_run_backward(&[loss], &parameters, false, false)?;
        tch::no_grad(|| self.update(&gradients, rate))
    }

    fn update(&mut self, gradients: &[Tensor], rate: f64) -> Result<(), TrainingError> {
        self.steps += 1;
        // What the loss does not depend on has none.
        let all = || gradients.iter().filter(|gradient| gradient.defined());
        // One number is read back, not one for each parameter: on a GPU every reading waits for all that is under way.
        let norms: Vec<Tensor> = all().map(Tensor::f_norm).collect::<Result<_, _>>()?;
        if norms.is_empty() {
            return Ok(());
        }
        let norm = Tensor::f_stack(&norms, 0)?.f_norm()?.f_double_value(&[])?;
        let shrink = (self.clip_norm / (norm + 1e-6)).min(1.0);
        let power = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let (first, second) = (1.0 - BETAS.0.powi(power), (1.0 - BETAS.1.powi(power)).sqrt());
        for (slot, gradient) in self.slots.iter_mut().zip(gradients) {
            if gradient.defined() {
                slot.update(&gradient.f_mul_scalar(shrink)?, rate, (first, second))?;
            }
        }
        Ok(())
    }

    /// The moments, to be saved: `mean.PATH` and `square.PATH`.
    ///
    /// # Errors
    /// When libtorch refuses a copy.
    pub fn save(&self) -> Result<Weights, TrainingError> {
        let mut saved = Weights::default();
        for slot in &self.slots {
            for (part, tensor) in [("mean", &slot.mean), ("square", &slot.square)] {
                saved.insert(format!("{part}.{}", slot.path), array(tensor)?);
            }
        }
        Ok(saved)
    }

    /// Goes on from saved moments after `steps` steps.
    ///
    /// # Errors
    /// When one is missing.
    pub fn load(&mut self, saved: &Weights, steps: u64) -> Result<(), TrainingError> {
        self.steps = steps;
        for slot in &mut self.slots {
            let shape: Vec<usize> =
                slot.parameter.size().into_iter().map(|n| usize::try_from(n).unwrap_or(0)).collect();
            for (part, tensor) in [("mean", &mut slot.mean), ("square", &mut slot.square)] {
                let path = format!("{part}.{}", slot.path);
                let param = polyp::model::Param::new(path, &shape, polyp::model::Init::Constant(0.0));
                let array = saved.get(&param)?;
                let value = Tensor::f_from_slice(&array.values)?.f_reshape(tensor.size())?;
                tensor.f_copy_(&value)?;
            }
        }
        Ok(())
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

fn array(tensor: &Tensor) -> Result<Array, TrainingError> {
    let flat = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_flatten(0, -1)?;
    let shape = tensor.size().into_iter().map(|n| usize::try_from(n).unwrap_or(0)).collect();
    Ok(Array { shape, values: Vec::<f32>::try_from(&flat)? })
}

/// Moves `averaged` a step towards `variables`, buffers included. Early on the average is short, so that the
/// first weights are forgotten: the share kept is `min(keep, (1 + steps) / (10 + steps))`.
pub(super) fn average(
    averaged: &Variables,
    variables: &Variables,
    keep: f64,
    steps: u64,
) -> Result<(), TrainingError> {
    let steps = steps as f64;
    let keep = keep.min((1.0 + steps) / (10.0 + steps));
    tch::no_grad(|| {
        for ((_, mean), (_, now)) in averaged.all().zip(variables.all()) {
            let _moved = mean.shallow_clone().f_lerp_(now, 1.0 - keep)?;
        }
        Ok(())
    })
}
