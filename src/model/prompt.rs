//! The prompt side of a decoder level: from text features to the keys and values that the frame graph reads.
//! It runs once per prompt; its result is the prompt memory.

use super::attention::position_table;
use super::{Fusion, Init, Mixer, ModelError, ModelSpec, PROMPT_TOKENS, Param, PromptOps, SsMix};

/// Keys and values of one decoder level, each `[P,T,C]`: what the network remembers of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct LevelMemory<T> {
    /// `W_k(t + positions)`; none where the value is added, not attended to.
    pub key: Option<T>,
    /// `W_v(t)`; where it is added `W_v(mean t)`, `[P,1,C]`.
    pub value: T,
}

impl<T> LevelMemory<T> {
    /// Its tensors, in the order of [`super::Network::memory_shapes`].
    pub fn tensors(&self) -> impl Iterator<Item = &T> {
        self.key.iter().chain([&self.value])
    }
}

/// The prompt side of one level.
#[derive(Clone, Debug)]
pub struct PromptLevel {
    path: String,
    text: Linear,
    mixer: TokenMixer,
    /// Only where the frame attends to the prompt.
    key: Option<Linear>,
    value: Linear,
    tokens: usize,
}

/// `[P,24,C]` -> `[P,T,C]`.
#[derive(Clone, Debug)]
enum TokenMixer {
    SsMix(Box<SsMix>),
    /// Weight `[T,24]`.
    Linear(Param),
}

impl TokenMixer {
    fn params(&self) -> Vec<&Param> {
        match self {
            Self::SsMix(mixer) => mixer.params(),
            Self::Linear(tokens) => vec![tokens],
        }
    }

    fn forward<O: PromptOps>(&self, ops: &O, x: &O::Tensor) -> Result<O::Tensor, ModelError> {
        match self {
            Self::SsMix(mixer) => mixer.forward(ops, x),
            Self::Linear(tokens) => along_tokens(ops, x, tokens),
        }
    }
}

/// A linear layer along the tokens, without bias: `[P,L,C]` with weight `[T,L]` -> `[P,T,C]`.
pub(super) fn along_tokens<O: PromptOps>(
    ops: &O,
    x: &O::Tensor,
    weight: &Param,
) -> Result<O::Tensor, ModelError> {
    let y = ops.permute(x, &[0, 2, 1])?;
    let y = ops.linear(&y, weight, None)?;
    ops.permute(&y, &[0, 2, 1])
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
    /// The prompt side of a level of `width` channels that keeps `tokens` tokens; none without text.
    pub fn new(path: &str, spec: &ModelSpec, width: usize, tokens: usize) -> Option<Self> {
        let mixer = match spec.mixer {
            Mixer::Ssmix => {
                let path = format!("{path}.ssmix");
                TokenMixer::SsMix(Box::new(SsMix::new(&path, width, tokens, spec.double_step_bias)))
            }
            Mixer::Linear => TokenMixer::Linear(Param::new(
                format!("{path}.linear.token_proj.weight"),
                &[tokens, PROMPT_TOKENS],
                Init::KaimingUniform,
            )),
        };
        let key = match spec.fusion {
            Fusion::CrossAttention => Some(Linear::new(&format!("{path}.key"), width, width)),
            Fusion::Addition => None,
            Fusion::None => return None,
        };
        Some(Self {
            path: path.to_owned(),
            text: Linear::new(&format!("{path}.text"), width, spec.text_width),
            mixer,
            key,
            value: Linear::new(&format!("{path}.value"), width, width),
            tokens,
        })
    }

    /// The parts of its memory, with their tokens and channels: key and value, or the value alone.
    pub fn memory_shapes(&self) -> Vec<(&'static str, [usize; 2])> {
        let width = self.value.bias.len();
        match self.key {
            Some(_) => vec![("key", [self.tokens, width]), ("value", [self.tokens, width])],
            None => vec![("value", [1, width])],
        }
    }

    /// All parameters.
    pub fn params(&self) -> Vec<&Param> {
        let mut all = self.text.params().to_vec();
        all.extend(self.mixer.params());
        for linear in self.key.iter().chain([&self.value]) {
            all.extend(linear.params());
        }
        all
    }

    /// # Shapes
    /// text features `[P,24,W]` -> keys and values, each `[P,T,C]`; where it is added the value alone, `[P,1,C]`.
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
        let Some(key) = &self.key else {
            return Ok(LevelMemory { key: None, value: self.value.forward(ops, &ops.mean_token(&t)?)? });
        };
        let (tokens, width) = (self.tokens, self.value.bias.len());
        let table = position_table(tokens, width);
        let placed = ops.add_table(&t, &format!("{}.positions", self.path), &[tokens, width], &table)?;
        Ok(LevelMemory { key: Some(key.forward(ops, &placed)?), value: self.value.forward(ops, &t)? })
    }
}
