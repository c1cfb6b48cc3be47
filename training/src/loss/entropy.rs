//! Entropy loss, in two forms: as released with the paper, `mean(-p ln(p + 1e-8))`, which looks at the
//! foreground only; and binary, `mean(-p ln(p + 1e-8) - (1-p) ln(1-p + 1e-8))`. Minimised, either sharpens;
//! neither teaches doubt, which is why engines carry a fitted temperature.

use tch::{Kind, TchError, Tensor};

use super::Loss;

const FLOOR: f64 = 1e-8;

/// Which entropy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntropyForm {
    /// Foreground only, as released.
    Released,
    /// Both classes.
    Binary,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Entropy {
    /// Which.
    pub form: EntropyForm,
}

impl Loss for Entropy {
    fn name(&self) -> &'static str {
        match self.form {
            EntropyForm::Released => "entropy-released",
            EntropyForm::Binary => "entropy-binary",
        }
    }

    fn help(&self) -> &'static str {
        match self.form {
            EntropyForm::Released => "mean of -p ln p",
            EntropyForm::Binary => "mean of -p ln p - (1-p) ln(1-p)",
        }
    }

    fn forward(&self, logits: &Tensor, _truth: &Tensor) -> Result<Tensor, TchError> {
        let surprise = |p: &Tensor| p.f_mul(&p.f_add_scalar(FLOOR)?.f_log()?)?.f_neg();
        let p = logits.f_sigmoid()?;
        let mut entropy = surprise(&p)?;
        if self.form == EntropyForm::Binary {
            // 1 - p, without losing the small ones.
            entropy = entropy.f_add(&surprise(&logits.f_neg()?.f_sigmoid()?)?)?;
        }
        entropy.f_mean(Kind::Float)
    }
}
