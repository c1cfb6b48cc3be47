//! SEU, the spectral entropic uncertainty loss: `dice + 0.3 spectral + 0.1 entropy` (Das et al., WACV 2026).

use tch::{TchError, Tensor};

use super::{Bce, Dice, Entropy, EntropyForm, Loss, Spectral, Term, term, weigh};

const SPECTRAL: f64 = 0.3;
const ENTROPY: f64 = 0.1;

const RELEASED: &[Term] =
    &[term(1.0, &Dice), term(SPECTRAL, &Spectral), term(ENTROPY, &Entropy { form: EntropyForm::Released })];
const BINARY: &[Term] =
    &[term(1.0, &Dice), term(SPECTRAL, &Spectral), term(ENTROPY, &Entropy { form: EntropyForm::Binary })];
const WITH_BCE: &[Term] = &[
    term(1.0, &Dice),
    term(SPECTRAL, &Spectral),
    term(ENTROPY, &Entropy { form: EntropyForm::Released }),
    term(1.0, &Bce),
];

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

    fn terms(&self) -> &'static [Term] {
        match self.entropy {
            EntropyForm::Released => RELEASED,
            EntropyForm::Binary => BINARY,
        }
    }

    fn forward(&self, logits: &Tensor, truth: &Tensor) -> Result<Tensor, TchError> {
        Ok(weigh(self.terms(), logits, truth)?.0)
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

    fn terms(&self) -> &'static [Term] {
        WITH_BCE
    }

    fn forward(&self, logits: &Tensor, truth: &Tensor) -> Result<Tensor, TchError> {
        Ok(weigh(self.terms(), logits, truth)?.0)
    }
}
