//! The prompt side of a decoder level: from text features to the keys and values that the frame graph reads.
//! It runs once per prompt; its result is the prompt memory.

use super::attention::position_table;
use super::{Init, ModelError, Param, PromptOps, SsMix};

/// Keys and values of one decoder level, each `[P,T,C]`: what the network remembers of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct LevelMemory<T> {
    /// `W_k(t + positions)`.
    pub key: T,
    /// `W_v(t)`.
    pub value: T,
}

/// The prompt side of one level.
#[derive(Clone, Debug)]
pub struct PromptLevel {
    path: String,
    text: Linear,
    mixer: SsMix,
    key: Linear,
    value: Linear,
    tokens: usize,
}

/// A weight `[O,I]` and a bias `[O]`.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    pub(super) weight: Param,
    pub(super) bias: Param,
}

impl Linear {
    pub(super) fn new(path: &str, out: usize, width: usize) -> Self {
        let bound = 1.0 / (width as f32).sqrt();
        Self {
            weight: Param::new(format!("{path}.weight"), &[out, width], Init::KaimingUniform),
            bias: Param::new(format!("{path}.bias"), &[out], Init::Uniform(bound)),
        }
    }

    pub(super) fn params(&self) -> [&Param; 2] {
        [&self.weight, &self.bias]
    }

    pub(super) fn forward<O: super::FrameOps>(
        &self,
        ops: &O,
        x: &O::Tensor,
    ) -> Result<O::Tensor, ModelError> {
        ops.linear(x, &self.weight, Some(&self.bias))
    }
}

impl PromptLevel {
    /// The prompt side of a level of `width` channels that keeps `tokens` tokens of text features
    /// `text_width` wide.
    pub fn new(path: &str, text_width: usize, width: usize, tokens: usize, double_bias: bool) -> Self {
        Self {
            path: path.to_owned(),
            text: Linear::new(&format!("{path}.text"), width, text_width),
            mixer: SsMix::new(&format!("{path}.ssmix"), width, tokens, double_bias),
            key: Linear::new(&format!("{path}.key"), width, width),
            value: Linear::new(&format!("{path}.value"), width, width),
            tokens,
        }
    }

    /// Tokens and channels of its memory.
    pub fn memory_shape(&self) -> [usize; 2] {
        [self.tokens, self.key.bias.len()]
    }

    /// All parameters.
    pub fn params(&self) -> Vec<&Param> {
        let mut all = self.text.params().to_vec();
        all.extend(self.mixer.params());
        all.extend(self.key.params().into_iter().chain(self.value.params()));
        all
    }

    /// # Shapes
    /// text features `[P,24,W]` -> keys and values, each `[P,T,C]`.
    ///
    /// # Errors
    /// [`ModelError`] from the interpreter.
    pub fn forward<O: PromptOps>(
        &self,
        ops: &O,
        text: &O::Tensor,
    ) -> Result<LevelMemory<O::Tensor>, ModelError> {
        let t = ops.leaky_relu(&self.text.forward(ops, text)?, 0.01)?;
        let t = ops.gelu(&self.mixer.forward(ops, &t)?)?;
        let [tokens, width] = self.memory_shape();
        let table = position_table(tokens, width);
        let placed = ops.add_table(&t, &format!("{}.positions", self.path), &[tokens, width], &table)?;
        Ok(LevelMemory { key: self.key.forward(ops, &placed)?, value: self.value.forward(ops, &t)? })
    }
}
