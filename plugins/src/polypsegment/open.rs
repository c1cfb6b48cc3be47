//! From the properties to something that can be started: the folder verified, the backend named, the prompt
//! remembered.
//!
//! Not here: which backend ([`super::candidates`]), starting it ([`super::start`]), running it ([`super::session`]).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gst::glib;
use polyp::decode::Decoder;
use polyp::input::InputSpec;
use polyp_engine::deps::{self, Dependency};
use polyp_engine::engine::{Backend, Engine, Progress};
use polyp_engine::error::EngineError;
use polyp_engine::folder::EngineFolder;
use polyp_engine::isolation::Isolated;
use polyp_engine::memory::PromptMemory;
use polyp_engine::prompt::{MemoryCache, TextEncoder};
use polyp_engine::worker::give_way;

use super::choices::Isolation;
use super::settings::Settings;

/// Makes a prompt's memory; `None` is the engine's own prompt. Called from a helper thread while playing.
pub type Remember = Arc<dyn Fn(Option<&str>) -> Result<Arc<PromptMemory>, EngineError> + Send + Sync>;

/// Hears how far a preparation is.
pub type Hear<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Makes what the engine needs once on a machine, which may take minutes. Called once, before the engine is opened, in
/// a thread of its own.
pub type PrepareEngine = Box<dyn FnOnce(Hear<'_>) -> Result<(), EngineError> + Send>;

/// Makes something to start on the backend of that name.
pub(super) type Factory = Arc<dyn Fn(&'static str) -> Result<Opened, EngineError> + Send + Sync>;

/// Opens the engine; called once, in the thread that will own it.
pub type OpenEngine = Box<dyn FnOnce() -> Result<Box<dyn Engine>, EngineError> + Send>;

/// An engine that is ready to be started.
pub struct Opened {
    /// What it is called.
    pub name: String,
    /// The sha256 of its manifest; empty where it is no folder.
    pub manifest_sha256: String,
    /// What tells it apart from every engine that runs otherwise: elements whose engines have the same share one. `None` is
    /// shared with nobody.
    pub identity: Option<String>,
    /// What it wants to see.
    pub input: InputSpec,
    /// What its logits mean.
    pub decoder: Decoder,
    /// Its prompts.
    pub remember: Remember,
    /// What comes before it is opened, beside the picture; `None` where nothing takes long.
    pub prepare: Option<PrepareEngine>,
    /// The engine itself.
    pub engine: OpenEngine,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("name", &self.name).field("input", &self.input).finish_non_exhaustive()
    }
}

/// What makes the engine that `settings` name, on whichever backend: the folder is opened and verified here, once.
///
/// # Errors
/// When the folder is not a whole engine. No other backend would help with that.
pub(super) fn factory(path: &Path, settings: &Settings) -> Result<Factory, EngineError> {
    let folder = Arc::new(EngineFolder::open_trusted(path, &settings.trust)?);
    let decoder = Decoder::new(folder.manifest().temperature)?;
    let (options, text_encoder) = (settings.options.clone(), settings.text_encoder.clone());
    let isolation = settings.isolation;
    let place = path.canonicalize().map_err(EngineError::file("find", path))?;
    let remember: Remember = {
        let folder = Arc::clone(&folder);
        Arc::new(move |prompt| remember(&folder, text_encoder.as_deref(), prompt))
    };
    Ok(Arc::new(move |name| {
        let backend = Backend::named(name)?;
        (backend.available)()?;
        let of_engine = || (Arc::clone(&folder), options.clone());
        let prepare = backend.prepare.map(|prepare| -> PrepareEngine {
            let (folder, options) = of_engine();
            Box::new(move |hear| prepare(&folder, &options, hear))
        });
        let (of_folder, options) = of_engine();
        Ok(Opened {
            name: folder.manifest().name.clone(),
            manifest_sha256: folder.manifest_sha256().to_string(),
            // The manifest has the hashes of all files: a folder that was replaced is another engine.
            identity: Some(format!(
                "{place:?} {} {name} {options:?} {isolation:?}",
                folder.manifest_sha256()
            )),
            input: folder.manifest().input,
            decoder: decoder.clone(),
            remember: Arc::clone(&remember),
            prepare,
            engine: Box::new(move || {
                if backend.on_cpu {
                    give_way();
                }
                match isolation {
                    Isolation::Thread => (backend.open)(&of_folder, &options),
                    Isolation::Process => Isolated::open(&of_folder, name, &options)
                        .map(|engine| Box::new(engine) as Box<dyn Engine>),
                }
            }),
        })
    }))
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
