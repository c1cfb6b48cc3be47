//! What the frames of a recording are, and copies of them in memory that is kept.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use polyp::frame::{PixelFormat, Size};

use crate::picture::Picture;

/// Frames of one kind go into one file.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) caps: gst::Caps,
    pub(super) info: gst_video::VideoInfo,
    pub(super) picture: Picture,
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.caps == other.caps
    }
}

impl Kind {
    /// Frames of `caps`, as they are copied: rows without padding beyond GStreamer's own for those caps.
    pub(super) fn of(caps: &gst::Caps, picture: &Picture) -> Option<Arc<Self>> {
        let info = gst_video::VideoInfo::from_caps(caps).ok()?;
        Some(Arc::new(Self { caps: caps.clone(), info, picture: picture.clone() }))
    }

    pub(super) fn format(&self) -> PixelFormat {
        self.picture.kind().0
    }

    pub(super) fn size(&self) -> Size {
        self.picture.size()
    }
}

/// Memory for frames: so many pieces, no more.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    free: Receiver<Vec<u8>>,
    back: Sender<Vec<u8>>,
}

/// One piece of it; it goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Pixels {
    bytes: Vec<u8>,
    back: Sender<Vec<u8>>,
}

impl Pool {
    pub(super) fn new(pieces: usize) -> Self {
        let (back, free) = bounded(pieces);
        for _ in 0..pieces {
            // As many as the channel holds.
            let _full = back.try_send(Vec::new());
        }
        Self { free, back }
    }

    /// A copy of `buffer`, if a piece is free and the buffer can be read.
    pub(super) fn copy(&self, kind: &Kind, buffer: &gst::BufferRef) -> Option<Pixels> {
        let bytes = self.free.try_recv().ok()?;
        let mut pixels = Pixels { bytes, back: self.back.clone() };
        pixels.bytes.resize(kind.info.size(), 0);
        let (offsets, strides) = (kind.info.offset(), kind.info.stride());
        let copied = kind.picture.view(buffer, |view| {
            for (index, plane) in view.planes().iter().enumerate() {
                let (row_bytes, rows) = kind.format().plane_extent(index, kind.size());
                let (at, stride) = (*offsets.get(index)?, usize::try_from(*strides.get(index)?).ok()?);
                let to = pixels.bytes.get_mut(at..)?;
                if stride == plane.stride {
                    let whole = stride * rows.saturating_sub(1) + row_bytes;
                    to.get_mut(..whole)?.copy_from_slice(plane.bytes.get(..whole)?);
                } else {
                    let from = plane.bytes.chunks(plane.stride);
                    for (to, from) in to.chunks_mut(stride).zip(from).take(rows) {
                        to.get_mut(..row_bytes)?.copy_from_slice(from.get(..row_bytes)?);
                    }
                }
            }
            Some(())
        });
        matches!(copied, Ok(Some(()))).then_some(pixels)
    }
}

impl AsRef<[u8]> for Pixels {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Pixels {
    fn drop(&mut self) {
        // Nobody is there to take it back when the recording has ended.
        let _ended = self.back.try_send(std::mem::take(&mut self.bytes));
    }
}
