//! The network's prompt side, run once.

use std::sync::Arc;

use polyp::model::{LevelMemory, Network, PROMPT_TOKENS};

use super::TextEncoder;
use crate::error::EngineError;
use crate::memory::PromptMemory;
use crate::reference::ReferenceOps;
use crate::weights::{Array, Weights};

/// The memory of `prompt`: its text features through the prompt side of `network`.
///
/// # Errors
/// [`EngineError::Field`] when the encoder's width is not the network's, [`EngineError::Input`] for a prompt
/// without a word, [`EngineError::Model`] when a parameter is missing or of another shape.
pub fn remember(
    network: &Network,
    prompt_weights: &Weights,
    encoder: &TextEncoder,
    prompt: &str,
) -> Result<PromptMemory, EngineError> {
    let width = network.spec().text_width;
    if encoder.width() != width {
        return Err(EngineError::Field {
            path: encoder.path().join("config.json"),
            field: "hidden_size".to_owned(),
            expected: format!("{width}, the network's text width"),
            found: encoder.width().to_string(),
        });
    }
    let weights = prompt_weights.only(&network.prompt_params())?;
    let memory = PromptMemory {
        prompt: prompt.to_owned(),
        encoder_sha256: encoder.sha256().to_owned(),
        engine_sha256: weights.sha256(),
        tensors: remember_text(network, &weights, encoder.encode(prompt)?)?,
    };
    memory.check(network)?;
    Ok(memory)
}

/// The memory's tensors of text features `[24,W]`, by name, in the order of [`Network::memory_shapes`].
///
/// # Errors
/// [`EngineError::Input`] when the features are of another shape, [`EngineError::Model`] when a parameter is
/// missing or of another shape.
pub fn remember_text(
    network: &Network,
    prompt_weights: &Weights,
    text: Array,
) -> Result<Vec<(String, Array)>, EngineError> {
    let expected = [PROMPT_TOKENS, network.spec().text_width];
    if text.shape != expected {
        return Err(EngineError::Input {
            what: "text features".to_owned(),
            expected: format!("shape {expected:?}"),
            found: format!("{:?}", text.shape),
        });
    }
    let text = Array::new([&[1], &expected[..]].concat(), text.values)?;
    let levels = network.remember(&ReferenceOps::new(prompt_weights), &Arc::new(text))?;
    let values = levels.iter().flat_map(LevelMemory::tensors);
    let named = network.memory_shapes().into_iter().zip(values);
    Ok(named
        .map(|((name, shape), x)| Ok((name, Array::new(shape.to_vec(), x.values.clone())?)))
        .collect::<Result<_, polyp::model::ModelError>>()?)
}
