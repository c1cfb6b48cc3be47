//! Options that several verbs share: which backend, how, and which prompt.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _};
use polyp::decode::Decoder;
use polyp::metric::Score;
use polyp_engine::deps::{self, Dependency};
use polyp_engine::engine::{BACKENDS, Backend, Engine, Options, Precision};
use polyp_engine::error::EngineError;
use polyp_engine::folder::EngineFolder;
use polyp_engine::memory::PromptMemory;
use polyp_engine::prompt::TextEncoder;
use polyp_engine::score::{Pair, pairs, score};

/// How to run an engine.
#[derive(Clone, Debug, Args)]
pub(super) struct Run {
    /// What runs the network; none stands in for another
    #[arg(long, value_name = "NAME", default_value = BACKENDS[0].name, value_parser = backend_names())]
    backend: String,
    /// The numbers to compute in: bf16 is refused where the CPU or the backend has none
    #[arg(long, value_name = "NAME", default_value = Precision::Auto.name(), value_parser = precision_names())]
    precision: Precision,
    /// Threads that work on a frame; 0 for as many as the machine has cores
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// The most pictures that a card runs at once; 0 for 8
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) batch: usize,
}

impl Run {
    /// Opens `folder` as asked.
    pub(super) fn open(&self, folder: &EngineFolder) -> Result<Box<dyn Engine>, EngineError> {
        (Backend::named(&self.backend)?.open)(folder, &self.options())
    }

    /// The backend's name.
    pub(super) fn backend(&self) -> &str {
        &self.backend
    }

    /// How it is to run.
    pub(super) fn options(&self) -> Options {
        Options { precision: self.precision, threads: self.threads, largest_batch: self.batch }
    }
}

/// Which pictures to judge masks on.
#[derive(Clone, Debug, Args)]
pub(super) struct Pictures {
    /// The folder of pictures, PNG or JPEG
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// The folder of their masks, PNG or JPEG, called the same; a sample above 127 is polyp
    #[arg(long, value_name = "DIR")]
    masks: PathBuf,
}

impl Pictures {
    /// Those pictures with their masks, or those of them that the file `list` names.
    pub(super) fn pairs(&self, list: Option<&Path>) -> Result<Vec<Pair>, EngineError> {
        pairs(&self.images, &self.masks, list)
    }
}

/// How good the masks of `engine`, which is `folder`'s, are on those pictures, by the folder's own rules, asked for the prompt that `memory` is of.
pub(super) fn scored(
    folder: &EngineFolder,
    engine: &mut dyn Engine,
    memory: &PromptMemory,
    pairs: &[Pair],
) -> Result<Score, EngineError> {
    let manifest = folder.manifest();
    let reading = (Decoder::new(manifest.temperature)?, manifest.rules());
    let done = |number| tracing::info!(number, of = pairs.len(), "scored");
    score(engine, memory, manifest.input, reading, pairs, done)
}

/// Which text encoder to use.
#[derive(Clone, Debug, Args)]
pub(super) struct Encoder {
    /// The text encoder's model folder [default: the one that `make setup` fetched]
    #[arg(long, value_name = "DIR")]
    text_encoder: Option<PathBuf>,
}

impl Encoder {
    /// Opens the text encoder and refuses one that `folder` was not trained with.
    pub(super) fn open(&self, folder: &EngineFolder) -> Result<TextEncoder, EngineError> {
        let place = self.text_encoder.clone().map_or_else(|| deps::find(Dependency::TextEncoder), Ok)?;
        let encoder = TextEncoder::open(&place)?;
        folder.check_encoder(&encoder)?;
        Ok(encoder)
    }

    /// The memory of `prompt`; the folder's own, which needs no text encoder, without one.
    pub(super) fn memory(
        &self,
        folder: &EngineFolder,
        prompt: Option<&str>,
    ) -> Result<PromptMemory, EngineError> {
        match prompt.filter(|prompt| *prompt != folder.manifest().prompt.text) {
            Some(prompt) => folder.remember(&self.open(folder)?, prompt),
            None => folder.memory(),
        }
    }
}

fn backend_names() -> PossibleValuesParser {
    let value = |backend: &Backend| PossibleValue::new(backend.name).help(backend.help);
    PossibleValuesParser::new(BACKENDS.iter().map(value))
}

fn precision_names() -> impl clap::builder::TypedValueParser<Value = Precision> {
    let names = PossibleValuesParser::new(Precision::ALL.map(Precision::name));
    names.map(|name| Precision::from_name(&name).unwrap_or_default())
}

/// A path as it is shown.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}
