//! Binary cross-entropy, mean over pixels: `-g ln p - (1-g) ln(1-p)`; alone and with Dice, for comparison.

use tch::{Reduction, TchError, Tensor};

use super::{Dice, Loss, Term, term, weigh};

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

    fn terms(&self) -> &'static [Term] {
        const TERMS: &[Term] = &[term(1.0, &Dice), term(1.0, &Bce)];
        TERMS
    }

    fn forward(&self, logits: &Tensor, truth: &Tensor) -> Result<Tensor, TchError> {
        Ok(weigh(self.terms(), logits, truth)?.0)
    }
}
