//! One picture through an engine, on its own: its input, the network, its mask.

use std::sync::Arc;
use std::time::{Duration, Instant};

use polyp::decode::Decoder;
use polyp::frame::FrameCopy;
use polyp::input::{InputSpec, Placement};
use polyp::preprocess::Preprocessor;
use polyp::reuse::Reuse;
use polyp::segmentation::Segmentation;
use tracing::trace_span;

use super::job::{Input, Timing};
use crate::engine::Engine;
use crate::error::{EngineError, caught};
use crate::memory::PromptMemory;

/// What a mask says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Of {
    pub(super) placement: Placement,
    pub(super) pts: Duration,
    pub(super) sequence: u64,
}

/// Runs pictures one by one, in memory that is used again.
pub(super) struct Single {
    decoder: Decoder,
    /// Makes inputs of copies, and the one that it made last.
    preprocessor: Option<Preprocessor>,
    image: Vec<f32>,
    logits: Vec<f32>,
}

impl Single {
    pub(super) fn new(decoder: Decoder) -> Self {
        Self { decoder, preprocessor: None, image: Vec::new(), logits: Vec::new() }
    }

    /// The mask, in memory of `masks`, and how long its input, the network and decoding took.
    pub(super) fn run(
        &mut self,
        engine: &mut dyn Engine,
        input: &Input,
        memory: &PromptMemory,
        of: Of,
        masks: &mut Reuse<Segmentation>,
    ) -> (Result<Arc<Segmentation>, EngineError>, Timing) {
        let _answer = trace_span!("answer", sequence = of.sequence).entered();
        let begun = Instant::now();
        let mut prepared = Duration::ZERO;
        let inferred = match input {
            Input::Image(image) => self.infer(engine, image, memory),
            Input::Copy(copy, spec) => {
                let made = self.prepare(copy, *spec);
                prepared = begun.elapsed();
                made.and_then(|()| {
                    let image = std::mem::take(&mut self.image);
                    let inferred = self.infer(engine, &image, memory);
                    self.image = image;
                    inferred
                })
            }
            Input::Frame(_) => Err(not_a_card()),
        };
        let decoding = Instant::now();
        let outcome = inferred.and_then(|()| self.decode(of, masks));
        let inferred = decoding - begun - prepared;
        (outcome, Timing { prepared, inferred, decoded: decoding.elapsed(), ..Timing::default() })
    }

    /// Makes the network's input of a copy, into `self.image`.
    fn prepare(&mut self, copy: &FrameCopy, spec: InputSpec) -> Result<(), EngineError> {
        let _input = trace_span!("input").entered();
        let side = spec.side_px as usize;
        self.image.resize(3 * side * side, 0.0);
        let kept = self.preprocessor.take().filter(|kept| *kept.spec() == spec);
        let preprocessor = self.preprocessor.insert(kept.unwrap_or_else(|| Preprocessor::new(spec)));
        let image = &mut self.image;
        caught("making the input", || Ok(preprocessor.run(&copy.view(), copy.source(), image).map(drop)?))
    }

    fn infer(
        &mut self,
        engine: &mut dyn Engine,
        image: &[f32],
        memory: &PromptMemory,
    ) -> Result<(), EngineError> {
        let _infer = trace_span!("infer").entered();
        let logits = &mut self.logits;
        // The engine is used on after a panic: it may fail again, and that is said for every frame, but it can not take
        // the thread with it.
        caught("running", || engine.infer(image, 1, memory, logits))
    }

    /// The segmentation that the logits are.
    fn decode(&mut self, of: Of, masks: &mut Reuse<Segmentation>) -> Result<Arc<Segmentation>, EngineError> {
        let _decode = trace_span!("decode").entered();
        let Self { decoder, logits, .. } = self;
        masks.share(|old| {
            let memory = old.map(|old| std::mem::take(&mut old.probability));
            Ok(decoder.decode(logits, of.placement, of.pts, of.sequence, memory)?)
        })
    }
}

/// Frames were given to an engine that takes inputs.
pub(super) fn not_a_card() -> EngineError {
    EngineError::Input {
        what: "frame".to_owned(),
        expected: "the network's input, for this engine".to_owned(),
        found: "a frame".to_owned(),
    }
}
