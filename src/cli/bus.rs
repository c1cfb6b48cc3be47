//! Playing a pipeline to its end: the user's Ctrl-C, messages told once, errors as sentences.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gst::prelude::*;

use super::failure::Failure;
use super::feed::{Feed, Running};

/// How long an answer from the bus is waited for before signals and time are looked at again.
const GLANCE: gst::ClockTime = gst::ClockTime::from_mseconds(50);
/// How often a step of a preparation is printed, at most: it may have thousands, in minutes.
const STEP: Duration = Duration::from_secs(2);
/// How long a pipeline may take to end after it was asked to.
const END_LIMIT: Duration = Duration::from_secs(10);

/// A pipeline's run: why it ended, and how late its feed was.
#[derive(Debug)]
pub(super) struct Played {
    /// Whether the user ended it.
    pub(super) interrupted: bool,
    /// How late the latest frame came out of the feed, where there is one.
    pub(super) feed_latest: Duration,
    /// Frames that it brought into the pipeline.
    pub(super) fed: u64,
}

/// Counts SIGINT and SIGTERM.
struct Signals {
    count: Arc<AtomicUsize>,
    ids: Vec<signal_hook::SigId>,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let count = Arc::new(AtomicUsize::new(0));
        let mut ids = Vec::new();
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            let heard = signal_hook::flag::register_usize(signal, Arc::clone(&count), 1);
            ids.push(heard.map_err(|error| Failure::Stream(format!("signals can not be heard: {error}")))?);
        }
        Ok(Self { count, ids })
    }

    fn heard(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

/// Plays `pipeline` until it ends, fails or the user ends it; `watch` is called a few times a second. The pipeline is
/// in NULL afterwards, whatever happened.
pub(super) fn play(
    pipeline: &gst::Pipeline,
    feed: Option<Feed>,
    mut watch: impl FnMut(),
) -> Result<Played, Failure> {
    let signals = Signals::listen()?;
    let mut running = None;
    let outcome = follow(pipeline, feed, &signals, &mut running, &mut watch);
    if let Some(running) = &running {
        running.stop();
    }
    // Also where it failed: the pipeline must not outlive this.
    let down = pipeline.set_state(gst::State::Null);
    let feed_latest = running.as_ref().map(Running::latest).unwrap_or_default();
    let fed = running.as_ref().map(Running::fed).unwrap_or_default();
    let joined = running.map_or(Ok(()), Running::join);
    let interrupted = outcome?;
    joined?;
    down.map_err(|error| Failure::Stream(format!("the pipeline does not stop: {error}")))?;
    Ok(Played { interrupted, feed_latest, fed })
}

fn follow(
    pipeline: &gst::Pipeline,
    feed: Option<Feed>,
    signals: &Signals,
    running: &mut Option<Running>,
    watch: &mut dyn FnMut(),
) -> Result<bool, Failure> {
    let bus = pipeline.bus().ok_or_else(|| Failure::build("it has no bus"))?;
    if pipeline.set_state(gst::State::Playing).is_err() {
        let error = bus.pop_filtered(&[gst::MessageType::Error]);
        return Err(error.as_ref().map_or_else(|| Failure::build("an element refused to start"), failed));
    }
    if let Some(feed) = feed {
        *running = Some(feed.start()?);
    }
    let (mut ending, mut told): (Option<Instant>, Option<Instant>) = (None, None);
    loop {
        if ending.is_none() && signals.heard() {
            eprintln!("polyp: ending");
            ending = Some(Instant::now());
            // Encoders write their last frames, and files get their index.
            pipeline.send_event(gst::event::Eos::new());
        }
        if ending.is_some_and(|since| since.elapsed() > END_LIMIT) {
            return Err(Failure::Stream(format!("the pipeline did not end within {END_LIMIT:?}")));
        }
        watch();
        let Some(message) = bus.timed_pop(GLANCE) else { continue };
        match message.view() {
            gst::MessageView::Eos(_) => {
                watch();
                return Ok(ending.is_some());
            }
            gst::MessageView::Error(_) => return Err(failed(&message)),
            gst::MessageView::Warning(warning) => {
                eprintln!("polyp: {}: {}", name(&message), warning.error().message());
            }
            gst::MessageView::Info(info) => {
                eprintln!("polyp: {}: {}", name(&message), info.error().message());
            }
            gst::MessageView::Progress(progress) => {
                let (kind, _, text) = progress.get();
                let now = Instant::now();
                let is_step = kind == gst::ProgressType::Continue;
                if !is_step || told.is_none_or(|told| now - told >= STEP) {
                    told = Some(now);
                    eprintln!("polyp: {}: {text}", name(&message));
                }
            }
            gst::MessageView::Element(element) => {
                if let Some(raised) = element.structure().and_then(alarm) {
                    let words = if raised { "a polyp is in view" } else { "over" };
                    eprintln!("polyp: {}: alarm: {words}", name(&message));
                }
                if let Some(words) = element.structure().and_then(recording) {
                    eprintln!("polyp: {}: {words}", name(&message));
                }
            }
            gst::MessageView::Latency(_) if pipeline.recalculate_latency().is_err() => {
                eprintln!("polyp: the pipeline's latency can not be worked out anew");
            }
            _ => {}
        }
    }
}

/// Whether an alarm is raised or over, where that is what an element says.
fn alarm(said: &gst::StructureRef) -> Option<bool> {
    said.get("raised").ok().filter(|_raised: &bool| said.name() == "polyp-alarm")
}

/// What is said of a recording that begins or has ended, where that is what an element says.
fn recording(said: &gst::StructureRef) -> Option<String> {
    let folder = said.get::<String>("folder").ok().filter(|_folder| said.name() == "polyp-recording")?;
    let count = |name| said.get::<u64>(name).unwrap_or_default();
    Some(match said.get::<String>("reason") {
        Ok(reason) => format!(
            "recorded {folder}: {} frames, {} of them not recorded; it ended because {reason}",
            count("frames"),
            count("dropped")
        ),
        Err(_) => format!("recording {folder}"),
    })
}

/// What an error message says.
pub(super) fn failed(message: &gst::Message) -> Failure {
    match message.view() {
        gst::MessageView::Error(error) => {
            Failure::Stream(format!("{}: {}", name(message), error.error().message()))
        }
        _ => Failure::Stream(format!("{}: an unexpected message", name(message))),
    }
}

fn name(message: &gst::Message) -> String {
    message.src().map(|source| source.name().to_string()).unwrap_or_default()
}
