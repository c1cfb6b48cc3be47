//! Running a graph that is not (yet) in an engine folder: one that tells the ranges of its tensors, or one to be tried.

use std::collections::BTreeMap;

use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;

use super::enabled::{BACKEND, Inputs, failed};
use super::library;
use crate::deps::Dependency;
use crate::error::EngineError;
use crate::memory::PromptMemory;

/// A graph in a session of ONNX Runtime, on all cores.
pub(crate) struct Probe {
    session: Session,
    inputs: Inputs,
    side: usize,
}

impl Probe {
    /// Opens the ONNX file `bytes` of a network whose pictures have sides of `side` pixels, for that prompt.
    ///
    /// # Errors
    /// [`EngineError`] when the library is missing or says no.
    pub(crate) fn open(bytes: &[u8], side: usize, memory: &PromptMemory) -> Result<Self, EngineError> {
        let (environment, _) = library::load(BACKEND, Dependency::OnnxRuntime)?;
        let session = Session::builder(&environment)
            .and_then(|builder| Ok(builder.with_optimization_level(GraphOptimizationLevel::All)?))
            .map_err(failed(BACKEND, "setting options"))?
            .commit_from_memory(bytes)
            .map_err(failed(BACKEND, "reading a graph"))?;
        Ok(Self { session, inputs: Inputs::new(memory, BACKEND)?, side })
    }

    /// All outputs for one picture `[3, side, side]`, by their names.
    ///
    /// # Errors
    /// [`EngineError::Backend`] in the library's words.
    pub(crate) fn run(&mut self, image: &[f32]) -> Result<BTreeMap<String, Vec<f32>>, EngineError> {
        let inputs = self.inputs.with(image, [1, 3, self.side, self.side], BACKEND)?;
        let outputs = self.session.run(inputs).map_err(failed(BACKEND, "running"))?;
        let read = |(name, value): (&str, ort::value::ValueRef<'_>)| {
            let (_, values) =
                value.try_extract_tensor::<f32>().map_err(failed(BACKEND, "reading an output"))?;
            Ok((name.to_owned(), values.to_vec()))
        };
        outputs.iter().map(read).collect()
    }
}
