//! `polyp replay`: a recorded session, painted again as one likes, or asked anew of an engine.
//!
//! With `--engine` the network sees what it saw when the session was recorded: the same part of each frame, one frame after the other, each
//! waited for. Its masks are compared, cell by cell, with those that were recorded.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clap::Args;
use clap::builder::PossibleValuesParser;
use gst::prelude::*;
use polyp::config::{Isolation, Mode, Overlay, Record, Segment, Sink};
use polyp::frame::Rect;
use polyp::overlay::STYLES;
use polyp::roi::Roi;
use polyp::segmentation::Segmentation;

use super::failure::Failure;
use super::reading::Reading;
use super::source::chain;
use super::{bus, live, place, plugin, sink};

/// Play a recorded session again: painted in another way, or with the masks of another engine
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The session's folder
    #[arg(value_name = "SESSION")]
    session: PathBuf,
    /// Write the painted picture into this file (.mkv), as fast as it goes
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show nothing, as fast as it goes
    #[arg(long, conflicts_with = "out")]
    fast: bool,
    /// shown: the masks as they were shown; own: each frame's own mask, where there is one
    #[arg(long, default_value = "shown", value_parser = ["shown", "own"], conflicts_with = "engine")]
    masks: String,
    /// Ask this engine about every frame, and compare its masks with the recorded ones
    #[arg(long, value_name = "DIR")]
    engine: Option<PathBuf>,
    /// What to look for, with --engine [default: what the engine was made for]
    #[arg(long, value_name = "TEXT", requires = "engine")]
    prompt: Option<String>,
    /// The library that runs the engine [default: the element's own choice]
    #[arg(long, value_name = "NAME", requires = "engine")]
    backend: Option<String>,
    /// Record what comes of it into this folder, with --engine
    #[arg(long, value_name = "FOLDER", requires = "engine")]
    record: Option<PathBuf>,
    /// How masks are painted
    #[arg(long, default_value = STYLES[0].name(), value_parser = styles())]
    style: String,
    /// The probability at which the mask's edge lies
    #[arg(long, default_value_t = Overlay::default().settings.threshold)]
    threshold: f32,
}

fn styles() -> PossibleValuesParser {
    PossibleValuesParser::new(STYLES.iter().map(|style| style.name()))
}

/// What became of the masks.
#[derive(Default)]
struct Compared {
    /// The recorded mask of the frame that is on its way.
    recorded: Option<Segmentation>,
    source: Option<Rect>,
    frames: u64,
    masks: u64,
    pairs: u64,
    equal: u64,
    /// Pooled over all pairs, at 0.5: cells in both, and in either, counted twice.
    both: u64,
    either: u64,
}

impl Replay {
    pub(super) fn run(&self) -> Result<(), Failure> {
        plugin::start()?;
        let source = plugin::make("polypsessionsrc")?;
        plugin::set(&source, "session", self.session.to_string_lossy().as_ref())?;
        let masks = if self.engine.is_some() { "own" } else { &self.masks };
        plugin::set_named(&source, "masks", masks)?;
        let mut overlay = Overlay { style: self.style.clone(), ..Overlay::default() };
        overlay.settings.threshold = self.threshold;
        overlay.settings.check().map_err(|wrong| {
            let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            Failure::Usage(wrong.join("; "))
        })?;
        let compared = Arc::new(Mutex::new(Compared::default()));
        let painter = match &self.engine {
            Some(_) => self.asked(&source, &overlay, &compared)?,
            None => painter(&overlay, &source, &compared)?,
        };
        let pipeline = gst::Pipeline::new();
        chain(&pipeline, &[&source, &painter])?;
        let first = match (&self.out, self.fast) {
            (Some(path), _) => sink::add(&pipeline, &Sink::File { path: path.clone() })?,
            (None, true) => {
                let sink = plugin::make("fakesink")?;
                sink.set_property("sync", false);
                pipeline.add(&sink).map_err(Failure::build)?;
                sink
            }
            (None, false) => sink::add(&pipeline, &Sink::Window)?,
        };
        painter.link(&first).map_err(Failure::build)?;
        bus::play(&pipeline, None, || {})?;
        self.report(&read(&compared));
        Ok(())
    }

    /// `polyplive` that asks the engine about every frame, in the part that was asked about.
    fn asked(
        &self,
        source: &gst::Element,
        overlay: &Overlay,
        compared: &Arc<Mutex<Compared>>,
    ) -> Result<gst::Element, Failure> {
        let segment = Segment {
            prompt: self.prompt.clone(),
            backend: self.backend.clone(),
            mode: Mode::Locked,
            isolation: Isolation::Thread,
            latency_budget: live::PATIENCE,
            ..Segment::of(place::engine(self.engine.as_deref())?)
        };
        let record = self.record.clone().map(Record::into);
        let live = live::make(&segment, overlay, record.as_ref())?;
        let (entering, element) = (Arc::clone(compared), live.downgrade());
        plugin::pad(source, "src")?.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let mask = info.buffer().and_then(|buffer| Reading::of(buffer)?.mask);
            let mut compared = read(&entering);
            compared.recorded = mask.map(|(mask, _)| mask);
            let source = compared.recorded.as_ref().map(|mask| mask.placement.source);
            if let (Some(rect), Some(element)) = (source, element.upgrade())
                && compared.source != source
            {
                compared.source = source;
                element.set_property("roi", Roi::Fixed(rect).to_string());
            }
            gst::PadProbeReturn::Ok
        });
        let leaving = Arc::clone(compared);
        plugin::pad(&live, "src")?.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let reading = info.buffer().and_then(|buffer| Reading::of(buffer));
            read(&leaving).frame(reading.and_then(|reading| reading.mask).map(|(mask, _)| mask));
            gst::PadProbeReturn::Ok
        });
        Ok(live)
    }

    fn report(&self, compared: &Compared) {
        let Compared { frames, masks, pairs, equal, both, either, .. } = compared;
        println!("{frames} frames, {masks} of them with a mask");
        if self.engine.is_some() && *pairs > 0 {
            println!("{pairs} masks were recorded of these frames: {equal} are the same to the bit");
            if *either > 0 {
                println!(
                    "pooled Dice of the others and them, at 0.5: {:.4}",
                    *both as f64 * 2.0 / *either as f64
                );
            }
        }
        if let Some(path) = &self.out {
            println!("{} is written", path.display());
        }
    }
}

/// `polypoverlay`.
fn painter(
    overlay: &Overlay,
    source: &gst::Element,
    compared: &Arc<Mutex<Compared>>,
) -> Result<gst::Element, Failure> {
    let painter = plugin::make("polypoverlay")?;
    live::paint(&painter, overlay)?;
    let counted = Arc::clone(compared);
    plugin::pad(source, "src")?.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let reading = info.buffer().and_then(|buffer| Reading::of(buffer));
        read(&counted).frame(reading.and_then(|reading| reading.mask).map(|(mask, _)| mask));
        gst::PadProbeReturn::Ok
    });
    Ok(painter)
}

fn read(compared: &Mutex<Compared>) -> MutexGuard<'_, Compared> {
    compared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Compared {
    fn frame(&mut self, mask: Option<Segmentation>) {
        self.frames += 1;
        self.masks += u64::from(mask.is_some());
        let (Some(recorded), Some(mask)) = (self.recorded.take(), mask) else { return };
        self.pairs += 1;
        if recorded.probability == mask.probability && recorded.placement == mask.placement {
            self.equal += 1;
            return;
        }
        for (old, new) in recorded.probability.iter().zip(&mask.probability) {
            let (old, new) = (*old >= 128, *new >= 128);
            self.both += u64::from(old && new);
            self.either += u64::from(old) + u64::from(new);
        }
    }
}
