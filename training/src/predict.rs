//! What gives logits: a run's best checkpoint in tch, or an engine folder on a backend. Scores and
//! temperatures do not care which.
//!
//! Not here: what becomes of the logits ([`crate::score`], [`crate::calibrate`]).

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use polyp::input::InputSpec;
use polyp::model::{LevelMemory, Mode, Network};
use polyp_engine::deps::{self, Dependency};
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

    /// Takes another prompt from now on; one that it had before is not computed again.
    ///
    /// # Errors
    /// [`TrainingError`] when the text encoder can not be opened or is another than the network learned with.
    fn remember(&mut self, prompt: &str) -> Result<(), TrainingError>;

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
    encoder: TextEncoder,
    prompt_weights: Weights,
    known: BTreeMap<String, PromptMemory>,
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
        Ok(Self {
            config,
            network,
            weights,
            weights_sha256,
            variables,
            encoder,
            prompt_weights,
            known: BTreeMap::new(),
            memory,
            levels,
        })
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

/// The memory of `prompt`, which `make` makes unless it is known.
fn known(
    known: &mut BTreeMap<String, PromptMemory>,
    prompt: &str,
    make: impl FnOnce() -> Result<PromptMemory, TrainingError>,
) -> Result<PromptMemory, TrainingError> {
    if let Some(memory) = known.get(prompt) {
        return Ok(memory.clone());
    }
    let memory = make()?;
    known.insert(prompt.to_owned(), memory.clone());
    Ok(memory)
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

    fn remember(&mut self, prompt: &str) -> Result<(), TrainingError> {
        if prompt != self.memory.prompt {
            let make = || Ok(remember(&self.network, &self.prompt_weights, &self.encoder, prompt)?);
            self.memory = known(&mut self.known, prompt, make)?;
            self.levels = levels(&self.network, &self.memory)?;
        }
        Ok(())
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
    encoder: Option<TextEncoder>,
    known: BTreeMap<String, PromptMemory>,
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
        Ok(Self { folder, engine, encoder: None, known: BTreeMap::new(), memory })
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

    fn remember(&mut self, prompt: &str) -> Result<(), TrainingError> {
        if prompt == self.folder.manifest().prompt.text {
            self.memory = self.folder.memory()?;
        } else if prompt != self.memory.prompt {
            let encoder = match self.encoder.take() {
                Some(encoder) => encoder,
                None => TextEncoder::open(&deps::find(Dependency::TextEncoder)?)?,
            };
            let made = known(&mut self.known, prompt, || Ok(self.folder.remember(&encoder, prompt)?));
            self.encoder = Some(encoder);
            self.memory = made?;
        }
        Ok(())
    }

    fn logits(&mut self, images: &[f32], batch: usize, logits: &mut Vec<f32>) -> Result<(), TrainingError> {
        Ok(self.engine.infer(images, batch, &self.memory, logits)?)
    }
}
