//! An engine folder: `manifest.json`, `model.onnx`, `prompt.safetensors`, `memory.safetensors`, and `model.int8.onnx` where
//! there is one. Opening one verifies every file.
//!
//! Not here: the manifest's fields ([`crate::manifest`]), running the network ([`crate::backend`]).

#[cfg(test)]
mod tests;
mod trust;
mod write;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use polyp::model::Network;
use sha2::{Digest, Sha256};

use crate::engine::Precision;
use crate::error::EngineError;
use crate::manifest::{INT8_FILE, MANIFEST_FILE, MEMORY_FILE, MODEL_FILE, Manifest, PROMPT_FILE};
use crate::memory::PromptMemory;
use crate::onnx;
use crate::prompt::{TextEncoder, remember};
use crate::weights::Weights;
use crate::weights::file::sha256_hex;

pub use trust::{SigningKey, Trust};
pub use write::{NewFolder, write_folder, write_int8, write_random, write_resized};

/// An engine folder whose every file was found to be the one that its manifest was written for.
#[derive(Clone, Debug)]
pub struct EngineFolder {
    path: PathBuf,
    manifest: Manifest,
    manifest_sha256: String,
    network: Network,
}

impl EngineFolder {
    /// Opens a folder: reads its manifest, and every other file once, to compare its sha256.
    ///
    /// # Errors
    /// [`EngineError::File`] for a file that is missing, [`EngineError::Format`] and [`EngineError::Field`] for
    /// a manifest that is not one, [`EngineError::Hash`] for a file that was changed.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        Self::open_trusted(path, &Trust::Any)
    }

    /// Opens a folder as [`Self::open`] does, if its manifest is what `trust` asks for.
    ///
    /// # Errors
    /// Those of [`Self::open`]; [`EngineError::File`] and [`EngineError::Format`] when the manifest is not to be trusted.
    pub fn open_trusted(path: &Path, trust: &Trust) -> Result<Self, EngineError> {
        let file = path.join(MANIFEST_FILE);
        let bytes = std::fs::read(&file).map_err(EngineError::file("read", &file))?;
        trust.check(path, &bytes)?;
        let manifest = Manifest::from_bytes(&file, &bytes)?;
        let network = Network::new(&manifest.model)?;
        for (name, expected) in &manifest.files {
            let file = path.join(name);
            let found = sha256_of(&file)?;
            if found != *expected {
                return Err(EngineError::Hash { path: file, expected: expected.clone(), found });
            }
        }
        Ok(Self { path: path.to_owned(), manifest, manifest_sha256: sha256_hex(&bytes), network })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The sha256 of its manifest, in hexadecimal: that of the folder, as the manifest has those of all other files.
    pub fn manifest_sha256(&self) -> &str {
        &self.manifest_sha256
    }

    /// Its network's description.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The sha256 of its prompt side: what a prompt memory must have been made with.
    pub fn prompt_sha256(&self) -> &str {
        self.manifest.files.get(PROMPT_FILE).map_or("", String::as_str)
    }

    /// The memory of the manifest's prompt.
    ///
    /// # Errors
    /// [`EngineError`] when the file is not a memory, or is one of another prompt side or network.
    pub fn memory(&self) -> Result<PromptMemory, EngineError> {
        let path = self.path.join(MEMORY_FILE);
        let memory = PromptMemory::from_bytes(&path, &self.read(MEMORY_FILE)?)?;
        let differs = |field: &str, expected: &str, found: &str| {
            Err(EngineError::Field {
                path: path.clone(),
                field: field.to_owned(),
                expected: expected.to_owned(),
                found: found.to_owned(),
            })
        };
        if memory.engine_sha256 != self.prompt_sha256() {
            return differs("engine_sha256", self.prompt_sha256(), &memory.engine_sha256);
        }
        if memory.prompt != self.manifest.prompt.text {
            return differs("prompt", &self.manifest.prompt.text, &memory.prompt);
        }
        memory.check(&self.network)?;
        Ok(memory)
    }

    /// Makes the memory of another prompt.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when `encoder` is not the text encoder that the prompt side was trained with,
    /// and what encoding it may say.
    pub fn remember(&self, encoder: &TextEncoder, prompt: &str) -> Result<PromptMemory, EngineError> {
        self.check_encoder(encoder)?;
        remember(&self.network, &self.prompt_weights()?, encoder, prompt)
    }

    /// Refuses a text encoder other than the one that the prompt side was trained with.
    ///
    /// # Errors
    /// [`EngineError::Refused`] naming both.
    pub fn check_encoder(&self, encoder: &TextEncoder) -> Result<(), EngineError> {
        let wanted = &self.manifest.prompt;
        if wanted.text_encoder_sha256.is_empty() || wanted.text_encoder_sha256 == encoder.sha256() {
            return Ok(());
        }
        Err(EngineError::Refused {
            option: "text encoder",
            expected: format!("{} with sha256 {}", wanted.text_encoder, wanted.text_encoder_sha256),
            found: format!("one with sha256 {}", encoder.sha256()),
        })
    }

    /// The bytes of one of its files, read once: those that are checked are those that are used, whatever happens to the file meanwhile.
    ///
    /// # Errors
    /// [`EngineError::File`] when it can not be read, [`EngineError::Hash`] when it is not the one that the manifest was written for, as a
    /// file that is not in the manifest never is.
    fn read(&self, name: &str) -> Result<Vec<u8>, EngineError> {
        let path = self.path.join(name);
        let bytes = std::fs::read(&path).map_err(EngineError::file("read", &path))?;
        let (expected, found) =
            (self.manifest.files.get(name).cloned().unwrap_or_default(), sha256_hex(&bytes));
        if found == expected { Ok(bytes) } else { Err(EngineError::Hash { path, expected, found }) }
    }

    /// `model.onnx`, for a library that runs it.
    ///
    /// # Errors
    /// [`EngineError::File`] and [`EngineError::Hash`] as for every file of a folder; [`EngineError::Format`] and [`EngineError::Field`] when it
    /// is no ONNX file, or leads to files that the manifest does not vouch for.
    pub fn model(&self) -> Result<Vec<u8>, EngineError> {
        self.graph(Precision::F32).map(|(_, bytes)| bytes)
    }

    /// The network's file that computes in `precision`, and its bytes: `model.int8.onnx` for [`Precision::Int8`], else `model.onnx`.
    ///
    /// # Errors
    /// Those of [`Self::model`]; [`EngineError::Refused`] where the folder has no network in 8-bit integers.
    pub fn graph(&self, precision: Precision) -> Result<(PathBuf, Vec<u8>), EngineError> {
        let name = if precision == Precision::Int8 { INT8_FILE } else { MODEL_FILE };
        if !self.manifest.files.contains_key(name) {
            return Err(EngineError::Refused {
                option: "precision",
                expected: format!("an engine with {name} for int8 (`polyp-engine quantize` makes one)"),
                found: format!("{}, which has none", self.path.display()),
            });
        }
        let path = self.path.join(name);
        let bytes = self.read(name)?;
        onnx::check_self_contained(&path, &bytes)?;
        Ok((path, bytes))
    }

    /// The frame graph's weights, as they stand in `model.onnx`.
    ///
    /// # Errors
    /// [`EngineError`] when the file was changed or is no ONNX graph.
    pub fn frame_weights(&self) -> Result<Weights, EngineError> {
        onnx::weights(&self.path.join(MODEL_FILE), &self.read(MODEL_FILE)?)
    }

    /// The prompt side's weights.
    ///
    /// # Errors
    /// [`EngineError`] when the file was changed, is no safetensors file or lacks a weight.
    pub fn prompt_weights(&self) -> Result<Weights, EngineError> {
        let weights = Weights::from_safetensors(&self.path.join(PROMPT_FILE), &self.read(PROMPT_FILE)?)?;
        Ok(weights.only(&self.network.prompt_params())?)
    }

    /// All weights: the frame graph's and the prompt side's. Parameters that the frame graph does not use are
    /// not in a folder.
    ///
    /// # Errors
    /// As [`Self::frame_weights`] and [`Self::prompt_weights`].
    pub fn weights(&self) -> Result<Weights, EngineError> {
        let mut all = self.frame_weights()?;
        for (name, array) in self.prompt_weights()?.iter() {
            all.insert(name, array.clone());
        }
        Ok(all)
    }
}

/// A file's sha256 in hexadecimal.
pub(crate) fn sha256_of(path: &Path) -> Result<String, EngineError> {
    let mut file = File::open(path).map_err(EngineError::file("open", path))?;
    let mut hash = Sha256::new();
    let mut part = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut part).map_err(EngineError::file("read", path))?;
        match part.get(..length) {
            Some(read) if length > 0 => hash.update(read),
            _ => break,
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
