//! A network on a card as an [`Engine`] that takes frames as they come.
//!
//! Not here: opening cards and libraries ([`crate::backend`]).

use std::sync::Arc;

use super::driver::{Card, Driver, Network};
use super::flow::{Flow, LANES};
use super::frame::{CardFrame, FrameRing};
use crate::backend::interface::{check_images, check_logits};
use crate::engine::{Description, Engine, FrameEngine, Mask, Precision, Stages};
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::memory::PromptMemory;

/// A network on a card, ready for frames.
pub struct CardEngine {
    description: Description,
    flow: Flow,
    ring: Arc<FrameRing>,
}

impl CardEngine {
    /// Takes an open card and the network of `folder` that was loaded on it for at most `largest` pictures at once.
    ///
    /// # Errors
    /// [`EngineError`]: the network's tensors are not the manifest's, memory is used up, the card or the network fails.
    pub fn new(
        driver: Box<dyn Driver>,
        network: Box<dyn Network>,
        folder: &EngineFolder,
        (backend, precision, largest): (&'static str, Precision, usize),
    ) -> Result<Self, EngineError> {
        let flow = Flow::new(driver, network, folder, backend, largest)?;
        let description = Description {
            backend,
            library: format!("{}; {}", flow.library(), flow.card()),
            precision,
            threads: 1,
            model: folder.manifest().name.clone(),
            side_px: folder.manifest().model.side_px,
        };
        let ring = FrameRing::new(flow.pinned());
        Ok(Self { description, flow, ring })
    }

    /// The card.
    pub fn card(&self) -> &Card {
        self.flow.card()
    }
}

impl Engine for CardEngine {
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
        check_images(images, batch, self.description.side_px)?;
        self.flow.infer(images, memory, logits)?;
        check_logits(self.description.backend, logits)
    }

    fn frames(&mut self) -> Option<&mut dyn FrameEngine> {
        Some(self)
    }
}

impl FrameEngine for CardEngine {
    fn sizes(&self) -> &[usize] {
        self.flow.sizes()
    }

    fn lanes(&self) -> usize {
        LANES
    }

    fn ring(&self) -> Arc<FrameRing> {
        Arc::clone(&self.ring)
    }

    fn run_in_steps(&mut self, in_steps: bool) {
        self.flow.run_in_steps(in_steps);
    }

    fn submit(&mut self, frames: Vec<CardFrame>, memory: &PromptMemory) -> Result<(), EngineError> {
        self.flow.submit(frames, memory)
    }

    fn is_done(&mut self) -> Result<bool, EngineError> {
        self.flow.is_done()
    }

    fn finish(&mut self, masks: &mut Vec<Result<Mask, EngineError>>) -> Result<Stages, EngineError> {
        self.flow.finish(masks)
    }
}
