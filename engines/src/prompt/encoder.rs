//! The text encoder: any BERT that lies in a folder as Hugging Face lays it out.
//!
//! `lite` uses all-MiniLM-L6-v2, `base` was described with BiomedVLP-CXR-BERT-specialized; sizes are the
//! folder's own, so either drops in, and so does another BERT.
//!
//! Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", NAACL 2019.
//!
//! Not here: learning. The text encoder is frozen and no part of the network.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polyp::model::{ModelError, PROMPT_TOKENS, Param};

use super::config::Config;
use super::layer::{Embeddings, Layer};
use super::tokenizer::{Tokenizer, Tokens};
use crate::error::EngineError;
use crate::reference::ReferenceOps;
use crate::weights::{Array, Weights, file};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const TOKENIZERS: [&str; 2] = ["tokenizer.json", "vocab.txt"];
/// The prefix of all names in weights that were saved together with a head.
const PREFIX: &str = "bert.";
/// Heads that were trained with the encoder and say nothing about the last hidden state.
const HEADS: [&str; 3] = ["cls.", "cls_projection_head.", "pooler."];

/// A frozen BERT: prompts in, features of their tokens out.
#[derive(Debug)]
pub struct TextEncoder {
    path: PathBuf,
    config: Config,
    tokenizer: Tokenizer,
    weights: Weights,
    embeddings: Embeddings,
    layers: Vec<Layer>,
    sha256: String,
}

impl TextEncoder {
    /// Opens a model folder: `config.json`, `model.safetensors`, and `tokenizer.json` or else `vocab.txt`.
    ///
    /// # Errors
    /// [`EngineError::File`], [`EngineError::Format`] or [`EngineError::Field`] naming the file, and the field or
    /// the parameters, that are missing, unknown or do not fit.
    pub fn open(folder: &Path) -> Result<Self, EngineError> {
        let read = |name: &str| {
            let path = folder.join(name);
            let bytes = fs::read(&path).map_err(EngineError::file("read", &path))?;
            Ok::<_, EngineError>((path, bytes))
        };
        let (config_path, config_bytes) = read(CONFIG)?;
        let config = Config::parse(&config_path, &config_bytes)?;
        let words = TOKENIZERS
            .into_iter()
            .find(|name| folder.join(name).exists())
            .ok_or_else(|| EngineError::format(folder, TOKENIZERS.join(" or "), "neither"))?;
        let (words_path, words_bytes) = read(words)?;
        let tokenizer = Tokenizer::new(&words_path, &words_bytes, config.vocabulary, config.padding)?;
        let (weights_path, weights_bytes) = read(WEIGHTS)?;
        let hashes = [&config_bytes, &weights_bytes, &words_bytes].map(|bytes| file::sha256_hex(bytes));
        let weights = plain_names(file::from_bytes(&weights_path, &weights_bytes)?.arrays.into());
        let embeddings = Embeddings::new(&config);
        let layers: Vec<_> = (0..config.layers).map(|index| Layer::new(&config, index)).collect();
        let encoder = Self {
            path: folder.to_owned(),
            config,
            tokenizer,
            weights,
            embeddings,
            layers,
            sha256: file::sha256_hex(hashes.concat().as_bytes()),
        };
        check(&weights_path, &encoder.params(), &encoder.weights)?;
        Ok(encoder)
    }

    fn params(&self) -> Vec<&Param> {
        let layers = self.layers.iter().flat_map(Layer::params);
        self.embeddings.params().into_iter().chain(layers).collect()
    }

    /// The model folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Channels of a feature.
    pub fn width(&self) -> usize {
        self.config.width
    }

    /// What it is, in hexadecimal: the sha256 of the hexadecimal sha256 of its configuration, its weights and the
    /// tokenizer file that is used, one after the other.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The features of a prompt: the last hidden state of all [`PROMPT_TOKENS`] positions, padding included,
    /// `[24,W]`. A prompt that is longer is cut, with a warning.
    ///
    /// # Errors
    /// [`EngineError::Input`] for a prompt without a word, [`EngineError::Format`] when the tokenizer does not
    /// go with the weights.
    pub fn encode(&self, prompt: &str) -> Result<Array, EngineError> {
        if prompt.trim().is_empty() {
            return Err(EngineError::Input {
                what: "prompt".to_owned(),
                expected: "at least one word".to_owned(),
                found: format!("{prompt:?}"),
            });
        }
        let tokens = self.tokenizer.encode(prompt)?;
        if tokens.cut {
            tracing::warn!(prompt, "the prompt has more than {PROMPT_TOKENS} tokens; the rest is not read");
        }
        let ops = ReferenceOps::new(&self.weights);
        let mut x = self.embeddings.forward(&ops, &Arc::new(self.embed(&tokens)?))?;
        for layer in &self.layers {
            x = layer.forward(&ops, &x, tokens.used)?;
        }
        Ok(Array::new(vec![PROMPT_TOKENS, self.config.width], x.values.clone())?)
    }

    /// Sums of word, position and type embeddings, `[1,24,W]`; there is one sentence, so one type.
    fn embed(&self, tokens: &Tokens) -> Result<Array, ModelError> {
        let width = self.config.width;
        let words = self.weights.get(&self.embeddings.words)?;
        let positions = self.weights.get(&self.embeddings.positions)?;
        let types = self.weights.get(&self.embeddings.types)?;
        let mut values = Vec::with_capacity(PROMPT_TOKENS * width);
        for (&number, position) in tokens.numbers.iter().zip(positions.values.chunks_exact(width)) {
            let word =
                words.values.chunks_exact(width).nth(number as usize).ok_or_else(|| ModelError::Shape {
                    op: self.embeddings.words.path.clone(),
                    expected: format!("a row {number}"),
                    found: format!("{:?}", words.shape),
                })?;
            let sums = word.iter().zip(position).zip(&types.values);
            values.extend(sums.map(|((word, position), kind)| word + position + kind));
        }
        Array::new(vec![1, PROMPT_TOKENS, width], values)
    }
}

/// `weights` without the prefix, and without the heads.
fn plain_names(weights: Weights) -> Weights {
    let prefixed = weights.iter().any(|(name, _)| name.starts_with(PREFIX));
    weights
        .into_iter()
        .map(|(name, array)| match name.strip_prefix(PREFIX) {
            Some(plain) if prefixed => (plain.to_owned(), array),
            _ => (name, array),
        })
        .filter(|(name, _)| !HEADS.iter().any(|head| name.starts_with(head)))
        .collect()
}

/// Refuses weights that lack a parameter, have one in another shape, or have more than there should be; names
/// them all.
fn check(path: &Path, params: &[&Param], weights: &Weights) -> Result<(), EngineError> {
    let wrong = params.iter().filter_map(|param| weights.get(param).err()).map(|error| error.to_string());
    let extra = weights.extra(params).into_iter().map(|name| format!("extra tensor {name}"));
    let found: Vec<String> = wrong.chain(extra).collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(EngineError::format(path, format!("the parameters that {CONFIG} describes"), found.join("; ")))
}
