//! Engines that have a number, and whose every mask says it: of which engine it is, of which prompt and of which picture.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use gst::prelude::*;
use gstpolyp::meta::FrameMeta;
use gstpolyp::polypsegment::Opened;
use polyp::decode::Decoder;
use polyp::input::{Fit, InputSpec, Normalisation};
use polyp_engine::engine::{Description, Engine, Precision};
use polyp_engine::error::EngineError;
use polyp_engine::memory::PromptMemory;

use crate::fixture::{Rig, SIDE, init, with_factory};

/// Where engines are made, and what is known of all of them.
#[derive(Debug, Default)]
pub(crate) struct Works {
    /// The number of the next engine.
    pub(crate) next: AtomicU64,
    /// Engines opened so far, and engines that are there now.
    pub(crate) opened: AtomicU64,
    pub(crate) alive: AtomicU64,
    /// Whether every engine fails.
    pub(crate) fail: AtomicBool,
    /// Whether engines can be shared.
    pub(crate) shared: bool,
    /// Held to hold up whoever makes a prompt's memory.
    pub(crate) encoder: Mutex<()>,
    /// Memories made.
    pub(crate) remembered: AtomicU64,
    /// Held to hold up the engine whose number is less by one, on frames alone.
    pub(crate) gate: (AtomicU64, Mutex<()>),
    /// Frames that the engine at the gate has begun.
    pub(crate) at_gate: AtomicU64,
}

impl Works {
    /// Holds up the engine of that number.
    pub(crate) fn hold(&self, number: u64) -> MutexGuard<'_, ()> {
        self.gate.0.store(number + 1, Ordering::SeqCst);
        self.gate.1.lock().unwrap()
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.fail.load(Ordering::SeqCst)
    }
}

/// The number that a prompt ends with; 0 for none.
fn number_in(prompt: &str) -> u64 {
    prompt.rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// What the engine of that number says of a picture of that gray, asked for that prompt. Neighbouring numbers are far apart.
fn logit(engine: u64, prompt: &str, level: f32) -> f32 {
    ((engine * 23 + number_in(prompt) * 7) % 64) as f32 / 8.0 - 4.0 + (level - 128.0) / 256.0
}

/// The byte in every cell of its mask.
pub(crate) fn mask_of(engine: u64, prompt: &str, level: u8) -> u8 {
    let logit = f64::from(logit(engine, prompt, f32::from(level)));
    (255.0 / (1.0 + (-logit).exp())).round() as u8
}

struct Numbered {
    works: Arc<Works>,
    number: u64,
    runs: u64,
    description: Description,
}

impl Drop for Numbered {
    fn drop(&mut self) {
        self.works.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Engine for Numbered {
    fn description(&self) -> &Description {
        &self.description
    }

    fn infer(
        &mut self,
        images: &[f32],
        batch: usize,
        memory: &PromptMemory,
        logits: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        self.runs += 1;
        // Two runs warm it up.
        if self.runs > 2 && self.works.gate.0.load(Ordering::SeqCst) == self.number + 1 {
            self.works.at_gate.fetch_add(1, Ordering::SeqCst);
            drop(self.works.gate.1.lock().unwrap());
        }
        if self.works.is_failing() {
            let (backend, step, message) = ("fixture", "infer", "as ordered".to_owned());
            return Err(EngineError::Backend { backend, step, message });
        }
        logits.clear();
        let side = self.description.side_px;
        logits.resize(batch * side * side, logit(self.number, &memory.prompt, images[0]));
        Ok(())
    }
}

/// An engine with the next number.
pub(crate) fn opened(works: &Arc<Works>, backend: &'static str) -> Result<Opened, EngineError> {
    sized(works, backend, works.next.load(Ordering::SeqCst), SIDE)
}

/// An engine of that number, with an input of `side_px`.
pub(crate) fn sized(
    works: &Arc<Works>,
    backend: &'static str,
    number: u64,
    side_px: usize,
) -> Result<Opened, EngineError> {
    let (of_engine, of_prompts) = (Arc::clone(works), Arc::clone(works));
    Ok(Opened {
        name: format!("engine {number}"),
        manifest_sha256: String::new(),
        identity: works.shared.then(|| format!("{:p} {number}", Arc::as_ptr(works))),
        input: InputSpec {
            side_px: side_px as u32,
            fit: Fit::Squash,
            normalisation: Normalisation::Fixed { mean: [0.0; 3], std: [1.0; 3] },
        },
        decoder: Decoder::new(1.0)?,
        remember: Arc::new(move |prompt| {
            drop(of_prompts.encoder.lock().unwrap());
            of_prompts.remembered.fetch_add(1, Ordering::SeqCst);
            let prompt = prompt.unwrap_or("polyp").to_owned();
            if prompt == "unknown" {
                let (tensor, expected) = ("text".to_owned(), "words that are known".to_owned());
                return Err(EngineError::Memory { tensor, expected, found: prompt });
            }
            let [encoder_sha256, engine_sha256] = [String::new(), String::new()];
            Ok(Arc::new(PromptMemory { prompt, encoder_sha256, engine_sha256, tensors: Vec::new() }))
        }),
        prepare: None,
        engine: Box::new(move || {
            let (library, model, precision) = ("none".to_owned(), format!("engine {number}"), Precision::F32);
            let description = Description { backend, library, precision, threads: 1, model, side_px };
            of_engine.opened.fetch_add(1, Ordering::SeqCst);
            of_engine.alive.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(Numbered { works: of_engine, number, runs: 0, description }))
        }),
    })
}

/// A `polypsegment` with engines of `works`, whose masks are never too late.
pub(crate) fn segmenter(works: &Arc<Works>) -> gst::Element {
    init();
    let element = gst::ElementFactory::make("polypsegment")
        .property_from_str("roi", "whole")
        .property("frozen-after", 0_u32)
        .property("motion-compensation", false)
        .property("max-mask-age", 10_000_000_000_u64)
        .build()
        .unwrap();
    let works = Arc::clone(works);
    with_factory(&element, move |backend| opened(&works, backend));
    element
}

/// Wants the engine of that number.
pub(crate) fn swap_to(element: &gst::Element, works: &Works, number: u64) {
    works.next.store(number, Ordering::SeqCst);
    element.set_property("engine", format!("/engines/{number}"));
}

/// The number of the engine in force, and the prompt in force. Read after a frame was passed, it is what was in force for it.
pub(crate) fn in_force(rig: &Rig) -> (u64, String) {
    let stats = rig.element.property::<gst::Structure>("stats");
    (number_in(&stats.get::<String>("engine").unwrap()), stats.get("prompt").unwrap())
}

/// Looks whether a mask on a picture of that gray is of the engine and the prompt in force. True when there is one.
pub(crate) fn is_of_what_is_in_force(rig: &Rig, meta: &FrameMeta, level: u8) -> bool {
    let (engine, prompt) = in_force(rig);
    let Some(mask) = &meta.segmentation else { return false };
    let found = mask.probability[0];
    assert_eq!(
        found,
        mask_of(engine, &prompt, level),
        "frame {}: engine {engine}, {prompt:?}",
        meta.sequence
    );
    true
}

/// The time of frame `index`. Frames are close to each other, because they pass as fast as they can: were they further apart, an engine
/// that is not scheduled for a moment would be late.
pub(crate) fn close(index: u64) -> gst::ClockTime {
    gst::ClockTime::from_useconds(100 * index)
}
