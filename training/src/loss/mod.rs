//! What the network is told to make small.
//!
//! A loss takes logits `[B,1,S,S]` and truth `[B,1,S,S]` (0 or 1), both float32, and gives a scalar. Adding
//! one: a file here, a line in [`LOSSES`]. One that is a weighted sum of others says so ([`Loss::terms`]), so that a
//! run can show how large each is.

mod bce;
mod dice;
mod entropy;
mod seu;
mod spectral;
#[cfg(test)]
mod tests;

pub use bce::{Bce, DiceBce};
pub use dice::Dice;
pub use entropy::{Entropy, EntropyForm};
pub use seu::{Seu, SeuBce};
pub use spectral::Spectral;
use tch::{TchError, Tensor};

/// One loss.
pub trait Loss: Send + Sync {
    /// What configurations call it.
    fn name(&self) -> &'static str;

    /// One line of help.
    fn help(&self) -> &'static str;

    /// What it is the weighted sum of; empty when it is none.
    fn terms(&self) -> &'static [Term] {
        &[]
    }

    /// The loss of a batch: a scalar.
    ///
    /// # Errors
    /// When libtorch refuses the shapes.
    fn forward(&self, logits: &Tensor, truth: &Tensor) -> Result<Tensor, TchError>;
}

/// One term of a weighted sum.
#[derive(Clone, Copy)]
pub struct Term {
    /// Multiplies the loss.
    pub weight: f64,
    /// The loss, which is no sum itself.
    pub loss: &'static dyn Loss,
}

const fn term(weight: f64, loss: &'static dyn Loss) -> Term {
    Term { weight, loss }
}

/// The weighted sum of some terms, and each one's own value before it is weighted.
///
/// # Errors
/// When libtorch refuses the shapes, or there is no term.
pub fn weigh(terms: &[Term], logits: &Tensor, truth: &Tensor) -> Result<(Tensor, Vec<Tensor>), TchError> {
    let mut sum: Option<Tensor> = None;
    let mut values = Vec::with_capacity(terms.len());
    for term in terms {
        let value = term.loss.forward(logits, truth)?;
        let weighted = value.f_mul_scalar(term.weight)?;
        sum = Some(match sum {
            Some(sum) => sum.f_add(&weighted)?,
            None => weighted,
        });
        values.push(value);
    }
    let sum = sum.ok_or_else(|| TchError::Torch("a weighted sum of no terms".to_owned()))?;
    Ok((sum, values))
}

/// Every loss that a configuration can name.
pub const LOSSES: &[&dyn Loss] = &[
    &Seu { entropy: EntropyForm::Released },
    &Seu { entropy: EntropyForm::Binary },
    &SeuBce,
    &Dice,
    &Bce,
    &DiceBce,
    &Spectral,
    &Entropy { form: EntropyForm::Released },
    &Entropy { form: EntropyForm::Binary },
];

/// The loss of that name.
pub fn loss(name: &str) -> Option<&'static dyn Loss> {
    LOSSES.iter().copied().find(|loss| loss.name() == name)
}
