//! A frame on its way to the card: copied once into memory that the card reads by itself, or lying on the card already.
//!
//! Not here: asking the network about it ([`super::flow`]).

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use polyp::frame::{Colorimetry, FrameView, Size};
use polyp::input::Placement;

use super::arguments::{DevicePlane, Picture, SourceFormat};
use super::driver::{Address, CardError, Pinned, PinnedSource};
use crate::error::EngineError;

/// Buffers of a ring that nobody uses are kept up to this many: two batches of four, and what is being filled.
const KEPT: usize = 10;

/// Where a card looks for what it copies: planes begin at multiples of it.
const ALIGNMENT: usize = 256;

/// A frame for the card.
pub struct CardFrame {
    format: SourceFormat,
    size: Size,
    colorimetry: Colorimetry,
    placement: Placement,
    /// Addresses count from the buffer's start where there is one, and are the card's otherwise.
    planes: Vec<DevicePlane>,
    memory: Memory,
}

enum Memory {
    Host(Lent),
    /// What owns the card's memory; held until the network is done with it.
    Card(Box<dyn Any + Send>),
}

impl CardFrame {
    /// A frame that lies on the card: `planes` with the card's addresses, which stay while `owner` lives. `placement` says which part of it the
    /// network sees.
    pub fn on_card(
        (format, size, colorimetry): (SourceFormat, Size, Colorimetry),
        planes: &[DevicePlane],
        placement: Placement,
        owner: Box<dyn Any + Send>,
    ) -> Self {
        let (planes, memory) = (planes.to_vec(), Memory::Card(owner));
        Self { format, size, colorimetry, placement, planes, memory }
    }

    /// Where it lies in the network's input.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// What has to be copied to the card.
    pub(super) fn upload(&self) -> Option<&[u8]> {
        match &self.memory {
            Memory::Host(lent) => {
                Some(lent.bytes(self.planes.iter().map(|plane| plane.address as usize + plane.bytes).max()))
            }
            Memory::Card(_owner) => None,
        }
    }

    /// The kernels' view of it; `base` is where [`Self::upload`] was copied to.
    pub(super) fn picture(&self, base: Address) -> Result<Picture, EngineError> {
        let base = if matches!(self.memory, Memory::Host(_)) { base } else { 0 };
        let planes: Vec<DevicePlane> =
            self.planes.iter().map(|plane| DevicePlane { address: base + plane.address, ..*plane }).collect();
        Picture::new(self.format, self.size, self.colorimetry, &planes, self.placement.source)
    }
}

impl fmt::Debug for CardFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardFrame")
            .field("format", &self.format)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Pinned memory for frames, used again and again. Any thread may take from it.
pub struct FrameRing {
    source: PinnedSource,
    free: Mutex<Vec<Pinned>>,
}

impl FrameRing {
    /// A ring of what `source` gives.
    pub fn new(source: PinnedSource) -> Arc<Self> {
        Arc::new(Self { source, free: Mutex::new(Vec::with_capacity(KEPT)) })
    }

    /// Copies `frame` for the card; its source region is `placement`'s. The frame itself is not needed any more after that.
    ///
    /// # Errors
    /// [`CardError`] when there is no pinned memory to be had.
    pub fn copy(
        self: &Arc<Self>,
        frame: &FrameView<'_>,
        placement: Placement,
    ) -> Result<CardFrame, CardError> {
        let format = SourceFormat::Frame(frame.format());
        let mut planes = Vec::with_capacity(frame.planes().len());
        let mut end = 0;
        for index in 0..frame.planes().len() {
            let (row_bytes, rows) = format.plane_extent(index, frame.size());
            planes.push(DevicePlane { address: end as Address, bytes: row_bytes * rows, stride: row_bytes });
            end += (row_bytes * rows).next_multiple_of(ALIGNMENT);
        }
        let mut lent = self.lend(end)?;
        for (plane, to) in frame.planes().iter().zip(&planes) {
            let start = to.address as usize;
            let Some(to_bytes) = lent.bytes_mut().get_mut(start..start + to.bytes) else { continue };
            if plane.stride == to.stride && plane.bytes.len() >= to.bytes {
                to_bytes.copy_from_slice(plane.bytes.get(..to.bytes).unwrap_or_default());
                continue;
            }
            for (row, from) in to_bytes.chunks_exact_mut(to.stride).zip(plane.bytes.chunks(plane.stride)) {
                row.copy_from_slice(from.get(..to.stride).unwrap_or_default());
            }
        }
        let (size, colorimetry, memory) = (frame.size(), frame.colorimetry(), Memory::Host(lent));
        Ok(CardFrame { format, size, colorimetry, placement, planes, memory })
    }

    fn lend(self: &Arc<Self>, bytes: usize) -> Result<Lent, CardError> {
        let kept = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            // One that is too small is of another video: freed.
            free.retain(|kept| kept.len() >= bytes);
            free.pop()
        };
        let pinned = kept.map_or_else(|| (self.source)(bytes), Ok)?;
        Ok(Lent { pinned: Some(pinned), ring: Arc::clone(self) })
    }
}

impl fmt::Debug for FrameRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameRing").finish_non_exhaustive()
    }
}

/// Pinned memory that goes back to its ring.
struct Lent {
    /// `None` only while it is dropped.
    pinned: Option<Pinned>,
    ring: Arc<FrameRing>,
}

impl Lent {
    fn bytes_mut(&mut self) -> &mut [u8] {
        self.pinned.as_mut().map_or(&mut [], Pinned::bytes_mut)
    }

    fn bytes(&self, end: Option<usize>) -> &[u8] {
        let all = self.pinned.as_ref().map_or(&[][..], Pinned::bytes);
        end.and_then(|end| all.get(..end)).unwrap_or(all)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut free = self.ring.free.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pinned) = self.pinned.take()
            && free.len() < KEPT
        {
            free.push(pinned);
        }
    }
}
