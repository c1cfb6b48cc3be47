//! From the properties to a session: backends tried in order, prepared where that is needed, and their worker started.
//!
//! Not here: threads and messages ([`super::control`], [`super::ready`]).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use polyp::roi::Roi;
use polyp_engine::error::{EngineError, caught};
use polyp_engine::memory::PromptMemory;
use polyp_engine::worker::Worker;

use super::candidates::Candidates;
use super::open::{Factory, Hear, Opened, Remember};
use super::session::Session;
use super::settings::Settings;
use super::shared;
use super::stats::Runs;

/// How long an engine may take to be ready once it is prepared: reading, compiling and warming up on a busy cart.
const START_LIMIT: Duration = Duration::from_secs(120);

/// What is said to nobody: the element was stopped meanwhile.
const UNWANTED: &str = "no longer wanted";

/// A session that can be asked from the next frame on.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) session: Session,
    pub(super) runs: Runs,
    /// What the user has to know: which backend runs in place of which, and why.
    pub(super) announcement: Option<String>,
}

/// How far a start came without waiting for a preparation.
pub(super) enum Stage {
    Ready(Box<Ready>),
    /// It goes on with a preparation, beside the picture.
    Slow(Box<Start>),
}

/// A start on its way: a backend that is there, and those that may follow.
pub(super) struct Start {
    opened: Opened,
    backend: &'static str,
    rest: Rest,
}

/// What a start has besides the backend that it is at.
struct Rest {
    candidates: Candidates,
    factory: Factory,
    roi: Roi,
    share: bool,
}

/// What a preparation talks to.
pub(super) struct Beside<'a> {
    /// Hears how far it is.
    pub(super) hear: Hear<'a>,
    /// Whether what it makes is still wanted.
    pub(super) wanted: &'a dyn Fn() -> bool,
}

impl Start {
    /// At the first backend that is there.
    ///
    /// # Errors
    /// When none is: each with its reason.
    pub(super) fn new(settings: &Settings, factory: Factory) -> Result<Self, String> {
        let (roi, share) = (settings.roi, settings.share);
        Rest { candidates: Candidates::new(settings), factory, roi, share }.open()
    }

    /// Makes prompts' memories, the same on every backend.
    pub(super) fn remember(&self) -> Remember {
        Arc::clone(&self.opened.remember)
    }

    /// The backend that it is at.
    pub(super) fn backend(&self) -> &'static str {
        self.backend
    }

    /// Rows and columns of its input.
    pub(super) fn side_px(&self) -> u32 {
        self.opened.input.side_px
    }

    /// What can be said while nothing runs.
    pub(super) fn runs(&self, memory: &PromptMemory) -> Runs {
        Runs {
            engine: self.opened.name.clone(),
            prompt: memory.prompt.clone(),
            manifest_sha256: self.opened.manifest_sha256.clone(),
            temperature: self.opened.decoder.temperature(),
            description: None,
        }
    }

    /// Goes on until a backend runs. Without `beside`, it stops before the first preparation.
    ///
    /// # Errors
    /// When no backend runs: each with its reason.
    pub(super) fn go_on(
        mut self,
        memory: &Arc<PromptMemory>,
        beside: Option<&Beside<'_>>,
    ) -> Result<Stage, String> {
        loop {
            match beside {
                None if self.opened.prepare.is_some() => return Ok(Stage::Slow(Box::new(self))),
                // What comes of it is thrown away: no other backend has to be tried for that.
                Some(beside) if !(beside.wanted)() => return Err(UNWANTED.to_owned()),
                _ => {}
            }
            let Self { opened, backend, mut rest } = self;
            match rest.run(opened, backend, memory, beside) {
                Ok(ready) => return Ok(Stage::Ready(Box::new(ready))),
                Err(error) => rest.candidates.fail(backend, &error),
            }
            self = rest.open()?;
        }
    }
}

impl Rest {
    /// The next backend that is there.
    fn open(mut self) -> Result<Start, String> {
        loop {
            let backend = self.candidates.next()?;
            match (self.factory)(backend) {
                Ok(opened) => return Ok(Start { opened, backend, rest: self }),
                Err(error) => self.candidates.fail(backend, &error),
            }
        }
    }

    /// Prepares and starts `opened`.
    fn run(
        &self,
        opened: Opened,
        backend: &str,
        memory: &Arc<PromptMemory>,
        beside: Option<&Beside<'_>>,
    ) -> Result<Ready, EngineError> {
        let Opened { name, manifest_sha256, identity, input, decoder, prepare, engine, .. } = opened;
        if let (Some(prepare), Some(beside)) = (prepare, beside) {
            caught("preparing", || prepare(beside.hear))?;
        }
        if beside.is_some_and(|beside| !(beside.wanted)()) {
            return Err(EngineError::Worker { message: UNWANTED.to_owned() });
        }
        let (prompt, temperature) = (memory.prompt.clone(), decoder.temperature());
        let identity = identity.filter(|_| self.share);
        let start = || Worker::start(engine, Arc::clone(memory), decoder, START_LIMIT);
        let worker = shared::worker(identity.as_deref(), memory, start)?;
        let description = Some(worker.description());
        let session = Session::new(worker, input, self.roi);
        let runs = Runs { engine: name, prompt, manifest_sha256, temperature, description };
        Ok(Ready { session, runs, announcement: self.candidates.announcement(backend) })
    }
}

/// `work`, with a panic made a sentence.
pub(super) fn guarded<T, E: From<String>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_panic| Err("the engine panicked while it was opened".to_owned().into()))
}
