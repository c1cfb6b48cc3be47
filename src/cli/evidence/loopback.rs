//! The delay of a real chain: a pattern that blinks is shown on a display, comes back through a capture card, and goes through
//! `polyplive`. Every change of the pattern is timed three times: when it is handed to the display, when its frame enters
//! `polyplive`, and when that frame leaves it.
//!
//! What is recognised is the picture and no number on it: the middle of the frame is black or white. It is black or white for
//! times that differ, so that changes do not keep step with the card's frames.
//!
//! Not here: a display's own delay apart from the card's, which would need a photodiode in front of it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::prelude::*;
use polyp::config::{Framerate, Overlay, Segment};
use polyp::frame::{Canvas, PixelFormat, Size};
use polyp::random::Random;

use super::super::failure::Failure;
use super::super::feed::{Frames, Paint};
use super::super::source::{self, Opened};
use super::super::stopwatch::Times;
use super::super::{bus, live, plugin, sink};

/// Frames that the pattern stays as it is: at least, and how many more at most.
const STAYS: (u64, u64) = (12, 12);
/// Luma of the pattern, and what tells one from the other.
const BLACK: u8 = 16;
const WHITE: u8 = 235;
const BETWEEN: u64 = 125;
/// Rows and columns of samples that are looked at, over the middle half of the frame.
const LOOKED_AT: usize = 8;
/// How long the last change may take to come back.
const LAST: Duration = Duration::from_secs(2);

/// One change of the pattern.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// From the display's being handed it to its frame's entry into `polyplive`.
    pub(super) outside: Duration,
    /// From there to that frame's leaving it.
    pub(super) added: Duration,
}

/// What was measured.
#[derive(Debug, Default)]
pub(super) struct Looped {
    pub(super) changes: Vec<Change>,
    /// Changes that did not come back before the next one.
    pub(super) missed: u64,
}

impl Looped {
    /// Of every change, the time outside of `polyplive`, and the time in it.
    pub(super) fn times(&self) -> [Times; 2] {
        let (mut outside, mut added) = (Times::default(), Times::default());
        for change in &self.changes {
            outside.add(change.outside);
            added.add(change.added);
        }
        [outside, added]
    }
}

/// The change that is under way.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    white: bool,
    shown: Instant,
    entered: Option<Instant>,
}

#[derive(Debug, Default)]
struct Track {
    /// What is shown now, and what came back last.
    white: Option<bool>,
    came_back: Option<bool>,
    under_way: Option<UnderWay>,
    looped: Looped,
}

impl Track {
    /// A frame is handed to the display.
    fn show(&mut self, white: bool, now: Instant) {
        let before = self.white.replace(white);
        // What is shown first is no change.
        if before.is_some_and(|before| before != white) {
            // One that can not be told from what came back before is none to be timed: the one before it got lost.
            let is_news = self.came_back == Some(!white);
            let under_way = is_news.then_some(UnderWay { white, shown: now, entered: None });
            let before = std::mem::replace(&mut self.under_way, under_way);
            self.looped.missed += u64::from(before.is_some()) + u64::from(!is_news);
        }
    }

    /// A frame enters the element.
    fn enter(&mut self, white: bool, now: Instant) {
        self.came_back = Some(white);
        if let Some(change) = self.under_way.as_mut().filter(|change| change.white == white) {
            change.entered.get_or_insert(now);
        }
    }

    /// A frame leaves it.
    fn leave(&mut self, white: bool, now: Instant) {
        if let Some(UnderWay { white: wanted, shown, entered: Some(entered) }) = self.under_way
            && wanted == white
        {
            self.looped.changes.push(Change { outside: entered - shown, added: now - entered });
            self.under_way = None;
        }
    }

    /// All of it; what is still under way did not come back.
    fn finish(self) -> Looped {
        let Self { under_way, mut looped, .. } = self;
        looped.missed += u64::from(under_way.is_some());
        looped
    }
}

/// Shows the pattern for `time` on what `display` describes and watches it come back from what `from` does, both as `gst-launch-1.0` writes
/// elements.
///
/// # Errors
/// [`Failure`] where one of them is no such description, the pipeline fails, or nothing of the pattern comes back.
pub(super) fn measure(
    (display, from): (&str, &str),
    (segment, overlay): (&Segment, &Overlay),
    (size, framerate): (Size, Framerate),
    time: Duration,
) -> Result<Looped, Failure> {
    let track: Arc<Mutex<Track>> = Arc::default();
    let pipeline = gst::Pipeline::new();
    let count = (time.as_secs_f64() * framerate.per_second()).round() as u64;
    let frames = Frames { format: PixelFormat::Nv12, size, framerate, count: Some(count), paint: pattern() };
    let Opened { last, feed } = source::feed(&pipeline, frames)?;
    let shown = described("--display", display, &format!("identity silent=true ! {display}"))?;
    let convert = plugin::make("videoconvert")?;
    source::chain(&pipeline, &[&convert, &shown])?;
    last.link(&convert).map_err(Failure::build)?;
    watch(&convert, "sink", &track, Track::show)?;

    let captured = described("--loopback", from, &format!("{from} ! identity silent=true"))?;
    let (convert, filter, live) =
        (plugin::make("videoconvert")?, plugin::make("capsfilter")?, live::make(segment, overlay, None)?);
    let caps = gst_video::VideoCapsBuilder::new().format(gst_video::VideoFormat::Nv12).build();
    filter.set_property("caps", &caps);
    let screen = plugin::make("fakesink")?;
    screen.set_property("sync", false);
    source::chain(&pipeline, &[&captured, &convert, &filter, &live, &sink::queue(4)?, &screen])?;
    watch(&live, "sink", &track, Track::enter)?;
    watch(&live, "src", &track, Track::leave)?;

    let begun = Instant::now();
    let mut ended = false;
    let played = bus::play(&pipeline, feed, || {
        // A capture card has no end of its own.
        if !ended && begun.elapsed() > time + LAST {
            ended = true;
            pipeline.send_event(gst::event::Eos::new());
        }
    })?;
    if played.interrupted {
        return Err(Failure::Stream("the loop was broken off; nothing is written".to_owned()));
    }
    let looped = std::mem::take(&mut *lock(&track)).finish();
    if looped.changes.is_empty() {
        let missed = looped.missed;
        return Err(Failure::Stream(format!(
            "--loopback: expected the pattern of --display to come back, found none of its {missed} changes in what {from} brought"
        )));
    }
    Ok(looped)
}

fn lock(track: &Mutex<Track>) -> MutexGuard<'_, Track> {
    track.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A bin of elements as `gst-launch-1.0` writes them, with a pad where one is left open. `whole` is what the user wrote, `text`, with an element
/// at that end: caps alone have no pad.
fn described(option: &str, text: &str, whole: &str) -> Result<gst::Element, Failure> {
    let bin = gst::parse::bin_from_description(whole, true).map_err(|error| {
        Failure::Usage(format!(
            "{option}: expected elements as gst-launch-1.0 takes them, found {text:?}: {error}"
        ))
    })?;
    Ok(bin.upcast())
}

/// The pattern's painter: black or white, each for a while.
fn pattern() -> Paint {
    let (mut white, mut until) = (false, STAYS.0);
    Box::new(move |index, canvas: &mut Canvas<'_>| {
        if index >= until {
            white = !white;
            let more = Random::new(&[index]).unit() * STAYS.1 as f32;
            until = index + STAYS.0 + more as u64;
        }
        for (plane, fill) in canvas.planes_mut().iter_mut().zip([if white { WHITE } else { BLACK }, 128]) {
            plane.bytes.fill(fill);
        }
        Ok(())
    })
}

/// Calls `seen` with every frame at that pad: whether its middle is white, and when.
fn watch(
    element: &gst::Element,
    pad: &str,
    track: &Arc<Mutex<Track>>,
    seen: fn(&mut Track, bool, Instant),
) -> Result<(), Failure> {
    let track = Arc::clone(track);
    let pad = element.static_pad(pad).ok_or_else(|| Failure::build(format!("no pad {pad}")))?;
    let known = OnceLock::new();
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, probe| {
        let now = Instant::now();
        let info = known.get().cloned().or_else(|| {
            let info = gst_video::VideoInfo::from_caps(pad.current_caps()?.as_ref()).ok()?;
            Some(known.get_or_init(|| info).clone())
        });
        if let (Some(info), Some(gst::PadProbeData::Buffer(buffer))) = (&info, &probe.data)
            && let Some(white) = is_white(info, buffer)
        {
            seen(&mut lock(&track), white, now);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Whether the middle of an NV12 frame is white; `None` where it can not be read.
fn is_white(info: &gst_video::VideoInfo, buffer: &gst::BufferRef) -> Option<bool> {
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).ok()?;
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let stride = usize::try_from(*frame.plane_stride().first()?).ok()?;
    let luma = frame.plane_data(0).ok()?;
    let place = |side: usize, index: usize| side / 4 + side * index / (2 * LOOKED_AT);
    let rows = (0..LOOKED_AT).map(|row| place(height, row) * stride);
    let sum: Option<u64> = rows
        .flat_map(|row| (0..LOOKED_AT).map(move |column| row + place(width, column)))
        .map(|at| luma.get(at).map(|sample| u64::from(*sample)))
        .sum();
    Some(sum? / (LOOKED_AT * LOOKED_AT) as u64 > BETWEEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_timed_where_it_passes() {
        let mut track = Track::default();
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        track.show(false, at(0));
        track.enter(false, at(5));
        track.leave(false, at(6));
        // Nothing changed so far.
        assert!(track.looped.changes.is_empty());
        track.show(true, at(100));
        track.enter(false, at(110));
        track.leave(false, at(111));
        track.enter(true, at(140));
        track.leave(false, at(141));
        track.leave(true, at(143));
        track.leave(true, at(180));
        let [change] = track.looped.changes[..] else { panic!("{track:?}") };
        assert_eq!((change.outside, change.added), (Duration::from_millis(40), Duration::from_millis(3)));
        // One that does not come back before the next is missed, and said to be.
        track.show(false, at(500));
        track.show(true, at(900));
        track.enter(true, at(930));
        track.leave(true, at(931));
        assert_eq!((track.looped.changes.len(), track.looped.missed), (1, 2));
        track.show(false, at(1200));
        track.enter(false, at(1240));
        track.leave(false, at(1242));
        assert_eq!((track.looped.changes.len(), track.looped.missed), (2, 2));
        // A source that never changes brings nothing back.
        let mut track = Track::default();
        track.enter(false, at(0));
        for change in 0..10 {
            track.show(change % 2 == 1, at(100 * change));
            track.enter(false, at(100 * change + 50));
            track.leave(false, at(100 * change + 51));
        }
        let looped = track.finish();
        assert_eq!((looped.changes.len(), looped.missed), (0, 9));
    }
}
