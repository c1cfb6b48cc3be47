//! Following the picture: each live frame is compared with the one before, so that a mask of an earlier frame is painted where what it
//! shows is by now, or not at all.
//!
//! Not here: measuring ([`polyp::motion`]), and moving the mask's cells (`polypoverlay`, when it paints).

use std::sync::Arc;
use std::time::Duration;

use polyp::frame::Rect;
use polyp::motion::{Lost, Motion, Tracker};
use polyp::segmentation::Segmentation;

use crate::picture::Picture;

/// One stream's motion, and the masks that are joined along it.
#[derive(Debug, Default)]
pub(super) struct Follower {
    tracker: Tracker,
    /// The network's newest answer, evened out with those before it.
    smooth: Option<Smooth>,
}

/// An answer, and what was made of it.
#[derive(Debug)]
struct Smooth {
    of: Arc<Segmentation>,
    result: Arc<Segmentation>,
}

impl Follower {
    /// Looks at the stream's next frame, in the part that the network sees. A frame that can not be read is a step that is not known:
    /// what was wrong with it is said where the network is asked about it.
    pub(super) fn see(&mut self, picture: &Picture, buffer: &gst::Buffer, source: Rect, time: Duration) {
        match picture.view(buffer, |view| self.tracker.see(view, source, time)) {
            // Whether masks can be moved along this step is asked for each of them.
            Ok(Ok(()) | Err(_)) => {}
            Err(_unreadable) => self.tracker.reset(),
        }
    }

    /// How the picture moved since the mask's frame.
    pub(super) fn since(&self, mask: &Segmentation) -> Result<Motion, Lost> {
        self.tracker.since(mask.pts)
    }

    /// The mask, evened out with the ones before it: `share` (0 to 1) of what those said stays. Where the motion between them is not
    /// known it is the mask itself.
    pub(super) fn smooth(&mut self, mask: &Arc<Segmentation>, share: f32) -> Arc<Segmentation> {
        let known = self.smooth.take().filter(|_| share > 0.0);
        let result = match &known {
            Some(known) if Arc::ptr_eq(&known.of, mask) => Arc::clone(&known.result),
            Some(before) => self.join(&before.result, mask, share).map_or_else(|| Arc::clone(mask), Arc::new),
            None => Arc::clone(mask),
        };
        self.smooth = Some(Smooth { of: Arc::clone(mask), result: Arc::clone(&result) });
        result
    }

    fn join(&self, before: &Segmentation, mask: &Segmentation, share: f32) -> Option<Segmentation> {
        let motion = self.tracker.between(before.pts, mask.pts).ok()?;
        let moved = before.moved(&motion, None).ok()?;
        mask.joined(&moved, share).ok()
    }

    /// Nothing counts that was seen before: a flush, other caps, a jump of time, another prompt.
    pub(super) fn forget(&mut self) {
        self.tracker.reset();
        self.smooth = None;
    }
}
