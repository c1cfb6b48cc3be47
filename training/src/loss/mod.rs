//! What the network is told to make small.
//!
//! A loss takes logits `[B,1,S,S]` and truth `[B,1,S,S]` (0 or 1), both float32, and gives a scalar. Adding
//! one: a file here, a line in [`LOSSES`].

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

    /// The loss of a batch: a scalar.
    ///
    /// # Errors
    /// When libtorch refuses the shapes.
    fn forward(&self, logits: &Tensor, truth: &Tensor) -> Result<Tensor, TchError>;
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
