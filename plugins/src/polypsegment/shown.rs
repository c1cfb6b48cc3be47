//! When frames came in whose sink has not said yet that it is done with them.
//!
//! A sink that reports on its frames (quality of service) does so when it has shown one, or dropped it as too late, and names the frame by its
//! running time. Many sinks do not, so that only the newest frames are kept.

use std::time::{Duration, Instant};

/// Frames that may be on their way to the sink.
const KEPT: usize = 64;

/// A frame on its way.
#[derive(Clone, Copy, Debug)]
struct Coming {
    time: Duration,
    sequence: u64,
    arrived: Instant,
}

/// The newest frames.
#[derive(Debug)]
pub(super) struct Shown {
    coming: [Option<Coming>; KEPT],
    next: usize,
}

impl Default for Shown {
    fn default() -> Self {
        Self { coming: [None; KEPT], next: 0 }
    }
}

impl Shown {
    /// Frame `sequence` of that running time came in then.
    pub(super) fn comes(&mut self, sequence: u64, time: Duration, arrived: Instant) {
        if let Some(place) = self.coming.get_mut(self.next) {
            *place = Some(Coming { time, sequence, arrived });
        }
        self.next = (self.next + 1) % KEPT;
    }

    /// The sink is done with the frame of that running time: its number, and when it came in. Each is given once.
    pub(super) fn done(&mut self, time: Duration) -> Option<(u64, Instant)> {
        let place = self.coming.iter_mut().find(|place| place.is_some_and(|coming| coming.time == time))?;
        place.take().map(|coming| (coming.sequence, coming.arrived))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_frames_are_known_each_once() {
        let (mut shown, now) = (Shown::default(), Instant::now());
        let at = Duration::from_millis;
        (0..100).for_each(|frame| shown.comes(frame, at(frame), now));
        assert_eq!(shown.done(at(99)), Some((99, now)));
        assert_eq!(shown.done(at(99)), None, "it was given");
        assert_eq!(shown.done(at(36)), Some((36, now)));
        assert_eq!(shown.done(at(35)), None, "64 newer ones have come");
        assert_eq!(shown.done(at(100)), None);
    }
}
