//! The card's memory that all batches' computations use, one after the other.

use polyp::decode::{Decoder, uncertainty_byte};
use polyp::input::{InputSpec, Normalisation};

use super::failed;
use crate::cuda::driver::{Address, CardError, Driver, Pinned, Stream};
use crate::error::EngineError;

/// What the computation of all batches uses, one after the other.
pub(super) struct Buffers {
    pub(super) rgb: Address,
    /// Sums, then sums of squares, of the largest batch.
    pub(super) sums: Address,
    pub(super) sums_bytes: usize,
    pub(super) moments: Address,
    pub(super) image: Address,
    pub(super) logits: Address,
    pub(super) steps: Address,
    pub(super) doubts: Address,
    /// Pictures and logits of [`super::Flow::infer`].
    pub(super) host: Pinned,
}

impl Buffers {
    pub(super) fn new(
        driver: &mut dyn Driver,
        input: &InputSpec,
        decoder: &Decoder,
        most: usize,
        stream: Stream,
    ) -> Result<Self, EngineError> {
        let step = failed("making room");
        let area = (input.side_px * input.side_px) as usize;
        let sums_bytes = 2 * most * 3 * input.side_px as usize * 4;
        let mut room = |bytes: usize| driver.allocate(bytes).map_err(&step);
        let (rgb, sums) = (room(most * 3 * area)?, room(sums_bytes)?);
        let (moments, image, logits) = (room(most * 24)?, room(most * 12 * area)?, room(most * 4 * area)?);
        let (steps, doubts) = (room(4 * 255)?, room(256)?);
        let host = driver.pinned()(most * 12 * area).map_err(&step)?;
        let mut buffers = Self { rgb, sums, sums_bytes, moments, image, logits, steps, doubts, host };
        let thresholds = decoder.steps().into_iter().flat_map(f32::to_le_bytes).collect::<Vec<_>>();
        let doubts_of: Vec<u8> = (0..=255).map(uncertainty_byte).collect();
        let mut fixed = Vec::new();
        if let Normalisation::Fixed { mean, std } = input.normalisation {
            let one = mean.into_iter().zip(std).flat_map(|(mean, std)| [mean, 1.0 / std]);
            let one: Vec<u8> = one.flat_map(f32::to_le_bytes).collect();
            fixed = one.repeat(most);
        }
        for (to, bytes) in [(steps, thresholds), (doubts, doubts_of), (moments, fixed)] {
            buffers.put(driver, to, &bytes, stream).map_err(&step)?;
        }
        Ok(buffers)
    }

    /// Copies a table to the card and waits until it is there.
    fn put(
        &mut self,
        driver: &mut dyn Driver,
        to: Address,
        bytes: &[u8],
        stream: Stream,
    ) -> Result<(), CardError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let Some(host) = self.host.bytes_mut().get_mut(..bytes.len()) else { return Ok(()) };
        host.copy_from_slice(bytes);
        let copied = driver.event()?;
        // SAFETY: both are that long, and the host's is not touched before the copy is done.
        unsafe { driver.upload(self.host.start(), to, bytes.len(), stream) }?;
        driver.record(copied, stream)?;
        driver.synchronise(copied)
    }
}
