//! The way from each of a stream's last frames to the newest.

use std::time::Duration;

use super::affine::Affine;
use super::luma::Luma;
use super::meter::Meter;
use super::{Lost, Motion};
use crate::frame::{FrameView, Rect};

/// So many frames are remembered: 266 ms at 60 frames a second, twice what a mask may be old.
const FRAMES: usize = 16;

/// A frame that was seen, and the step from the frame before it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    pts: Duration,
    step: Result<(Affine, f32), Lost>,
}

/// Follows a stream's motion from frame to frame. After the first frames nothing is allocated.
#[derive(Debug, Default)]
pub struct Tracker {
    meter: Meter,
    /// The newest frame's plane, and the one before it, whose memory is used for the next.
    now: Luma,
    then: Luma,
    /// The last frames, oldest first.
    seen: std::collections::VecDeque<Seen>,
}

impl Tracker {
    /// A tracker that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the next frame of the stream: its part `source` (the one that the network sees), and its presentation time.
    /// A time that is not later than the last frame's begins a new stream.
    ///
    /// # Errors
    /// [`Lost`] when the motion from the frame before is not known. The frame is remembered all the same: later ones can
    /// be followed from it.
    pub fn see(&mut self, frame: &FrameView<'_>, source: Rect, pts: Duration) -> Result<(), Lost> {
        if self.seen.back().is_some_and(|last| last.pts >= pts) {
            self.reset();
        }
        std::mem::swap(&mut self.now, &mut self.then);
        let read = self.now.read(frame, source);
        let step = match (read, self.seen.is_empty()) {
            (Err(lost), _) => Err(lost),
            // Nothing is asked of the first frame's step.
            (Ok(()), true) => Ok((Affine::IDENTITY, 1.0)),
            (Ok(()), false) => {
                self.meter.measure(&self.then, &self.now).map(|measured| (measured.map, measured.quality))
            }
        };
        if self.seen.len() >= FRAMES {
            self.seen.pop_front();
        }
        self.seen.push_back(Seen { pts, step });
        step.map(|_| ())
    }

    /// The motion from the frame of presentation time `pts` to the newest.
    ///
    /// # Errors
    /// [`Lost`]: why that frame's masks can not be moved. [`Lost::Forgotten`] when it was not seen, or too long ago;
    /// otherwise what was wrong with the first step that is not known.
    pub fn since(&self, pts: Duration) -> Result<Motion, Lost> {
        let newest = self.seen.back().ok_or(Lost::Forgotten)?;
        self.between(pts, newest.pts)
    }

    /// The motion from the frame of presentation time `from` to that of `to`, which is not earlier.
    ///
    /// # Errors
    /// As [`Self::since`]; [`Lost::Forgotten`] also where `to` was not seen, or is earlier than `from`.
    pub fn between(&self, from: Duration, to: Duration) -> Result<Motion, Lost> {
        let place = |pts| self.seen.iter().position(|seen| seen.pts == pts).ok_or(Lost::Forgotten);
        let (first, last) = (place(from)?, place(to)?);
        let steps = last.checked_sub(first).ok_or(Lost::Forgotten)?;
        let mut motion = Motion { from, to, map: Affine::IDENTITY, quality: 1.0 };
        for seen in self.seen.iter().skip(first + 1).take(steps) {
            let (map, quality) = seen.step?;
            motion.map = motion.map.then(&map);
            motion.quality = motion.quality.min(quality);
        }
        Ok(motion)
    }

    /// Forgets what was seen: the next frame is a stream's first.
    pub fn reset(&mut self) {
        self.seen.clear();
    }
}
