//! A BERT's parameters and one of its layers, run by the reference interpreter.
//!
//! Names are those of the public Hugging Face weights, without the prefix `bert.`.

use polyp::model::{AttentionInputs, FrameOps, Init, ModelError, PROMPT_TOKENS, Param, split_heads};

use super::config::Config;
use crate::reference::{ReferenceOps, Tensor};

/// A weight and a bias.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    weight: Param,
    bias: Param,
}

fn param(path: String, shape: &[usize]) -> Param {
    // Always read, never drawn.
    Param::new(path, shape, Init::Constant(0.0))
}

impl Pair {
    fn dense(path: String, out: usize, width: usize) -> Self {
        let weight = param(format!("{path}.weight"), &[out, width]);
        Self { weight, bias: param(format!("{path}.bias"), &[out]) }
    }

    fn norm(path: String, width: usize) -> Self {
        let weight = param(format!("{path}.weight"), &[width]);
        Self { weight, bias: param(format!("{path}.bias"), &[width]) }
    }

    fn linear(&self, ops: &ReferenceOps<'_>, x: &Tensor) -> Result<Tensor, ModelError> {
        ops.linear(x, &self.weight, Some(&self.bias))
    }

    fn normalise(&self, ops: &ReferenceOps<'_>, x: &Tensor, epsilon: f64) -> Result<Tensor, ModelError> {
        ops.layer_norm(x, &self.weight, &self.bias, epsilon)
    }
}

/// What tokens, positions and sentence types begin as.
#[derive(Clone, Debug)]
pub(super) struct Embeddings {
    pub(super) words: Param,
    pub(super) positions: Param,
    pub(super) types: Param,
    norm: Pair,
    epsilon: f64,
}

impl Embeddings {
    pub(super) fn new(config: &Config) -> Self {
        let table = |name: &str, rows| param(format!("embeddings.{name}.weight"), &[rows, config.width]);
        Self {
            words: table("word_embeddings", config.vocabulary),
            positions: table("position_embeddings", config.positions),
            types: table("token_type_embeddings", config.types),
            norm: Pair::norm("embeddings.LayerNorm".to_owned(), config.width),
            epsilon: config.epsilon,
        }
    }

    pub(super) fn params(&self) -> Vec<&Param> {
        vec![&self.words, &self.positions, &self.types, &self.norm.weight, &self.norm.bias]
    }

    /// `[1,24,W]`, sums of the three -> the same, normalised.
    pub(super) fn forward(&self, ops: &ReferenceOps<'_>, sums: &Tensor) -> Result<Tensor, ModelError> {
        self.norm.normalise(ops, sums, self.epsilon)
    }
}

/// One layer: attention among the tokens, then two dense ones, each with its shortcut and norm.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    query: Pair,
    key: Pair,
    value: Pair,
    attended: Pair,
    attended_norm: Pair,
    widen: Pair,
    narrow: Pair,
    norm: Pair,
    heads: usize,
    width: usize,
    epsilon: f64,
}

impl Layer {
    pub(super) fn new(config: &Config, index: usize) -> Self {
        let Config { width, inner, heads, epsilon, .. } = *config;
        let path = |name: &str| format!("encoder.layer.{index}.{name}");
        Self {
            query: Pair::dense(path("attention.self.query"), width, width),
            key: Pair::dense(path("attention.self.key"), width, width),
            value: Pair::dense(path("attention.self.value"), width, width),
            attended: Pair::dense(path("attention.output.dense"), width, width),
            attended_norm: Pair::norm(path("attention.output.LayerNorm"), width),
            widen: Pair::dense(path("intermediate.dense"), inner, width),
            narrow: Pair::dense(path("output.dense"), width, inner),
            norm: Pair::norm(path("output.LayerNorm"), width),
            heads,
            width,
            epsilon,
        }
    }

    pub(super) fn params(&self) -> Vec<&Param> {
        let pairs = [
            &self.query,
            &self.key,
            &self.value,
            &self.attended,
            &self.attended_norm,
            &self.widen,
            &self.narrow,
            &self.norm,
        ];
        pairs.into_iter().flat_map(|pair| [&pair.weight, &pair.bias]).collect()
    }

    /// `[1,24,W]`, the first `used` tokens being words -> the same. Every token asks, padding too; only words
    /// answer, which is what an attention mask says.
    pub(super) fn forward(
        &self,
        ops: &ReferenceOps<'_>,
        x: &Tensor,
        used: usize,
    ) -> Result<Tensor, ModelError> {
        let words = ops.slice(x, 1, 0, used)?;
        let query = split_heads(ops, &self.query.linear(ops, x)?, self.heads)?;
        let key = split_heads(ops, &self.key.linear(ops, &words)?, self.heads)?;
        let value = split_heads(ops, &self.value.linear(ops, &words)?, self.heads)?;
        let scale = ((self.width / self.heads) as f64).powf(-0.5);
        let inputs = AttentionInputs { query: &query, key: &key, value: &value, scale, dropout: 0.0 };
        let y = ops.permute(&ops.attention(&inputs)?, &[0, 2, 1, 3])?;
        let y = ops.reshape(&y, &[PROMPT_TOKENS, self.width])?;
        let y = ops.add(&self.attended.linear(ops, &y)?, x)?;
        let y = self.attended_norm.normalise(ops, &y, self.epsilon)?;
        let wide = ops.gelu(&self.widen.linear(ops, &y)?)?;
        let sum = ops.add(&self.narrow.linear(ops, &wide)?, &y)?;
        self.norm.normalise(ops, &sum, self.epsilon)
    }
}
