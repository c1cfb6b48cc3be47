//! What one batch in flight has to itself: its frames, their parameters, its results and the points in time that it reaches.
//! Two of them take turns, so that one is copied while the other is computed.

use polyp::input::Placement;

use super::failed;
use crate::cuda::arguments::{Picture, Target};
use crate::cuda::driver::{Address, CardError, Driver, Event, Graph, Pinned, Stream};
use crate::cuda::frame::CardFrame;
use crate::error::EngineError;

/// Before the masks lie the places of what is not finite: 4 bytes for each picture, in a block of this many.
const WRONG: usize = 256;

/// A batch's own memory and events.
pub(super) struct Lane {
    /// Where each picture's frame is copied to, and how long that place is.
    frames: Vec<(Address, usize)>,
    parameters: Address,
    parameters_host: Pinned,
    results: Address,
    results_host: Pinned,
    pub(super) events: Events,
    /// The whole way of a batch, for each batch size.
    pub(super) graphs: Vec<Graph>,
    /// The frames of the batch in flight; their memory is the card's until it is done.
    pub(super) held: Vec<CardFrame>,
}

/// The points that a batch reaches, in their order.
pub(super) struct Events {
    pub(super) begun: Event,
    pub(super) uploaded: Event,
    pub(super) prepared: Event,
    pub(super) inferred: Event,
    pub(super) decoded: Event,
    pub(super) done: Event,
}

/// Where the results of a batch of some size lie.
#[derive(Clone, Copy)]
pub(super) struct Results {
    pub(super) wrong: Address,
    pub(super) probability: Address,
    pub(super) doubt: Address,
}

impl Lane {
    pub(super) fn new(driver: &mut dyn Driver, largest: usize, area: usize) -> Result<Self, CardError> {
        let pinned = driver.pinned();
        let parameters = largest * (size_of::<Picture>() + size_of::<Target>());
        let results = WRONG + 2 * largest * area;
        Ok(Self {
            frames: vec![(0, 0); largest],
            parameters: driver.allocate(parameters)?,
            parameters_host: pinned(parameters)?,
            results: driver.allocate(results)?,
            results_host: pinned(results)?,
            events: Events {
                begun: driver.event()?,
                uploaded: driver.event()?,
                prepared: driver.event()?,
                inferred: driver.event()?,
                decoded: driver.event()?,
                done: driver.event()?,
            },
            graphs: Vec::new(),
            held: Vec::with_capacity(largest),
        })
    }

    /// Where a batch's pictures are described: `Picture`s, then `Target`s.
    pub(super) fn parameters(&self) -> (Address, Address) {
        let largest = self.frames.len();
        (self.parameters, self.parameters + (largest * size_of::<Picture>()) as Address)
    }

    pub(super) fn results(&self, batch: usize, area: usize) -> Results {
        let probability = self.results + WRONG as Address;
        Results { wrong: self.results, probability, doubt: probability + (batch * area) as Address }
    }

    /// Copies frames and their parameters to the card, in `stream`. A batch larger than there are frames is filled up with the last one.
    pub(super) fn upload(
        &mut self,
        driver: &mut dyn Driver,
        frames: Vec<CardFrame>,
        batch: usize,
        stream: Stream,
    ) -> Result<(), EngineError> {
        self.held = frames;
        let largest = self.frames.len();
        for place in 0..batch {
            let Some(frame) = self.held.get(place).or(self.held.last()) else { break };
            let index = place.min(self.held.len() - 1);
            if let (Some(bytes), true) = (frame.upload(), index == place)
                && let Some(at) = self.frames.get_mut(place)
            {
                if at.1 < bytes.len() {
                    // The old place stays the driver's: frames seldom grow.
                    *at = (
                        driver.allocate(bytes.len()).map_err(failed("making room for frames"))?,
                        bytes.len(),
                    );
                }
                // SAFETY: the place is as long, and the frame is held until the batch is done.
                unsafe { driver.upload(bytes.as_ptr(), at.0, bytes.len(), stream) }
                    .map_err(failed("copying a frame"))?;
            }
            let base = self.frames.get(index).map_or(0, |at| at.0);
            let picture = frame.picture(base)?.to_bytes();
            let target = Target::from(frame.placement()).to_bytes();
            let (pictures, targets) =
                self.parameters_host.bytes_mut().split_at_mut(largest * size_of::<Picture>());
            for (all, one) in [(pictures, &picture[..]), (targets, &target[..])] {
                if let Some(to) = all.get_mut(place * one.len()..(place + 1) * one.len()) {
                    to.copy_from_slice(one);
                }
            }
        }
        let (from, bytes) = (self.parameters_host.start(), self.parameters_host.len());
        // SAFETY: both are that long, and the pinned one is not changed before the batch is done.
        unsafe { driver.upload(from, self.parameters, bytes, stream) }.map_err(failed("copying parameters"))
    }

    /// Copies a batch's results back, in `stream`.
    pub(super) fn download(
        &mut self,
        driver: &mut dyn Driver,
        batch: usize,
        area: usize,
        stream: Stream,
    ) -> Result<(), CardError> {
        let to = self.results_host.bytes_mut().as_mut_ptr();
        // SAFETY: both are at least that long; it is looked at after `done` alone.
        unsafe { driver.download(self.results, to, WRONG + 2 * batch * area, stream) }
    }

    /// Picture `index` of a finished batch: the first place that is not finite (`u32::MAX` for none), the probabilities and the doubts.
    pub(super) fn result(&self, index: usize, batch: usize, area: usize) -> (u32, &[u8], &[u8]) {
        let bytes = self.results_host.bytes();
        let part = |start: usize, length: usize| bytes.get(start..start + length).unwrap_or_default();
        let wrong = part(4 * index, 4).try_into().map_or(0, u32::from_le_bytes);
        (wrong, part(WRONG + index * area, area), part(WRONG + (batch + index) * area, area))
    }

    /// Where the frames of a batch lie in the network's input.
    pub(super) fn placements(&self) -> impl Iterator<Item = Placement> {
        self.held.iter().map(CardFrame::placement)
    }
}
