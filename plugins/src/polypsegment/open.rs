//! From the properties to something that a worker can start: the folder verified, the backend named, the prompt
//! remembered.
//!
//! Not here: running it ([`super::session`]).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gst::glib;
use polyp::decode::Decoder;
use polyp::input::InputSpec;
use polyp_engine::deps::{self, Dependency};
use polyp_engine::engine::{Backend, Engine};
use polyp_engine::error::EngineError;
use polyp_engine::folder::EngineFolder;
use polyp_engine::memory::PromptMemory;
use polyp_engine::prompt::{MemoryCache, TextEncoder};

use super::settings::Settings;

/// Makes a prompt's memory; `None` is the engine's own prompt. Called from a helper thread while playing.
pub type Remember = Arc<dyn Fn(Option<&str>) -> Result<Arc<PromptMemory>, EngineError> + Send + Sync>;

/// Opens the engine; called once, in the thread that will own it.
pub type OpenEngine = Box<dyn FnOnce() -> Result<Box<dyn Engine>, EngineError> + Send>;

/// An engine that is ready to be started.
pub struct Opened {
    /// What it is called.
    pub name: String,
    /// What it wants to see.
    pub input: InputSpec,
    /// What its logits mean.
    pub decoder: Decoder,
    /// Its prompts.
    pub remember: Remember,
    /// The engine itself.
    pub engine: OpenEngine,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("name", &self.name).field("input", &self.input).finish_non_exhaustive()
    }
}

/// Opens the engine that `settings` name. Nothing stands in for what is missing.
pub(super) fn open(path: &Path, settings: &Settings) -> Result<Opened, EngineError> {
    let backend = Backend::named(settings.backend)?;
    (backend.available)()?;
    let folder = Arc::new(EngineFolder::open(path)?);
    let manifest = folder.manifest();
    let (name, input) = (manifest.name.clone(), manifest.input);
    let decoder = Decoder::new(manifest.temperature)?;
    let (options, of_engine) = (settings.options.clone(), Arc::clone(&folder));
    let text_encoder = settings.text_encoder.clone();
    Ok(Opened {
        name,
        input,
        decoder,
        remember: Arc::new(move |prompt| remember(&folder, text_encoder.as_deref(), prompt)),
        engine: Box::new(move || (backend.open)(&of_engine, &options)),
    })
}

/// The memory of `prompt`: the folder's own needs no text encoder; another is looked up in the user's cache, and
/// made if it is not there.
fn remember(
    folder: &EngineFolder,
    text_encoder: Option<&Path>,
    prompt: Option<&str>,
) -> Result<Arc<PromptMemory>, EngineError> {
    let own = &folder.manifest().prompt.text;
    let Some(prompt) = prompt.filter(|prompt| prompt != own) else {
        return folder.memory().map(Arc::new);
    };
    let place = text_encoder.map(Path::to_owned).map_or_else(|| deps::find(Dependency::TextEncoder), Ok)?;
    let encoder = TextEncoder::open(&place)?;
    // The cache does not ask whether this is the encoder that the engine was trained with.
    folder.check_encoder(&encoder)?;
    let (network, weights) = (folder.network(), folder.prompt_weights()?);
    MemoryCache::new(cache()).get_or_make(network, &weights, &encoder, prompt).map(Arc::new)
}

/// Where memories of prompts are kept between runs.
fn cache() -> PathBuf {
    glib::user_cache_dir().join("polyp").join("memory")
}
