//! Frames of the demonstration clip that are painted once, kept in memory, and fed over and over: feeding them costs a copy, as capture does.

use std::sync::Arc;

use polyp::clip::Clip;
use polyp::config::Framerate;
use polyp::frame::{Canvas, PixelFormat, PlaneMut, Size};

use super::failure::Failure;
use super::feed::Paint;
use super::source::clip;

/// How many are kept: some of each still, so that masks are many and different.
const KEPT: u64 = 60;

/// The frames, as NV12: luma and chroma.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    frames: Arc<Vec<[Vec<u8>; 2]>>,
    width: usize,
}

impl Kept {
    /// Paints them.
    pub(super) fn paint(size: Size, framerate: Framerate) -> Result<Self, Failure> {
        // Each still for a second: the kept frames are spread over all of them.
        let clip = clip(None, size, framerate, 1.0)?;
        let total = clip.dwell_frames() * clip.pictures() as u64;
        let run = (KEPT / clip.pictures() as u64).max(1);
        let indices = (0..total).filter(|index| index % clip.dwell_frames() < run);
        let plane = |plane: usize| {
            let (stride, rows) = PixelFormat::Nv12.plane_extent(plane, size);
            (vec![0; stride * rows], stride)
        };
        let paint = |index| {
            let (mut luma, mut chroma) = (plane(0), plane(1));
            let planes = [&mut luma, &mut chroma].map(|(bytes, stride)| PlaneMut { bytes, stride: *stride });
            let canvas = Canvas::new(PixelFormat::Nv12, size, Clip::COLORIMETRY, planes);
            clip.paint(index, &mut canvas.map_err(Failure::build)?)?;
            Ok([luma.0, chroma.0])
        };
        let frames = indices.map(paint).collect::<Result<Vec<_>, Failure>>()?;
        Ok(Self { frames: Arc::new(frames), width: size.width as usize })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.frames.len()
    }

    /// What a feed paints: every `step`-th of them, and from the beginning again.
    pub(super) fn painter(&self, step: usize) -> Paint {
        let kept = self.clone();
        Box::new(move |index: u64, canvas: &mut Canvas<'_>| {
            let frame = kept.frames.get((index as usize * step) % kept.count().max(1));
            for (plane, samples) in canvas.planes_mut().iter_mut().zip(frame.into_iter().flatten()) {
                for (to, from) in plane.bytes.chunks_mut(plane.stride).zip(samples.chunks(kept.width)) {
                    if let Some(to) = to.get_mut(..from.len()) {
                        to.copy_from_slice(from);
                    }
                }
            }
            Ok(())
        })
    }
}
