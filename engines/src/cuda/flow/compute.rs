//! What a batch's computation is: input, network, masks, in one stream; and its recording as graphs.

use polyp::frame::{Colorimetry, PixelFormat, Rect, Size};
use polyp::input::Normalisation;

use super::buffers::Buffers;
use super::lane::Lane;
use super::{Flow, LANES, failed};
use crate::cuda::arguments::{DevicePlane, SourceFormat};
use crate::cuda::driver::{Address, Argument, CardError, Event, Stream};
use crate::cuda::frame::CardFrame;
use crate::error::EngineError;

/// A batch that runs: which lane, how many pictures of it count.
#[derive(Clone, Copy)]
pub(super) struct Batch {
    pub(super) lane: usize,
    pub(super) size: usize,
}

impl Flow {
    /// Records every graph. Before each recording the work is done once for real: libraries compile and allocate in their first run.
    pub(super) fn capture(&mut self) -> Result<(), EngineError> {
        let step = "recording a graph";
        let compute = self.streams.compute;
        for size in self.sizes.clone() {
            self.network.set_batch(size)?;
            self.run_network()?;
            self.settle(compute)?;
            self.driver.begin_capture(compute).map_err(failed(step))?;
            let recorded = self.run_network();
            let graph = self.driver.end_capture(compute).map_err(failed(step));
            recorded?;
            self.network_graphs.push(graph?);
            for lane in 0..LANES {
                let batch = Batch { lane, size };
                self.show_nothing(batch)?;
                self.compute(batch, false)?;
                self.settle(compute)?;
                self.driver.begin_capture(compute).map_err(failed(step))?;
                let recorded = self.compute(batch, false);
                let graph = self.driver.end_capture(compute).map_err(failed(step));
                recorded?;
                let graph = graph?;
                if let Some(lane) = self.lanes.get_mut(lane) {
                    lane.graphs.push(graph);
                }
            }
        }
        Ok(())
    }

    /// Lets a lane's parameters be those of small frames that are there for sure.
    fn show_nothing(&mut self, batch: Batch) -> Result<(), EngineError> {
        let size = Size::new(2, 2);
        let plane = DevicePlane { address: self.buffers.rgb, bytes: 12, stride: 6 };
        let kind = (SourceFormat::Frame(PixelFormat::Rgb), size, Colorimetry::RGB);
        let placement = self.input.place(Rect::whole(size));
        let frame = CardFrame::on_card(kind, &[plane], placement, Box::new(()));
        let upload = self.streams.upload;
        if let Some(lane) = self.lanes.get_mut(batch.lane) {
            lane.upload(self.driver.as_mut(), vec![frame], batch.size, upload)?;
            lane.held.clear();
        }
        self.settle(upload)
    }

    pub(super) fn settle(&mut self, stream: Stream) -> Result<(), EngineError> {
        let Some(done) = self.lanes.first().map(|lane| lane.events.done) else { return Ok(()) };
        self.driver
            .record(done, stream)
            .and_then(|()| self.driver.synchronise(done))
            .map_err(failed("waiting for the card"))
    }

    fn run_network(&mut self) -> Result<(), EngineError> {
        let raw = self.driver.raw(self.streams.compute).map_err(failed("running the network"))?;
        // SAFETY: every tensor was bound by `new`, and the stream is of this card.
        unsafe { self.network.enqueue(raw) }
    }

    /// The computation of a batch, in the stream for it.
    pub(super) fn compute(&mut self, batch: Batch, timed: bool) -> Result<(), EngineError> {
        let stream = self.streams.compute;
        let prepared = self.prepare(batch);
        prepared.map_err(failed("making the network's input"))?;
        self.mark(batch, timed, |lane| lane.events.prepared)?;
        self.run_network()?;
        self.mark(batch, timed, |lane| lane.events.inferred)?;
        let Some(lane) = self.lanes.get(batch.lane) else { return Ok(()) };
        let area = self.side * self.side;
        let to = lane.results(batch.size, area);
        let Buffers { logits, steps, doubts, .. } = self.buffers;
        let places = [logits, steps, doubts, to.probability, to.doubt, to.wrong].map(Argument::Address);
        let arguments = [&[Argument::Number(area as u32)], &places[..]].concat();
        let blocks = [area.div_ceil(256) as u32, 1, batch.size as u32];
        let step = failed("making masks");
        // SAFETY: the place holds 4 bytes for each of at most 8 pictures, and more.
        unsafe { self.driver.fill(to.wrong, 0xff, 4 * batch.size, stream) }.map_err(&step)?;
        // SAFETY: the arguments are those of `kernels.cu`, and the arrays as long as its comments say.
        unsafe { self.driver.launch("polyp_decode_f32", blocks, [256, 1, 1], &arguments, stream) }
            .map_err(&step)
    }

    /// From frames to the network's input.
    fn prepare(&mut self, Batch { lane, size }: Batch) -> Result<(), CardError> {
        let Some(lane) = self.lanes.get(lane) else { return Ok(()) };
        let (stream, (pictures, targets)) = (self.streams.compute, lane.parameters());
        let Buffers { rgb, sums, sums_bytes, moments, image, .. } = self.buffers;
        let squares = sums + (sums_bytes / 2) as Address;
        let at = Argument::Address;
        let (side, batch) = (self.side as u32, size as u32);
        let square = [side.div_ceil(16), side.div_ceil(16), batch];
        let line = [(3 * side * side).div_ceil(256), 1, batch];
        let per_image = self.input.normalisation == Normalisation::ZScorePerImage;
        let driver = self.driver.as_mut();
        // SAFETY: in each call the arguments are those of `kernels.cu`, and the arrays as long as its comments say for the largest batch.
        unsafe {
            driver.fill(sums, 0, sums_bytes, stream)?;
            let arguments = [at(pictures), at(targets), at(rgb), at(sums), at(squares)];
            driver.launch("polyp_shrink", square, [16, 16, 1], &arguments, stream)?;
            if per_image {
                let arguments = [at(targets), at(sums), at(squares), at(moments)];
                driver.launch("polyp_moments", [1, 1, batch], [32, 1, 1], &arguments, stream)?;
            }
            let outside = Argument::Number(u32::from(!per_image));
            let arguments = [at(targets), outside, at(rgb), at(moments), at(image)];
            driver.launch("polyp_normalise_f32", line, [256, 1, 1], &arguments, stream)
        }
    }

    /// Notes a point of a batch's way, if its time is wanted.
    fn mark(&mut self, batch: Batch, timed: bool, event: impl Fn(&Lane) -> Event) -> Result<(), EngineError> {
        match self.lanes.get(batch.lane) {
            Some(lane) if timed => {
                self.driver.record(event(lane), self.streams.compute).map_err(failed("timing"))
            }
            _ => Ok(()),
        }
    }
}
