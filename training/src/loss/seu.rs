//! SEU, the spectral entropic uncertainty loss: `dice + 0.3 spectral + 0.1 entropy` (Das et al., WACV 2026).

use tch::{TchError, Tensor};

use super::{Bce, Dice, Entropy, EntropyForm, Loss, Spectral};

const SPECTRAL: f64 = 0.3;
const ENTROPY: f64 = 0.1;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Seu {
    /// Which entropy.
    pub entropy: EntropyForm,
}

impl Loss for Seu {
    fn name(&self) -> &'static str {
        match self.entropy {
            EntropyForm::Released => "seu",
            EntropyForm::Binary => "seu-binary",
        }
    }

    fn help(&self) -> &'static str {
        match self.entropy {
            EntropyForm::Released => "dice + 0.3 spectral + 0.1 entropy-released: the paper's loss",
            EntropyForm::Binary => "dice + 0.3 spectral + 0.1 entropy-binary",
        }
    }

    fn forward(&self, logits: &Tensor, truth: &Tensor) -> Result<Tensor, TchError> {
        let spectral = Spectral.forward(logits, truth)?.f_mul_scalar(SPECTRAL)?;
        let entropy = Entropy { form: self.entropy }.forward(logits, truth)?.f_mul_scalar(ENTROPY)?;
        Dice.forward(logits, truth)?.f_add(&spectral)?.f_add(&entropy)
    }
}

/// SEU as released, plus binary cross-entropy: `seu + bce`. SEU alone asks for sure answers, right or wrong, and the
/// logits that come of it are far too large; cross-entropy is smallest where probabilities are true.
#[derive(Clone, Copy, Debug)]
pub struct SeuBce;

impl Loss for SeuBce {
    fn name(&self) -> &'static str {
        "seu-bce"
    }

    fn help(&self) -> &'static str {
        "seu + bce"
    }

    fn forward(&self, logits: &Tensor, truth: &Tensor) -> Result<Tensor, TchError> {
        let seu = Seu { entropy: EntropyForm::Released }.forward(logits, truth)?;
        seu.f_add(&Bce.forward(logits, truth)?)
    }
}
