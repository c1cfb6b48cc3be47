//! Making engine folders: beside their place, and then one rename.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use polyp::input::{Fit, InputSpec, Normalisation};
use polyp::model::{ModelSpec, Network, PROMPT_TOKENS};

use super::{EngineFolder, sha256_of};
use crate::error::EngineError;
use crate::manifest::{
    DataSource, FILES, FORMAT_VERSION, INT8_FILE, Int8, MANIFEST_FILE, MEMORY_FILE, MODEL_FILE, Manifest,
    Metric, PROMPT_FILE, PromptInfo,
};
use crate::memory::PromptMemory;
use crate::onnx;
use crate::prompt::remember_text;
use crate::weights::{Array, Weights};

/// What a new folder's manifest says, besides what follows from the weights and the memory.
#[derive(Clone, Debug, PartialEq)]
pub struct NewFolder {
    /// What the engine is called.
    pub name: String,
    /// The network's sizes.
    pub model: ModelSpec,
    /// What the network wants to see.
    pub input: InputSpec,
    /// Logits are divided by it; without unit, above 0.
    pub temperature: f32,
    /// The fitted 0.95 contour, if it was fitted.
    pub contour_95: Option<f32>,
    /// The text encoder's name.
    pub text_encoder: String,
    /// How the weights came about.
    pub weights: String,
    /// What it was trained and judged on.
    pub data: Vec<DataSource>,
    /// How good it was found to be.
    pub metrics: Vec<Metric>,
}

/// Writes a folder and opens it. `weights` are all of the network's, `memory` is the prompt's, made with the
/// prompt side of these very weights ([`crate::prompt::remember`]).
///
/// The files are written to a folder beside `dir`, which takes its name when all are there: a reader sees a
/// whole folder or none.
///
/// # Errors
/// [`EngineError::Refused`] when there is something at `dir` already; [`EngineError::Memory`] when the memory
/// was made with other weights; [`EngineError::Model`] when a weight is missing; [`EngineError::Field`] when
/// the manifest would not pass; [`EngineError::File`] when a file can not be written.
pub fn write_folder(
    dir: &Path,
    new: NewFolder,
    weights: &Weights,
    memory: &PromptMemory,
) -> Result<EngineFolder, EngineError> {
    refuse_taken(dir)?;
    let part = Part::beside(dir)?;
    part.fill(dir, new, weights, memory)?;
    part.finish(dir)
}

/// Writes a folder that is `folder` with an input of `side_px`: the same weights, made a graph of that size. What it was found to be worth
/// at its own size says nothing of another, so that `judge` opens and scores it, and its figures are all that the manifest has; a fitted
/// 0.95 contour does not come along. Written as [`write_folder`] does; nothing is left of one that is refused.
///
/// # Errors
/// [`EngineError::Refused`] when there is something at `dir` already, or the input has that size; [`EngineError::Field`] when no network has
/// an input of that size; what `judge` says; [`EngineError::File`] when a file can not be written.
pub fn write_resized(
    dir: &Path,
    folder: &EngineFolder,
    side_px: u32,
    judge: impl FnOnce(&EngineFolder) -> Result<(DataSource, Vec<Metric>), EngineError>,
) -> Result<EngineFolder, EngineError> {
    refuse_taken(dir)?;
    let of = folder.manifest().clone();
    if of.input.side_px == side_px {
        return Err(EngineError::Refused {
            option: "side_px",
            expected: format!("another size than {}'s", of.name),
            found: side_px.to_string(),
        });
    }
    let new = NewFolder {
        name: format!("{}-{side_px}", of.name),
        model: ModelSpec { side_px: side_px as usize, ..of.model },
        input: InputSpec { side_px, ..of.input },
        temperature: of.temperature,
        contour_95: None,
        text_encoder: of.prompt.text_encoder,
        weights: of.weights,
        data: of.data.into_iter().filter(|source| source.split != "test").collect(),
        metrics: Vec::new(),
    };
    let part = Part::beside(dir)?;
    let mut manifest = part.fill(dir, new, &folder.weights()?, &folder.memory()?)?;
    let (source, metrics) = judge(&EngineFolder::open(&part.0)?)?;
    if !manifest.data.iter().any(|known| (&known.name, &known.split) == (&source.name, &source.split)) {
        manifest.data.push(source);
    }
    manifest.metrics = metrics;
    part.write_manifest(dir, &manifest)?;
    part.finish(dir)
}

/// Writes a folder that is `folder` with a network in 8-bit integers, `graph`, beside its own, if it is good enough: `judge` opens and
/// scores it. Written as [`write_folder`] does; nothing is left of one that is refused.
///
/// # Errors
/// [`EngineError::Refused`] when there is something at `dir` already; [`EngineError::Field`] when `judge` found that it lost more than
/// [`INT8_TOLERANCE`](crate::manifest::INT8_TOLERANCE); what `judge` says; [`EngineError::File`] when a file can not be written.
pub fn write_int8(
    dir: &Path,
    folder: &EngineFolder,
    graph: &[u8],
    judge: impl FnOnce(&EngineFolder) -> Result<Int8, EngineError>,
) -> Result<EngineFolder, EngineError> {
    refuse_taken(dir)?;
    let part = Part::beside(dir)?;
    for name in FILES {
        part.write(name, &folder.read(name)?)?;
    }
    part.write(INT8_FILE, graph)?;
    let mut manifest = folder.manifest().clone();
    manifest.files.insert(INT8_FILE.to_owned(), sha256_of(&part.0.join(INT8_FILE))?);
    // To be opened it has to be vouched for; nobody else sees it before it is judged.
    manifest.int8 = Some(Int8 {
        calibrated_on: 0,
        layers: 0,
        float_layers: 0,
        judged_on: "nothing yet".to_owned(),
        count: 0,
        dice_f32: 0.0,
        dice_int8: 0.0,
    });
    part.write_manifest(dir, &manifest)?;
    manifest.int8 = Some(judge(&EngineFolder::open(&part.0)?)?);
    part.write_manifest(dir, &manifest)?;
    part.finish(dir)
}

fn refuse_taken(dir: &Path) -> Result<(), EngineError> {
    if fs::symlink_metadata(dir).is_err() {
        return Ok(());
    }
    Err(EngineError::Refused {
        option: "folder to write",
        expected: "a name that nothing has yet".to_owned(),
        found: dir.display().to_string(),
    })
}

/// Writes a folder with random weights, for measuring speed and for tests: it sees no polyps, and its
/// manifest says so. The memory is of random text features, so no text encoder is needed. The same seed gives
/// the same folder.
///
/// # Errors
/// As [`write_folder`].
pub fn write_random(dir: &Path, model: ModelSpec, seed: u64) -> Result<EngineFolder, EngineError> {
    let network = Network::new(&model)?;
    let weights = Weights::random(&network.params(), seed);
    let memory = random_memory(&network, &weights, seed)?;
    let side_px = u32::try_from(model.side_px).map_err(|cause| EngineError::Refused {
        option: "side_px",
        expected: "a number of 32 bits".to_owned(),
        found: format!("{} ({cause})", model.side_px),
    })?;
    let new = NewFolder {
        name: format!("{}-random-{seed}", model.name),
        model,
        input: InputSpec { side_px, fit: Fit::Squash, normalisation: Normalisation::ZScorePerImage },
        temperature: 1.0,
        contour_95: None,
        text_encoder: "none: random text features".to_owned(),
        weights: format!("random, seed {seed}: for speed only, sees no polyps"),
        data: Vec::new(),
        metrics: Vec::new(),
    };
    write_folder(dir, new, &weights, &memory)
}

/// The memory of random text features: a prompt without a text encoder. Weights are all of the network's.
///
/// # Errors
/// [`EngineError::Model`] when a weight of the prompt side is missing.
pub(crate) fn random_memory(
    network: &Network,
    weights: &Weights,
    seed: u64,
) -> Result<PromptMemory, EngineError> {
    let width = network.spec().text_width;
    let text = Array::new(vec![PROMPT_TOKENS, width], text_features(width, seed))?;
    let weights = weights.only(&network.prompt_params())?;
    Ok(PromptMemory {
        prompt: format!("random text features, seed {seed}"),
        encoder_sha256: String::new(),
        engine_sha256: weights.sha256(),
        tensors: remember_text(network, &weights, text)?,
    })
}

/// Numbers about as large as a text encoder's, evenly from -1 to 1, by a 64-bit linear congruential generator
/// (Knuth's constants): a prompt without a meaning needs no better.
fn text_features(width: usize, seed: u64) -> Vec<f32> {
    let mut state = seed ^ 0x9E37_79B9_7F4A_7C15;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    (0..PROMPT_TOKENS * width).map(|_| next()).collect()
}

/// A folder that is being written, removed again unless it was renamed.
struct Part(PathBuf);

impl Part {
    fn beside(dir: &Path) -> Result<Self, EngineError> {
        let name = dir.file_name().ok_or_else(|| EngineError::Refused {
            option: "folder to write",
            expected: "a path that ends in a name".to_owned(),
            found: dir.display().to_string(),
        })?;
        let part = dir.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
        fs::create_dir_all(&part).map_err(EngineError::file("create", &part))?;
        Ok(Self(part))
    }

    /// Writes all files of a folder that is to be `dir`, and gives its manifest.
    fn fill(
        &self,
        dir: &Path,
        new: NewFolder,
        weights: &Weights,
        memory: &PromptMemory,
    ) -> Result<Manifest, EngineError> {
        let network = Network::new(&new.model)?;
        let prompt_weights = weights.only(&network.prompt_params())?;
        let prompt_sha256 = prompt_weights.sha256();
        if memory.engine_sha256 != prompt_sha256 {
            return Err(EngineError::Memory {
                tensor: "engine_sha256".to_owned(),
                expected: format!("{prompt_sha256} (these weights' prompt side)"),
                found: memory.engine_sha256.clone(),
            });
        }
        memory.check(&network)?;
        onnx::export(&network, weights, &self.0.join(MODEL_FILE))?;
        prompt_weights.write_safetensors(&self.0.join(PROMPT_FILE))?;
        memory.write(&self.0.join(MEMORY_FILE))?;
        let mut files = BTreeMap::new();
        for name in FILES {
            files.insert(name.to_owned(), sha256_of(&self.0.join(name))?);
        }
        let manifest = Manifest {
            format_version: FORMAT_VERSION,
            name: new.name,
            model: new.model,
            input: new.input,
            temperature: new.temperature,
            contour_95: new.contour_95,
            prompt: PromptInfo {
                text: memory.prompt.clone(),
                text_encoder: new.text_encoder,
                text_encoder_sha256: memory.encoder_sha256.clone(),
            },
            weights: new.weights,
            data: new.data,
            metrics: new.metrics,
            int8: None,
            files,
        };
        self.write_manifest(dir, &manifest)?;
        Ok(manifest)
    }

    /// Checks the manifest of what is to be `dir`, and writes it.
    fn write_manifest(&self, dir: &Path, manifest: &Manifest) -> Result<(), EngineError> {
        manifest.check(&dir.join(MANIFEST_FILE))?;
        self.write(MANIFEST_FILE, manifest.to_json(&self.0.join(MANIFEST_FILE))?.as_bytes())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), EngineError> {
        let path = self.0.join(name);
        fs::write(&path, bytes).map_err(EngineError::file("write", &path))
    }

    /// Gives it its name, and opens it.
    fn finish(self, dir: &Path) -> Result<EngineFolder, EngineError> {
        fs::rename(&self.0, dir).map_err(EngineError::file("rename a finished folder to", dir))?;
        EngineFolder::open(dir)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove; after a failure, that is what is reported.
        drop(fs::remove_dir_all(&self.0));
    }
}
