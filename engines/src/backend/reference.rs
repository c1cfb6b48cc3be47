//! The plain interpreter as a backend: what the others are checked against.
//!
//! Not here: the interpreter ([`crate::reference`]).

use std::sync::Arc;

use polyp::model::{LevelMemory, Network};

use crate::backend::interface::{Bound, check_images, check_logits, choose_precision};
use crate::engine::{Description, Engine, Options, Precision};
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::memory::PromptMemory;
use crate::reference::{ReferenceOps, Tensor};
use crate::weights::{Array, Weights};

const BACKEND: &str = "reference";

/// Always there.
///
/// # Errors
/// None.
pub fn available() -> Result<(), EngineError> {
    Ok(())
}

/// Opens a folder: the weights are those of its `model.onnx`. It runs on all cores, whatever
/// [`Options::threads`] says.
///
/// # Errors
/// [`EngineError`] when a weight is missing or of another shape, or a precision other than f32 is asked for.
pub fn open(folder: &EngineFolder, options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    let precision = choose_precision(options.precision, BACKEND, &[Precision::F32])?;
    let weights = folder.frame_weights()?;
    Ok(Box::new(Reference {
        description: Description {
            backend: BACKEND,
            library: "none".to_owned(),
            precision,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            model: folder.manifest().name.clone(),
            side_px: folder.manifest().model.side_px,
        },
        network: folder.network().clone(),
        weights,
        bound: Bound::new(folder),
        memory: Vec::new(),
    }))
}

struct Reference {
    description: Description,
    network: Network,
    weights: Weights,
    bound: Bound,
    memory: Vec<LevelMemory<Tensor>>,
}

impl Engine for Reference {
    fn description(&self) -> &Description {
        &self.description
    }

    fn infer(
        &mut self,
        images: &[f32],
        batch: usize,
        memory: &PromptMemory,
        logits: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        let side = self.description.side_px;
        check_images(images, batch, side)?;
        let levels = &mut self.memory;
        self.bound.rebind(memory, |memory| {
            *levels = self.network.memory_of(memory.tensors.iter().map(|(_, array)| bind(array)));
            Ok(())
        })?;
        let image = Arc::new(Array::new(vec![batch, 3, side, side], images.to_vec())?);
        let ops = ReferenceOps::new(&self.weights);
        let output = self.network.forward(&ops, &image, levels)?;
        logits.clear();
        logits.extend_from_slice(&output.values);
        check_logits(BACKEND, logits)
    }
}

/// A memory's tensor `[T,C]` as the frame graph takes it, `[1,T,C]`.
fn bind(array: &Array) -> Tensor {
    Arc::new(Array { shape: [&[1], array.shape.as_slice()].concat(), values: array.values.clone() })
}
