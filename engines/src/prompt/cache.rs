//! Memories that were made before, on disk: a cart that knows its prompts starts without the text encoder's
//! half second.

use std::fs;
use std::io;
use std::path::PathBuf;

use polyp::model::Network;

use super::{TextEncoder, remember};
use crate::error::EngineError;
use crate::memory::PromptMemory;
use crate::weights::{Weights, file};

/// A folder of prompt memories, one file for each prompt, text encoder and engine.
#[derive(Clone, Debug)]
pub struct MemoryCache {
    folder: PathBuf,
}

impl MemoryCache {
    /// The cache in `folder`, which is made when it is needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The memory of `prompt`, read when it is there, else made and kept. A file that is damaged or belongs to
    /// something else is made anew, with a warning.
    ///
    /// # Errors
    /// As [`remember`]; [`EngineError::File`] when the folder or the file can not be written.
    pub fn get_or_make(
        &self,
        network: &Network,
        prompt_weights: &Weights,
        encoder: &TextEncoder,
        prompt: &str,
    ) -> Result<PromptMemory, EngineError> {
        let engine_sha256 = prompt_weights.only(&network.prompt_params())?.sha256();
        // The hashes have a fixed length, so the three can not run into each other.
        let key = file::sha256_hex(format!("{}{engine_sha256}{prompt}", encoder.sha256()).as_bytes());
        let path = self.folder.join(format!("{key}.safetensors"));
        match PromptMemory::read(&path) {
            Ok(memory) => {
                let ours = memory.prompt == prompt
                    && memory.encoder_sha256 == encoder.sha256()
                    && memory.engine_sha256 == engine_sha256;
                match memory.check(network) {
                    Ok(()) if ours => return Ok(memory),
                    Ok(()) => tracing::warn!(path = %path.display(), "of another prompt; made anew"),
                    Err(error) => tracing::warn!(path = %path.display(), %error, "made anew"),
                }
            }
            Err(EngineError::File { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "made anew"),
        }
        let memory = remember(network, prompt_weights, encoder, prompt)?;
        fs::create_dir_all(&self.folder).map_err(EngineError::file("create", &self.folder))?;
        memory.write(&path)?;
        Ok(memory)
    }
}
