//! What a run starts from: weights and text features.

use polyp::model::{Network, PROMPT_TOKENS};
use polyp_engine::prompt::TextEncoder;
use polyp_engine::weights::Weights;
use tch::{Device, Tensor};

use super::FitConfig;
use crate::error::TrainingError;

/// Random weights, and over them the pretrained encoder's. Every key of the encoder must be there; those of
/// its classifier are not used.
///
/// # Errors
/// When the file can not be read, or lacks a parameter, naming it.
pub fn first_weights(config: &FitConfig, network: &Network) -> Result<Weights, TrainingError> {
    let params = network.params();
    let mut weights = Weights::random(&params, config.seed);
    let Some(path) = &config.pretrained else { return Ok(weights) };
    let pretrained = Weights::read_safetensors(path)?;
    for param in params {
        let Some(key) = param.path.strip_prefix("encoder.") else { continue };
        let source = polyp::model::Param { path: key.to_owned(), ..param.clone() };
        let array = pretrained.get(&source).map_err(|error| TrainingError::Field {
            path: path.clone(),
            field: key.to_owned(),
            expected: format!("a tensor of shape {:?}", param.shape),
            found: error.to_string(),
        })?;
        weights.insert(param.path.clone(), array.clone());
    }
    Ok(weights)
}

/// Text features `[1,24,W]` of the run's prompts, the fixed one first.
///
/// # Errors
/// When the text encoder can not be read, or is of another width than the model.
pub fn text_features(config: &FitConfig) -> Result<Vec<Tensor>, TrainingError> {
    let encoder = TextEncoder::open(&config.text_encoder)?;
    let prompts = std::iter::once(&config.prompt).chain(&config.other_prompts);
    let mut features = Vec::new();
    for prompt in prompts {
        let array = encoder.encode(prompt)?;
        let expected = [PROMPT_TOKENS, config.model.text_width];
        if array.shape != expected {
            return Err(TrainingError::Field {
                path: config.text_encoder.clone(),
                field: "hidden_size".to_owned(),
                expected: format!("features of shape {expected:?}"),
                found: format!("{:?}", array.shape),
            });
        }
        let shape = [1, expected[0] as i64, expected[1] as i64];
        features.push(Tensor::f_from_slice(&array.values)?.f_reshape(shape)?.f_to_device(Device::Cpu)?);
    }
    Ok(features)
}
