//! How much later the picture and its annotation come because of `polyplive`, in live mode.
//!
//! * *picture*: from a frame's entry into the element to its leaving it;
//! * *annotation*: from the entry of the frame that a mask is of to the leaving of the frame that it is shown on. It is the mask's age and that
//!   frame's own delay.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gst::prelude::*;
use polyp::config::{Framerate, Overlay, Segment};
use polyp::frame::{PixelFormat, Size};

use super::super::failure::Failure;
use super::super::feed::Frames;
use super::super::gather::gather;
use super::super::kept::Kept;
use super::super::source::{self, Opened};
use super::super::stopwatch::Times;
use super::super::{bus, live, sink};

/// One frame.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) sequence: u64,
    pub(super) badge: String,
    pub(super) picture: Duration,
    /// The age of the mask that is shown on it.
    pub(super) age: Option<Duration>,
}

impl Shown {
    pub(super) fn annotation(&self) -> Option<Duration> {
        self.age.map(|age| age + self.picture)
    }
}

/// A frame's number, its badge, and the age of the mask on it.
type Told = (u64, String, Option<Duration>);

/// What was measured.
#[derive(Debug)]
pub(super) struct Delays {
    pub(super) frames: Vec<Shown>,
    pub(super) picture: Times,
    pub(super) annotation: Times,
    /// Frames that came too late to a sink that keeps the clock's pace.
    pub(super) late: u64,
    /// What made the masks, as the element says it.
    pub(super) engine: Vec<(&'static str, String)>,
}

/// What is told of the engine: the fields of the element's statistics.
const ENGINE: [&str; 8] =
    ["engine", "prompt", "manifest-sha256", "backend", "library", "precision", "threads", "side-px"];

/// Plays for `time`.
pub(super) fn measure(
    segment: &Segment,
    overlay: &Overlay,
    kept: &Kept,
    (size, framerate): (Size, Framerate),
    time: Duration,
) -> Result<Delays, Failure> {
    let live = live::make(segment, overlay, None)?;
    let told: Arc<Mutex<Vec<Told>>> = Arc::default();
    let telling = Arc::clone(&told);
    let gathered = gather(&live, "sink", move |reading, _| {
        let age = reading.mask.as_ref().map(|(_, age)| *age);
        let line = (reading.sequence, reading.badge.clone(), age);
        telling.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    })?;
    let count = (time.as_secs_f64() * framerate.per_second()).round() as u64;
    let pipeline = gst::Pipeline::new();
    let Opened { last, feed } = source::feed(
        &pipeline,
        Frames { format: PixelFormat::Nv12, size, framerate, count: Some(count), paint: kept.painter(1) },
    )?;
    let (queue, screen) = (sink::queue(4)?, sink::strict()?);
    source::chain(&pipeline, &[&live, &queue, &screen])?;
    last.link(&live).map_err(Failure::build)?;
    let (mut late, mut engine) = (0, Vec::new());
    let played = bus::play(&pipeline, feed, || {
        late = sink::counts(&screen).1;
        // Asked until all is known, and not beside the frames that are timed.
        if engine.len() < ENGINE.len() {
            engine = told_of_engine(&live);
        }
    })?;
    if played.interrupted {
        return Err(Failure::Stream("the delays were broken off; nothing is written".to_owned()));
    }
    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    let gathered = gathered.read();
    let transit = gathered.transit.all();
    if transit.len() != told.len() || told.is_empty() {
        let found =
            format!("{} frames were timed, and {} of them had something of ours", transit.len(), told.len());
        return Err(Failure::Stream(found));
    }
    let frames: Vec<Shown> = told
        .iter()
        .zip(transit)
        .map(|((sequence, badge, age), picture)| Shown {
            sequence: *sequence,
            badge: badge.clone(),
            picture: *picture,
            age: *age,
        })
        .collect();
    let (mut picture, mut annotation) = (Times::default(), Times::default());
    for frame in &frames {
        picture.add(frame.picture);
        frame.annotation().into_iter().for_each(|delay| annotation.add(delay));
    }
    Ok(Delays { frames, picture, annotation, late, engine })
}

fn told_of_engine(live: &gst::Element) -> Vec<(&'static str, String)> {
    let Some(segment) = live::stats(live, "segment") else { return Vec::new() };
    let text = |name: &str| {
        let number = segment.get::<u64>(name).map(|number| number.to_string());
        segment.get::<String>(name).or(number).ok()
    };
    ENGINE.into_iter().filter_map(|name| Some((name, text(name)?))).collect()
}
