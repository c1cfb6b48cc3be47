//! What happens beside the stream: properties that change, prompts that are prepared, the engine that is opened.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gst::subclass::prelude::*;
use polyp_engine::error::EngineError;
use polyp_engine::memory::PromptMemory;
use polyp_engine::worker::Worker;

use super::imp::{CAT, Factory, PolypSegment, Running};
use super::open;
use super::segment::Stream;
use super::session::Session;
use super::settings::Draft;
use super::stats::Runs;
use crate::lock::lock;

/// How long an engine may take to be ready: reading, compiling and warming up on a busy cart.
const START_LIMIT: Duration = Duration::from_secs(120);

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
                let stays = lock(&self.running).as_ref().map(|running| running.runs.prompt.clone());
                let stays = stays.unwrap_or_default();
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

    /// Opens what the properties name and starts it. Everything that is wrong is one sentence.
    pub(super) fn open(&self) -> Result<(Stream, Running), String> {
        let settings = Arc::new(self.draft().check()?);
        let factory = lock(&self.factory).clone();
        let sentence = |error: EngineError| error.to_string();
        let opened = match (factory, &settings.engine) {
            (Some(factory), _) => factory().map_err(sentence)?,
            (None, Some(path)) => open::open(path, &settings).map_err(sentence)?,
            (None, None) if !settings.enabled => {
                let running = Running { settings, remember: None, runs: Runs::default() };
                return Ok((Stream::default(), running));
            }
            (None, None) => {
                return Err("property engine: expected the folder of an engine, found nothing".to_owned());
            }
        };
        let memory = (opened.remember)(settings.prompt.as_deref()).map_err(sentence)?;
        let prompt = memory.prompt.clone();
        let worker = Worker::start(opened.engine, memory, opened.decoder, START_LIMIT).map_err(sentence)?;
        let description = Some(worker.description());
        gst::info!(CAT, imp = self, "engine {} runs: {description:?}", opened.name);
        let session = Some(Session::new(worker, opened.input, settings.roi));
        let runs = Runs { engine: opened.name, prompt, description };
        let running = Running { settings, remember: Some(opened.remember), runs };
        Ok((Stream { session, ..Stream::default() }, running))
    }
}
