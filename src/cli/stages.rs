//! The stages of a frame's way, as a session's journal has their times.

use std::time::Duration;

use polyp::session::FrameRecord;
use polyp::trace::Stage;

/// Their names, in the order of [`times`]. The first is all of the segmenter's; the next three are parts of it; the last four are those of the
/// mask that was shown, and took place beside the picture.
pub(super) const STAGES: [&str; 9] = [
    Stage::Segment.words(),
    Stage::Copy.words(),
    Stage::Wait.words(),
    Stage::Motion.words(),
    Stage::Age.words(),
    Stage::Queue.words(),
    Stage::Input.words(),
    Stage::Infer.words(),
    Stage::Decode.words(),
];
/// The segmenter's whole time.
pub(super) const TOTAL: usize = 0;
/// The shown mask's age.
pub(super) const AGE: usize = 4;
/// The parts of the segmenter's time.
pub(super) const PARTS: std::ops::Range<usize> = 1..4;
/// What the mask's age is made of.
pub(super) const MASK: std::ops::Range<usize> = 5..9;

/// A frame's times. A stage that did not take place has none; a mask of this very frame has age 0.
pub(super) fn times(frame: &FrameRecord) -> [Option<Duration>; STAGES.len()] {
    let known = |time: u64| (time > 0).then(|| Duration::from_nanos(time));
    [
        known(frame.total_ns),
        known(frame.prepare_ns),
        known(frame.wait_ns),
        known(frame.motion_ns),
        frame.mask_age_ns.map(Duration::from_nanos),
        known(frame.queue_ns),
        known(frame.input_ns),
        known(frame.infer_ns),
        known(frame.decode_ns),
    ]
}
