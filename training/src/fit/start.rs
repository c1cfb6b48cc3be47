//! What weights a run starts from.

use polyp::model::Network;
use polyp_engine::weights::Weights;

use super::{BEST, FitConfig};
use crate::error::TrainingError;

/// The weights of the run or file that `start` names; else random weights, and over them the pretrained encoder's.
/// Every key of the encoder must be there; those of its classifier are not used.
///
/// # Errors
/// When the file can not be read, or lacks a parameter, naming it.
pub fn first_weights(config: &FitConfig, network: &Network) -> Result<Weights, TrainingError> {
    let params = network.params();
    if let Some(start) = &config.start {
        let file = if start.is_dir() { start.join(BEST) } else { start.clone() };
        return Ok(Weights::read_safetensors(&file)?.only(&params)?);
    }
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
