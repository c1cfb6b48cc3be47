//! The time of a frame, also of frames that come without one.
//!
//! A frame's time is its buffer's timestamp as running time. A buffer without a timestamp, or with one outside
//! its segment, is counted on from the last: one frame's duration later. Masks age by these times, so a stream
//! without timestamps is trusted to keep its frame rate.
//!
//! Not here: clocks. Nothing in this file looks at one.

use std::time::Duration;

use gst_base::prelude::*;

/// A frame's duration where neither the buffer nor the caps say it.
const UNKNOWN_RATE: Duration = Duration::from_nanos(1_000_000_000 / 30);

/// A buffer's timestamp as running time, where it has one that lies in the element's segment.
pub fn running_time(
    element: &impl IsA<gst_base::BaseTransform>,
    buffer: &gst::BufferRef,
) -> Option<Duration> {
    let segment = element.segment();
    let segment = segment.downcast_ref::<gst::ClockTime>()?;
    segment.to_running_time(buffer.pts()?).map(Duration::from)
}

/// The times of one stream's frames.
#[derive(Debug, Default)]
pub struct Timeline {
    next: Duration,
    last: Option<Duration>,
}

impl Timeline {
    /// The time of the next frame: `running`, its running time, if it has one. `duration` is the buffer's, or
    /// else the caps' frame rate turned over.
    pub fn time(&mut self, running: Option<Duration>, duration: Option<Duration>) -> Duration {
        let time = running.unwrap_or(self.next);
        let step = duration.filter(|d| !d.is_zero()).unwrap_or(UNKNOWN_RATE);
        self.next = time.saturating_add(step);
        time
    }

    /// Whether the stream goes on with its frame at `time`: it is later than the frame that was asked about before, by at
    /// most `gap`. It does not after a lost signal, after a clock that jumped, and at its beginning.
    pub fn goes_on(&mut self, time: Duration, gap: Duration) -> bool {
        let last = self.last.replace(time);
        last.is_some_and(|last| time > last && time - last <= gap)
    }

    /// Forgets what came before: a flush.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn timestamps_are_believed() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.time(Some(ms(70)), None), ms(70));
        assert_eq!(timeline.time(Some(ms(10)), Some(ms(40))), ms(10));
    }

    #[test]
    fn frames_without_a_timestamp_are_counted() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.time(None, Some(ms(40))), ms(0));
        assert_eq!(timeline.time(None, Some(ms(40))), ms(40));
        assert_eq!(timeline.time(Some(ms(100)), Some(ms(40))), ms(100));
        assert_eq!(timeline.time(None, Some(ms(0))), ms(140));
        assert_eq!(timeline.time(None, None), ms(140) + UNKNOWN_RATE);
    }

    #[test]
    fn a_stream_goes_on_with_frames_that_are_later_but_not_much() {
        let mut timeline = Timeline::default();
        let found = [100, 140, 260, 381, 380, 380, 400].map(|time| timeline.goes_on(ms(time), ms(120)));
        assert_eq!(found, [false, true, true, false, false, false, true]);
        timeline.reset();
        assert!(!timeline.goes_on(ms(440), ms(120)), "a flush begins anew");
    }

    #[test]
    fn a_reset_counts_from_zero() {
        let mut timeline = Timeline::default();
        timeline.time(Some(ms(100)), None);
        timeline.reset();
        assert_eq!(timeline.time(None, None), ms(0));
    }
}
