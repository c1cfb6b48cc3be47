//! One run of kept frames through an element, and what came of it.

use std::time::Duration;

use gst::prelude::*;
use polyp::config::Framerate;
use polyp::frame::{PixelFormat, Size};

use super::failure::Failure;
use super::feed::Frames;
use super::gather::{Shared, gather};
use super::kept::Kept;
use super::source::{self, Opened};
use super::{bus, live, sink};

/// What one run came to.
pub(super) struct Outcome {
    pub(super) gathered: Shared,
    /// Frames that reached the sink in time, and that came too late, by the sink's own account.
    pub(super) in_time: u64,
    pub(super) late: u64,
    pub(super) feed_latest: Duration,
    /// What the network answered; 0 of an element that asks none.
    pub(super) answered: u64,
    /// Whether somebody ended it.
    pub(super) interrupted: bool,
}

impl Outcome {
    /// This and another stream's, which played at the same time.
    pub(super) fn with(self, other: Self) -> Self {
        self.gathered.read().take(&other.gathered.read());
        Self {
            in_time: self.in_time + other.in_time,
            late: self.late + other.late,
            feed_latest: self.feed_latest.max(other.feed_latest),
            interrupted: self.interrupted || other.interrupted,
            answered: self.answered + other.answered,
            gathered: self.gathered,
        }
    }
}

/// Feeds `element`, by its pad `entrance`, frames of `kept` for `time`, as a camera would bring them.
pub(super) fn through(
    element: &gst::Element,
    entrance: &str,
    kept: &Kept,
    (size, framerate): (Size, Framerate),
    time: Duration,
) -> Result<Outcome, Failure> {
    let gathered = gather(element, entrance, |_, _| {})?;
    let count = (time.as_secs_f64() * framerate.per_second()).round() as u64;
    let pipeline = gst::Pipeline::new();
    let frames =
        Frames { format: PixelFormat::Nv12, size, framerate, count: Some(count), paint: kept.painter(1) };
    let Opened { last, feed } = source::feed(&pipeline, frames)?;
    let (queue, screen) = (sink::queue(4)?, sink::strict()?);
    source::chain(&pipeline, &[element, &queue, &screen])?;
    last.link_pads(Some("src"), element, Some(entrance)).map_err(Failure::build)?;
    // The sink forgets its counts when it stops.
    let mut counts = (0, 0);
    let played = bus::play(&pipeline, feed, || counts = sink::counts(&screen))?;
    pipeline.remove(element).map_err(Failure::build)?;
    let (in_time, late) = counts;
    Ok(Outcome {
        gathered,
        in_time,
        late,
        feed_latest: played.feed_latest,
        answered: live::stats(element, "segment")
            .and_then(|stats| stats.get("answered").ok())
            .unwrap_or_default(),
        interrupted: played.interrupted,
    })
}
