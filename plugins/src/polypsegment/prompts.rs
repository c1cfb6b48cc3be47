//! Prompts that change while the picture runs: their memories are made beside the stream, or are there already, and come to
//! the streaming thread with the next frame.
//!
//! Not here: making a memory ([`super::open`]), taking it up between two frames ([`super::pass`]).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use gst::glib;
use gst::subclass::prelude::*;
use polyp_engine::memory::PromptMemory;

use super::imp::PolypSegment;
use super::running::{Asked, Course};
use crate::lock::lock;

/// A memory for the next frame, and the number of the engine that it is for.
#[derive(Debug)]
pub(super) struct Prompted {
    pub(super) engine: u64,
    pub(super) memory: Arc<PromptMemory>,
}

impl Prompted {
    fn prompt(&self) -> String {
        self.memory.prompt.clone()
    }
}

/// Makes memories, so long as any is wanted.
fn work(element: &glib::WeakRef<super::PolypSegment>) {
    while let Some(asked) = next(element) {
        let Some(remember) = &asked.remember else { continue };
        let made = catch_unwind(AssertUnwindSafe(|| remember(asked.prompt.as_deref())));
        let made = made.map_err(|_panic| "the text encoder panicked".to_owned());
        let made = made.and_then(|made| made.map_err(|error| error.to_string()));
        let Some(element) = element.upgrade() else { return };
        element.imp().prompt_made(&asked, made);
    }
}

fn next(element: &glib::WeakRef<super::PolypSegment>) -> Option<Asked> {
    let element = element.upgrade()?;
    lock(&element.imp().prompts).next()
}

impl PolypSegment {
    /// Makes the memory of a prompt beside the stream; one that was made before is in force with the next frame.
    pub(super) fn ask(&self, mut asked: Asked) {
        if let Some(memory) = asked.memory.take() {
            // What is being made has an older number.
            lock(&self.prompts).leave();
            return self.prompt_made(&asked, Ok(memory));
        }
        if asked.remember.is_none() {
            return;
        }
        let is_idle = lock(&self.prompts).want(asked);
        let element = self.obj().downgrade();
        let thread = std::thread::Builder::new().name("polyp-prompt".to_owned());
        if is_idle && let Err(error) = thread.spawn(move || work(&element)) {
            let left = lock(&self.prompts).give_up();
            if let Some(asked) = left {
                self.prompt_made(&asked, Err(format!("no thread for it: {error}")));
            }
        }
    }

    /// Takes a memory for the next frame; or says why there is none, and puts the property back to what is asked.
    pub(super) fn prompt_made(&self, asked: &Asked, made: Result<Arc<PromptMemory>, String>) {
        match made {
            Ok(memory) => {
                let mut running = lock(&self.running);
                let Some(running) = running.as_mut().filter(|r| r.counts(asked.number, asked.engine)) else {
                    return;
                };
                running.keep((asked.prompt.clone(), Arc::clone(&memory)));
                *lock(&self.memory) = Some(Prompted { engine: asked.engine, memory });
            }
            Err(sentence) => {
                let Some(stays) = self.put_prompt_back(asked) else { return };
                let prompt = asked.prompt.as_deref().unwrap_or_default();
                gst::element_imp_warning!(
                    self,
                    gst::LibraryError::Settings,
                    ("prompt {prompt:?}: {sentence}; the network is still asked for {stays:?}")
                );
            }
        }
    }

    /// Sets the property to the prompt in force, or about to be, and says it; `None` when the refused one no longer counts.
    fn put_prompt_back(&self, asked: &Asked) -> Option<String> {
        let mut draft = lock(&self.draft);
        let mut running = lock(&self.running);
        let running_now = running.as_mut().filter(|running| running.counts(asked.number, asked.engine))?;
        // One that is made and not taken up yet comes with the next frame, or when the engine is ready.
        let made =
            lock(&self.memory).as_ref().filter(|made| made.engine == asked.engine).map(Prompted::prompt);
        let stays = made.unwrap_or_else(|| running_now.runs.prompt.clone());
        draft.prompt.clone_from(&stays);
        let course = draft.check().map_or(Course::Stay, |settings| {
            let (_is_in_force, course) = running_now.adopt(&draft, settings, self.number());
            course
        });
        drop(running);
        drop(draft);
        self.follow(course);
        Some(stays)
    }
}
