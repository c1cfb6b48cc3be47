//! The way of a batch over the card: frames up, one graph (input, network, masks), masks down.
//!
//! Three streams: uploads, the computation, downloads, and two lanes that take turns, so that neighbouring batches overlap. For each lane
//! and each batch size 1, 2, 4, 8 the computation was captured once as a graph, in which nothing changes from batch to batch: frames'
//! addresses, sizes and regions lie in memory, and so does the prompt. Between uploads and downloads the CPU does nothing.
//!
//! Not here: which card and which library ([`super::driver`]), and when to run which frames ([`crate::worker`]).

mod buffers;
mod compute;
mod lane;
mod prompt;

use std::collections::VecDeque;

use polyp::decode::Decoder;
use polyp::input::InputSpec;

use self::buffers::Buffers;
use self::compute::Batch;
use self::lane::Lane;
use self::prompt::Prompt;
use super::driver::{Card, CardError, Driver, Event, Graph, Network, PinnedSource, Priority, Stream};
use super::frame::CardFrame;
use crate::backend::ports::{IMAGE, LOGITS, check_ports};
use crate::engine::{Mask, Stages};
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::manifest::MODEL_FILE;
use crate::memory::PromptMemory;

/// Batches in flight at most.
pub const LANES: usize = 2;
/// Batch sizes that have a graph, as far as the network was made for them.
pub const SIZES: [usize; 4] = [1, 2, 4, 8];

/// For `map_err`: what a card's driver refuses, with what was being done.
pub(crate) fn failed(step: &'static str) -> impl Fn(CardError) -> EngineError {
    move |cause| EngineError::Card { step, cause }
}

/// A network on a card with everything around it.
pub struct Flow {
    // First: it is gone before the card's memory is.
    network: Box<dyn Network>,
    driver: Box<dyn Driver>,
    backend: &'static str,
    input: InputSpec,
    side: usize,
    sizes: Vec<usize>,
    streams: Streams,
    buffers: Buffers,
    prompt: Prompt,
    lanes: Vec<Lane>,
    /// The network alone, for each batch size.
    network_graphs: Vec<Graph>,
    /// Lanes in flight, the oldest first, and how many pictures and which size each has.
    flying: VecDeque<(usize, usize, usize)>,
    next: usize,
    /// Whether batches run step by step and not as a graph, so that every step's time is known.
    in_steps: bool,
}

#[derive(Clone, Copy)]
struct Streams {
    upload: Stream,
    compute: Stream,
    download: Stream,
}

impl Flow {
    /// Takes a card and a network that was loaded on it, makes room for everything and captures the graphs. `largest` is the most pictures that the
    /// network was made for.
    ///
    /// # Errors
    /// [`EngineError`]: the network's tensors are not those of the folder's manifest, memory is used up, the card or the network fails.
    pub fn new(
        mut driver: Box<dyn Driver>,
        mut network: Box<dyn Network>,
        folder: &EngineFolder,
        backend: &'static str,
        largest: usize,
    ) -> Result<Self, EngineError> {
        let ports = network.ports()?;
        let path = folder.path().join(MODEL_FILE);
        check_ports(&path, folder.network(), &ports.inputs, &ports.outputs)?;
        let manifest = folder.manifest();
        let (input, side) = (manifest.input, manifest.model.side_px);
        let sizes: Vec<usize> = SIZES.into_iter().filter(|size| *size <= largest.max(1)).collect();
        let most = sizes.last().copied().unwrap_or(1);
        let step = "making room";
        let streams = Streams {
            upload: driver.stream(Priority::Low).map_err(failed(step))?,
            compute: driver.stream(Priority::High).map_err(failed(step))?,
            download: driver.stream(Priority::High).map_err(failed(step))?,
        };
        let decoder = Decoder::new(manifest.temperature)?;
        let buffers = Buffers::new(driver.as_mut(), &input, &decoder, most, streams.upload)?;
        let prompt = Prompt::new(driver.as_mut(), network.as_mut(), folder, folder.network())?;
        // SAFETY: both places are as long as the tensor with `most` pictures, and live as long as the driver.
        unsafe {
            network.bind(IMAGE, buffers.image)?;
            network.bind(LOGITS, buffers.logits)?;
        }
        let lanes = (0..LANES)
            .map(|_| Lane::new(driver.as_mut(), most, side * side))
            .collect::<Result<_, _>>()
            .map_err(failed(step))?;
        let (network_graphs, flying) = (Vec::new(), VecDeque::new());
        let mut flow = Self {
            network,
            driver,
            backend,
            input,
            side,
            sizes,
            streams,
            buffers,
            prompt,
            lanes,
            network_graphs,
            flying,
            next: 0,
            in_steps: false,
        };
        flow.prompt.set(flow.driver.as_mut(), &folder.memory()?, streams.compute)?;
        flow.capture()?;
        Ok(flow)
    }

    /// The card.
    pub fn card(&self) -> &Card {
        self.driver.card()
    }

    /// The library that runs the network, with its version.
    pub fn library(&self) -> &str {
        self.network.library()
    }

    /// What gives pinned memory for frames.
    pub fn pinned(&self) -> PinnedSource {
        self.driver.pinned()
    }

    /// Batch sizes that have a graph, rising.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Whether from now on batches run step by step and not as a graph: slower, and [`Stages`] has every step.
    pub fn run_in_steps(&mut self, in_steps: bool) {
        self.in_steps = in_steps;
    }

    /// Begins a batch: at least one frame, at most as many as the largest of [`Self::sizes`], and never more than [`LANES`] batches at once.
    ///
    /// # Errors
    /// [`EngineError`] when it is too many, the memory does not fit, or the card fails.
    pub fn submit(&mut self, frames: Vec<CardFrame>, memory: &PromptMemory) -> Result<(), EngineError> {
        let count = frames.len();
        let place = self.sizes.iter().position(|size| *size >= count).filter(|_| count > 0);
        let (Some(place), true) = (place, self.flying.len() < LANES) else {
            let expected = format!(
                "1 to {} frames and at most {LANES} batches at once",
                self.sizes.last().copied().unwrap_or(1)
            );
            let found = format!("{count} frames and {} batches", self.flying.len());
            return Err(EngineError::Input { what: "batch".to_owned(), expected, found });
        };
        let size = self.sizes.get(place).copied().unwrap_or(1);
        let batch = Batch { lane: self.next, size };
        let area = self.side * self.side;
        let Streams { upload, compute, download } = self.streams;
        self.prompt.set(self.driver.as_mut(), memory, compute)?;
        let step = failed("beginning a batch");
        let Some(lane) = self.lanes.get_mut(batch.lane) else { return Ok(()) };
        let driver = self.driver.as_mut();
        driver.record(lane.events.begun, upload).map_err(&step)?;
        lane.upload(driver, frames, size, upload)?;
        driver.record(lane.events.uploaded, upload).map_err(&step)?;
        driver.wait(compute, lane.events.uploaded).map_err(&step)?;
        if self.in_steps {
            self.network.set_batch(size)?;
            self.compute(batch, true)?;
        } else if let Some(graph) = lane.graphs.get(place) {
            // SAFETY: every place in it is one of this flow's, which are never given back.
            unsafe { driver.launch_graph(*graph, compute) }.map_err(failed("running a batch"))?;
        }
        let Some(lane) = self.lanes.get_mut(batch.lane) else { return Ok(()) };
        let driver = self.driver.as_mut();
        driver.record(lane.events.decoded, compute).map_err(&step)?;
        driver.wait(download, lane.events.decoded).map_err(&step)?;
        lane.download(driver, size, area, download).map_err(failed("fetching masks"))?;
        driver.record(lane.events.done, download).map_err(&step)?;
        self.flying.push_back((batch.lane, count, size));
        self.next = (self.next + 1) % LANES;
        Ok(())
    }

    /// Whether the oldest batch is done, or none is in flight.
    ///
    /// # Errors
    /// [`EngineError`] when the card fails.
    pub fn is_done(&mut self) -> Result<bool, EngineError> {
        let oldest = self.flying.front().and_then(|(lane, ..)| self.lanes.get(*lane));
        let Some(done) = oldest.map(|lane| lane.events.done) else { return Ok(true) };
        self.driver.has_come(done).map_err(failed("looking for a batch"))
    }

    /// Waits for the oldest batch, writes a mask (or why there is none) for each of its frames to `masks` (whose elements' memory is used again) and
    /// says where the time went.
    ///
    /// # Errors
    /// [`EngineError`] when no batch is in flight, or the card fails.
    pub fn finish(&mut self, masks: &mut Vec<Result<Mask, EngineError>>) -> Result<Stages, EngineError> {
        let mut kept: Vec<Mask> = masks.drain(..).filter_map(Result::ok).collect();
        let Some((index, count, size)) = self.flying.pop_front() else {
            let (expected, found) = ("one in flight".to_owned(), "none".to_owned());
            return Err(EngineError::Input { what: "batch".to_owned(), expected, found });
        };
        let area = self.side * self.side;
        let Some(lane) = self.lanes.get_mut(index) else { return Ok(Stages::default()) };
        let done = self.driver.synchronise(lane.events.done).map_err(failed("waiting for a batch"));
        // After an error the card uses nothing of ours any more either: its context is dead.
        let placements: Vec<_> = lane.placements().collect();
        lane.held.clear();
        done?;
        for (picture, placement) in placements.into_iter().enumerate().take(count) {
            let (wrong, probability, doubt) = lane.result(picture, size, area);
            let wrong = usize::try_from(wrong).ok().filter(|wrong| *wrong < area);
            masks.push(match wrong {
                // What it was is not fetched: NaN stands for all that is not finite.
                Some(index) => Err(EngineError::NotFinite { backend: self.backend, index, found: f32::NAN }),
                None => {
                    let mut mask = kept.pop().unwrap_or_default();
                    mask.fill(placement, probability, doubt);
                    Ok(mask)
                }
            });
        }
        let events = &lane.events;
        let driver = self.driver.as_mut();
        let mut between = |from: Event, to: Event| driver.milliseconds(from, to).map_err(failed("timing"));
        let mut stages = Stages {
            upload: between(events.begun, events.uploaded)?,
            compute: between(events.uploaded, events.decoded)?,
            download: between(events.decoded, events.done)?,
            total: between(events.begun, events.done)?,
            steps: None,
        };
        if self.in_steps {
            let prepared = between(events.uploaded, events.prepared)?;
            let inferred = between(events.prepared, events.inferred)?;
            stages.steps = Some([prepared, inferred, between(events.inferred, events.decoded)?]);
        }
        Ok(stages)
    }

    /// Runs `batch` pictures that are the network's input already, as [`crate::engine::Engine::infer`] says; nothing else may be in flight.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub fn infer(
        &mut self,
        images: &[f32],
        memory: &PromptMemory,
        logits: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        let compute = self.streams.compute;
        self.prompt.set(self.driver.as_mut(), memory, compute)?;
        logits.clear();
        let area = self.side * self.side;
        let mut rest = images;
        while !rest.is_empty() {
            let pictures = rest.len() / (3 * area);
            let Some((place, size)) =
                self.sizes.iter().copied().enumerate().rfind(|(_, size)| *size <= pictures)
            else {
                break;
            };
            let (part, after) = rest.split_at(size * 3 * area);
            rest = after;
            self.infer_part(part, place, size * area, logits)?;
        }
        Ok(())
    }

    fn infer_part(
        &mut self,
        images: &[f32],
        place: usize,
        count: usize,
        logits: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        let (compute, step) = (self.streams.compute, failed("running pictures"));
        let Buffers { image, logits: from, host, .. } = &mut self.buffers;
        for (to, value) in host.bytes_mut().as_chunks_mut::<4>().0.iter_mut().zip(images) {
            *to = value.to_le_bytes();
        }
        // SAFETY: host and card have room for the largest batch; the host's is not touched before the stream has settled.
        unsafe { self.driver.upload(host.start(), *image, size_of_val(images), compute) }.map_err(&step)?;
        if let Some(graph) = self.network_graphs.get(place) {
            // SAFETY: every place in it is one of this flow's, which are never given back.
            unsafe { self.driver.launch_graph(*graph, compute) }.map_err(&step)?;
        }
        // SAFETY: as above.
        unsafe { self.driver.download(*from, host.bytes_mut().as_mut_ptr(), 4 * count, compute) }
            .map_err(&step)?;
        self.settle(compute)?;
        let values = self.buffers.host.bytes().as_chunks::<4>().0;
        logits.extend(values.iter().take(count).map(|value| f32::from_le_bytes(*value)));
        Ok(())
    }
}

impl Drop for Flow {
    /// Waits for what is in flight: frames and results are not to be freed under the card.
    fn drop(&mut self) {
        for (lane, ..) in std::mem::take(&mut self.flying) {
            if let Some(lane) = self.lanes.get(lane)
                && let Err(error) = self.driver.synchronise(lane.events.done)
            {
                tracing::warn!(%error, "a batch did not end");
            }
        }
    }
}
