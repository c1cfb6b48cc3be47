//! A BERT's sizes: the model folder's `config.json`, checked.

use std::path::Path;

use polyp::model::PROMPT_TOKENS;
use serde::Deserialize;

use crate::error::EngineError;

/// The keys of `config.json` that say what is computed; the many others are about training.
#[derive(Deserialize)]
struct Draft {
    #[serde(default = "bert")]
    model_type: String,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    #[serde(default = "epsilon")]
    layer_norm_eps: f64,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "absolute")]
    position_embedding_type: String,
    #[serde(default)]
    pad_token_id: u32,
}

fn bert() -> String {
    "bert".to_owned()
}

const fn two() -> usize {
    2
}

const fn epsilon() -> f64 {
    1e-12
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn absolute() -> String {
    "absolute".to_owned()
}

/// The sizes of a BERT.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Config {
    /// Channels of a token.
    pub(super) width: usize,
    pub(super) layers: usize,
    /// A divisor of `width`.
    pub(super) heads: usize,
    /// Channels between a layer's two dense ones.
    pub(super) inner: usize,
    pub(super) vocabulary: usize,
    /// Positions that have an embedding, at least [`PROMPT_TOKENS`].
    pub(super) positions: usize,
    /// Sentence types that have an embedding.
    pub(super) types: usize,
    pub(super) epsilon: f64,
    /// The token that fills up a short prompt.
    pub(super) padding: u32,
}

impl Config {
    /// The sizes in the text of a `config.json`; `path` is for messages.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, EngineError> {
        let draft: Draft = serde_json::from_slice(bytes)
            .map_err(|error| EngineError::format(path, "a BERT's configuration", error.to_string()))?;
        draft.check(path)
    }
}

impl Draft {
    fn check(self, path: &Path) -> Result<Config, EngineError> {
        let refuse = |field: &str, expected: &str, found: String| {
            Err(EngineError::Field {
                path: path.to_owned(),
                field: field.to_owned(),
                expected: expected.to_owned(),
                found,
            })
        };
        let words = [
            ("model_type", &self.model_type, &["bert", "cxr-bert"][..]),
            ("hidden_act", &self.hidden_act, &["gelu"]),
            ("position_embedding_type", &self.position_embedding_type, &["absolute"]),
        ];
        for (field, found, known) in words {
            if !known.contains(&found.as_str()) {
                return refuse(field, &known.join(" or "), found.clone());
            }
        }
        let numbers = [
            ("hidden_size", self.hidden_size, 1, 8192),
            ("num_hidden_layers", self.num_hidden_layers, 1, 96),
            ("num_attention_heads", self.num_attention_heads, 1, 128),
            ("intermediate_size", self.intermediate_size, 1, 65_536),
            ("vocab_size", self.vocab_size, 5, 1_000_000),
            ("max_position_embeddings", self.max_position_embeddings, PROMPT_TOKENS, 65_536),
            ("type_vocab_size", self.type_vocab_size, 1, 16),
        ];
        for (field, found, low, high) in numbers {
            if !(low..=high).contains(&found) {
                return refuse(field, &format!("{low} to {high}"), found.to_string());
            }
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let expected = format!("a divisor of hidden_size, {}", self.hidden_size);
            return refuse("num_attention_heads", &expected, self.num_attention_heads.to_string());
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps < 1.0) {
            return refuse("layer_norm_eps", "above 0 and below 1", self.layer_norm_eps.to_string());
        }
        if self.pad_token_id as usize >= self.vocab_size {
            return refuse("pad_token_id", "a token below vocab_size", self.pad_token_id.to_string());
        }
        Ok(Config {
            width: self.hidden_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            inner: self.intermediate_size,
            vocabulary: self.vocab_size,
            positions: self.max_position_embeddings,
            types: self.type_vocab_size,
            epsilon: self.layer_norm_eps,
            padding: self.pad_token_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(key: &str, value: Value) -> Result<Config, String> {
        let mut config = json!({
            "model_type": "bert", "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12,
            "intermediate_size": 1536, "vocab_size": 30522, "max_position_embeddings": 512, "unknown": [],
        });
        config[key] = value;
        let bytes = config.to_string().into_bytes();
        Config::parse(Path::new("config.json"), &bytes).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_berts() {
        let config = parse("hidden_act", json!("gelu")).unwrap();
        assert_eq!((config.types, config.epsilon, config.padding), (2, 1e-12, 0));
    }

    #[test]
    fn what_would_be_computed_wrongly_is_refused() {
        for (key, value, words) in [
            ("model_type", json!("roberta"), "field model_type: expected bert or cxr-bert, found roberta"),
            ("hidden_act", json!("relu"), "field hidden_act: expected gelu, found relu"),
            ("position_embedding_type", json!("relative_key"), "expected absolute, found relative_key"),
            ("num_attention_heads", json!(7), "expected a divisor of hidden_size, 384, found 7"),
            ("max_position_embeddings", json!(23), "expected 24 to 65536, found 23"),
            ("layer_norm_eps", json!(0.0), "expected above 0 and below 1, found 0"),
            ("hidden_size", json!("x"), "config.json: expected a BERT's configuration, found invalid type"),
        ] {
            let error = parse(key, value).unwrap_err();
            assert!(error.starts_with("config.json") && error.contains(words), "{error}");
        }
    }
}
