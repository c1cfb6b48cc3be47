//! What happens beside the stream: properties that change, prompts that are prepared, the engine that is opened.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gst::subclass::prelude::*;
use polyp_engine::error::EngineError;
use polyp_engine::memory::PromptMemory;

use super::imp::{CAT, PolypSegment, Running};
use super::open::{self, Factory};
use super::segment::{Absent, Stream};
use super::settings::Draft;
use super::start::{Ready, Stage, Start};
use super::stats::Runs;
use crate::lock::lock;

/// What opening came to.
pub(super) struct Opening {
    pub(super) stream: Stream,
    pub(super) running: Running,
    /// What goes on beside the picture.
    pub(super) slow: Option<(Start, Arc<PromptMemory>)>,
}

impl PolypSegment {
    pub(super) fn set_factory(&self, factory: Factory) {
        *lock(&self.factory) = Some(factory);
    }

    pub(super) fn draft(&self) -> Draft {
        lock(&self.draft).clone()
    }

    pub(super) fn stats(&self) -> gst::Structure {
        let runs = lock(&self.running).as_ref().map(|running| running.runs.clone()).unwrap_or_default();
        let stats = *lock(&self.stats);
        stats.structure(&runs)
    }

    /// Changes properties. While running, a change that does not pass the check is refused with a warning, and
    /// what was in force stays so.
    pub(super) fn change(&self, change: impl FnOnce(&mut Draft)) {
        let mut asked = None;
        let changed = {
            let mut draft = lock(&self.draft);
            let mut changed = draft.clone();
            change(&mut changed);
            match lock(&self.running).as_mut() {
                None => {
                    *draft = changed;
                    Ok(false)
                }
                Some(running) => changed.check().map(|settings| {
                    let (old, settings) = (Arc::clone(&running.settings), Arc::new(settings));
                    asked = (old.prompt != settings.prompt).then(|| settings.prompt.clone());
                    running.settings = Arc::clone(&settings);
                    *draft = changed;
                    old.latency() != settings.latency()
                }),
            }
        };
        if let Some(prompt) = asked {
            self.prepare_prompt(prompt);
        }
        match changed {
            Ok(false) => {}
            Ok(true) => {
                let obj = self.obj();
                self.post_message(gst::message::Latency::builder().src(&*obj).build());
            }
            Err(sentence) => {
                gst::element_imp_warning!(
                    self,
                    gst::LibraryError::Settings,
                    ("{sentence}; the old value stays")
                );
            }
        }
    }

    /// Makes a prompt's memory beside the stream.
    fn prepare_prompt(&self, prompt: Option<String>) {
        let number = self.prompts.fetch_add(1, Ordering::SeqCst) + 1;
        let Some(remember) = lock(&self.running).as_ref().and_then(|running| running.remember.clone()) else {
            return;
        };
        let element = self.obj().downgrade();
        let asked = prompt.clone();
        let make = move || {
            let made = catch_unwind(AssertUnwindSafe(|| remember(asked.as_deref())));
            let Some(element) = element.upgrade() else { return };
            let made = made.map_err(|_panic| "the text encoder panicked".to_owned());
            let made = made.and_then(|made| made.map_err(|error| error.to_string()));
            element.imp().prompt_made(number, asked.as_deref(), made);
        };
        if let Err(error) = std::thread::Builder::new().name("polyp-prompt".to_owned()).spawn(make) {
            self.prompt_made(number, prompt.as_deref(), Err(format!("no thread for it: {error}")));
        }
    }

    /// Takes a memory for the next frame; or says why there is none, and puts the property back to what is asked.
    fn prompt_made(&self, number: u64, prompt: Option<&str>, made: Result<Arc<PromptMemory>, String>) {
        if number != self.prompts.load(Ordering::SeqCst) {
            return;
        }
        match made {
            Ok(memory) => *lock(&self.memory) = Some(memory),
            Err(sentence) => {
                // One that is made and not taken up yet comes with the next frame, or when the engine is ready.
                let made = lock(&self.memory).as_ref().map(|memory| memory.prompt.clone());
                let asked = || lock(&self.running).as_ref().map(|running| running.runs.prompt.clone());
                let stays = made.or_else(asked).unwrap_or_default();
                self.put_prompt_back(&stays);
                let prompt = prompt.unwrap_or_default();
                gst::element_imp_warning!(
                    self,
                    gst::LibraryError::Settings,
                    ("prompt {prompt:?}: {sentence}; the network is still asked for {stays:?}")
                );
            }
        }
    }

    fn put_prompt_back(&self, prompt: &str) {
        let mut draft = lock(&self.draft);
        draft.prompt = prompt.to_owned();
        if let (Some(running), Ok(settings)) = (lock(&self.running).as_mut(), draft.check()) {
            running.settings = Arc::new(settings);
        }
    }

    /// Opens what the properties name and starts it, unless that needs a preparation. Everything that is wrong is one
    /// sentence.
    pub(super) fn open(&self) -> Result<Opening, String> {
        let settings = Arc::new(self.draft().check()?);
        let injected = lock(&self.factory).clone();
        let sentence = |error: EngineError| error.to_string();
        let factory = match (injected, &settings.engine) {
            (Some(factory), _) => factory,
            (None, Some(path)) => open::factory(path, &settings).map_err(sentence)?,
            (None, None) if !settings.enabled => {
                let running = Running { settings, remember: None, runs: Runs::default() };
                return Ok(Opening { stream: Stream::default(), running, slow: None });
            }
            (None, None) => {
                return Err("property engine: expected the folder of an engine, found nothing".to_owned());
            }
        };
        let start = Start::new(&settings, factory)?;
        let remember = start.remember();
        let memory = remember(settings.prompt.as_deref()).map_err(sentence)?;
        let told = start.runs(&memory);
        let (stream, runs, slow) = match start.go_on(&memory, None)? {
            Stage::Ready(ready) => {
                let Ready { session, runs, announcement } = *ready;
                gst::info!(CAT, imp = self, "engine {} runs: {:?}", runs.engine, runs.description);
                self.announce(announcement.as_deref());
                (Stream { session: Some(session), ..Stream::default() }, runs, None)
            }
            Stage::Slow(start) => {
                let stream = Stream { absent: Absent::Starting, ..Stream::default() };
                (stream, told, Some((*start, memory)))
            }
        };
        Ok(Opening { stream, running: Running { settings, remember: Some(remember), runs }, slow })
    }
}
