//! Binary cross-entropy, mean over pixels: `-g ln p - (1-g) ln(1-p)`; alone and with Dice, for comparison.

use tch::{Reduction, TchError, Tensor};

use super::{Dice, Loss};

/// Cross-entropy alone.
#[derive(Clone, Copy, Debug)]
pub struct Bce;

/// Dice plus cross-entropy.
#[derive(Clone, Copy, Debug)]
pub struct DiceBce;

impl Loss for Bce {
    fn name(&self) -> &'static str {
        "bce"
    }

    fn help(&self) -> &'static str {
        "binary cross-entropy, mean over pixels"
    }

    fn forward(&self, logits: &Tensor, truth: &Tensor) -> Result<Tensor, TchError> {
        logits.f_binary_cross_entropy_with_logits(truth, None::<&Tensor>, None::<&Tensor>, Reduction::Mean)
    }
}

impl Loss for DiceBce {
    fn name(&self) -> &'static str {
        "dice-bce"
    }

    fn help(&self) -> &'static str {
        "dice + bce"
    }

    fn forward(&self, logits: &Tensor, truth: &Tensor) -> Result<Tensor, TchError> {
        Dice.forward(logits, truth)?.f_add(&Bce.forward(logits, truth)?)
    }
}
