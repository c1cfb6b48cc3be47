//! What gives logits: a run's best checkpoint in tch, or an engine folder on a backend. Scores and
//! temperatures do not care which.
//!
//! Not here: what becomes of the logits ([`crate::score`], [`crate::calibrate`]).

use std::path::Path;
use std::rc::Rc;

use polyp::input::InputSpec;
use polyp::model::{LevelMemory, Mode, Network};
use polyp_engine::engine::{Backend, Engine, Options};
use polyp_engine::folder::EngineFolder;
use polyp_engine::manifest::MODEL_FILE;
use polyp_engine::memory::PromptMemory;
use polyp_engine::prompt::{TextEncoder, remember};
use polyp_engine::weights::{Array, Weights};
use tch::{Device, Kind, Tensor};

use crate::TrainingError;
use crate::fit::{BEST, FitConfig};
use crate::ops::TchOps;
use crate::variables::Variables;

/// Gives logits of pictures, with one prompt.
pub trait Predictor {
    /// What it wants to see.
    fn input(&self) -> InputSpec;

    /// The prompt.
    fn prompt(&self) -> &str;

    /// The sha256 of its weights, in hexadecimal: what a report is about.
    fn weights_sha256(&self) -> &str;

    /// Writes logits `[batch,1,S,S]` of `images` `[batch,3,S,S]` to `logits` (cleared first).
    ///
    /// # Errors
    /// [`TrainingError`] when the shapes do not fit or what runs the network refuses.
    fn logits(&mut self, images: &[f32], batch: usize, logits: &mut Vec<f32>) -> Result<(), TrainingError>;
}

/// A run's best checkpoint, in float32.
#[derive(Debug)]
pub struct Trained {
    config: FitConfig,
    network: Network,
    weights: Weights,
    weights_sha256: String,
    variables: Variables,
    memory: PromptMemory,
    levels: Vec<LevelMemory<Rc<Tensor>>>,
}

impl Trained {
    /// Opens the best checkpoint of the run in folder `run`, with another prompt than the run's if given.
    ///
    /// # Errors
    /// [`TrainingError`] when a file of the run or the text encoder can not be read.
    pub fn open(run: &Path, prompt: Option<&str>) -> Result<Self, TrainingError> {
        let config = FitConfig::read(&run.join("config.toml"))?;
        let network = Network::new(&config.model)?;
        let weights = Weights::read_safetensors(&run.join(BEST))?;
        let variables = Variables::new(&network, &weights, &[], Device::Cpu)?;
        let encoder = TextEncoder::open(&config.text_encoder)?;
        let prompt_weights = weights.only(&network.prompt_params())?;
        let memory = remember(&network, &prompt_weights, &encoder, prompt.unwrap_or(&config.prompt))?;
        let levels = levels(&network, &memory)?;
        let weights_sha256 = weights.sha256();
        Ok(Self { config, network, weights, weights_sha256, variables, memory, levels })
    }

    /// The run's configuration.
    pub fn config(&self) -> &FitConfig {
        &self.config
    }

    /// All weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The prompt's memory.
    pub fn memory(&self) -> &PromptMemory {
        &self.memory
    }
}

/// The memory's tensors as the network takes them.
fn levels(network: &Network, memory: &PromptMemory) -> Result<Vec<LevelMemory<Rc<Tensor>>>, TrainingError> {
    let tensor = |array: &Array| -> Result<Rc<Tensor>, TrainingError> {
        let shape = array.shape.iter().map(|&length| i64::try_from(length).unwrap_or(i64::MAX));
        let shape: Vec<i64> = std::iter::once(1).chain(shape).collect();
        Ok(Rc::new(Tensor::f_from_slice(&array.values)?.f_reshape(shape)?))
    };
    let tensors: Result<Vec<_>, _> = memory.tensors.iter().map(|(_, array)| tensor(array)).collect();
    Ok(network.memory_of(tensors?))
}

impl Predictor for Trained {
    fn input(&self) -> InputSpec {
        self.config.input()
    }

    fn prompt(&self) -> &str {
        &self.memory.prompt
    }

    fn weights_sha256(&self) -> &str {
        &self.weights_sha256
    }

    fn logits(&mut self, images: &[f32], batch: usize, logits: &mut Vec<f32>) -> Result<(), TrainingError> {
        let side = i64::try_from(self.network.spec().side_px).unwrap_or(i64::MAX);
        let shape = [i64::try_from(batch).unwrap_or(i64::MAX), 3, side, side];
        let made = tch::no_grad(|| -> Result<Tensor, TrainingError> {
            let image = Tensor::f_from_slice(images)?.f_reshape(shape)?;
            let ops = TchOps::new(&self.variables, Mode::Infer, Kind::Float);
            let made = self.network.forward(&ops, &Rc::new(image), &self.levels)?;
            Ok(made.f_to_kind(Kind::Float)?.f_contiguous()?.f_flatten(0, -1)?)
        })?;
        logits.clear();
        logits.resize(made.numel(), 0.0);
        let length = logits.len();
        made.f_copy_data(logits, length)?;
        Ok(())
    }
}

/// An engine folder on a backend, as a cart runs it.
pub struct Exported {
    folder: EngineFolder,
    engine: Box<dyn Engine>,
    memory: PromptMemory,
}

impl Exported {
    /// Opens an engine folder on a backend, with the folder's own prompt.
    ///
    /// # Errors
    /// [`TrainingError::Engine`] when the folder does not verify or the backend refuses it.
    pub fn open(folder: &Path, backend: &str, options: &Options) -> Result<Self, TrainingError> {
        let folder = EngineFolder::open(folder)?;
        let engine = (Backend::named(backend)?.open)(&folder, options)?;
        let memory = folder.memory()?;
        Ok(Self { folder, engine, memory })
    }

    /// The folder.
    pub fn folder(&self) -> &EngineFolder {
        &self.folder
    }
}

impl Predictor for Exported {
    fn input(&self) -> InputSpec {
        self.folder.manifest().input
    }

    fn prompt(&self) -> &str {
        &self.memory.prompt
    }

    fn weights_sha256(&self) -> &str {
        self.folder.manifest().files.get(MODEL_FILE).map_or("", String::as_str)
    }

    fn logits(&mut self, images: &[f32], batch: usize, logits: &mut Vec<f32>) -> Result<(), TrainingError> {
        Ok(self.engine.infer(images, batch, &self.memory, logits)?)
    }
}
