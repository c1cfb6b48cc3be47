//! `polyp tune`: which settings keep a budget on this machine, and which of those is the most accurate.
//!
//! Every candidate is played: kept frames at the camera's pace through `polyplive`, first without the picture waiting (`live`); those whose network is
//! fast enough then with it (`locked`). Where painting forbids all of them, other styles are tried. Accuracy is the engine's own figure, from its manifest: what is measured here is time.
//!
//! Not here: a queue's depth. There is one place for a frame that waits, and a newer one takes it: with more of them masks would only be older.

mod candidate;
mod card;
mod chart;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use polyp::config::{Config, Framerate, Mode, Overlay, Precision, Segment, Source};
use polyp::frame::Size;
use polyp::overlay::STYLES;
use polyp::trace::Stage;

use super::failure::Failure;
use super::kept::Kept;
use super::options::{duration, size};
use super::stopwatch::{Times, milliseconds};
use super::{live, measured, plugin, reading};
use candidate::{Candidate, Measured, Need, best, nearest};
use card::Card;

/// Backends that are tried, with the numbers that each is tried in.
const BACKENDS: [(&str, &[Precision]); 5] = [
    ("openvino", &[Precision::F32, Precision::Bf16, Precision::Int8]),
    ("ort", &[Precision::F32, Precision::Int8]),
    ("tensorrt-rtx", &[Precision::F16]),
    ("tensorrt", &[Precision::F16]),
    ("ort-tensorrt", &[Precision::F16]),
];
const DEFAULT_SIZE: Size = Size::new(1920, 1080);

/// Find the settings that keep a latency budget on this machine with the best accuracy, and write them as a configuration
#[derive(Debug, Args)]
pub(super) struct Tune {
    /// The configuration to begin from (TOML); its source and sink stay as they are
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// What the picture may be late by, at its 99th percentile
    #[arg(long, value_name = "TIME", value_parser = duration)]
    budget: Duration,
    /// How old an annotation may be when it is shown, at its 99th percentile [default: segment.max_mask_age]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    age: Option<Duration>,
    /// Frames per second
    #[arg(long, value_name = "N", default_value = "30")]
    fps: Framerate,
    /// Frame size [default: the source's, or 1080p]
    #[arg(long, value_parser = size)]
    size: Option<Size>,
    /// How long each candidate is played
    #[arg(long, value_name = "TIME", default_value = "6s", value_parser = duration)]
    time: Duration,
    /// What is written; it must not be there yet
    #[arg(long, value_name = "FILE", default_value = "tuned.toml")]
    out: PathBuf,
    /// A picture of the trade-off; an older one is replaced
    #[arg(long, value_name = "FILE", default_value = "tuned.svg")]
    picture: PathBuf,
}

impl Tune {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let config = Config::read(&self.config)?;
        if self.out.exists() {
            let found = self.out.display();
            return Err(Failure::Usage(format!(
                "--out: expected a file that is not there yet, found {found}"
            )));
        }
        let size = self.size.or_else(|| source_size(&config.source)).unwrap_or(DEFAULT_SIZE);
        plugin::start()?;
        let cards = Card::beside(&config.segment.engine)?;
        let kept = Kept::paint(size, self.fps)?;
        let age = self.age.unwrap_or(config.segment.max_mask_age);
        let need = Need { budget: self.budget, age, fps: self.fps.per_second() };
        let stream = format!("{size} at {} frames a second", self.fps);
        println!(
            "{stream}; the picture late by at most {:.2} ms and annotations by {:.2} ms at p99; {:.0} s each",
            milliseconds(need.budget),
            milliseconds(need.age),
            self.time.as_secs_f64()
        );
        let set = cards.iter().find_map(|card| card.dice.as_ref());
        let set = set.map_or("not known: no engine was judged", |(_, set)| set.as_str());
        println!("Dice, mean over pictures: {set}\n");
        let mut found = self.measure_all(&config, &cards, &kept, size, &need)?;
        self.try_styles(&config, &kept, size, &need, &mut found)?;
        let title = format!("{stream}, budget {:.2} ms", milliseconds(need.budget));
        let svg = chart::draw(&title, &found, &need)?;
        write(&self.picture, &svg)?;
        println!("\n{}: the trade-off between delay and refresh rate", self.picture.display());
        let Some(chosen) = best(&found, &need) else {
            return Err(Failure::Stream(candidate::forbidden(&found, &need)));
        };
        println!("chosen: {}", chosen.candidate);
        self.write(config, chosen, &need)
    }

    fn measure_all(
        &self,
        config: &Config,
        cards: &[Card],
        kept: &Kept,
        size: Size,
        need: &Need,
    ) -> Result<Vec<Measured>, Failure> {
        println!("{}", Measured::heads());
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = [u32::try_from(processors).unwrap_or(1), 1];
        let threads = threads.get(..processors.min(2)).unwrap_or(&threads);
        let mut found = Vec::new();
        for card in cards {
            for (backend, precisions) in BACKENDS {
                for (precision, threads) in precisions
                    .iter()
                    .filter(|precision| **precision != Precision::Int8 || card.int8_loss.is_some())
                    .flat_map(|precision| threads.iter().map(move |threads| (precision, threads)))
                {
                    let live = Candidate {
                        card: card.clone(),
                        backend,
                        precision: *precision,
                        threads: *threads,
                        mode: Mode::Live,
                        style: None,
                    };
                    let measured = match self.measure(config, &live, kept, size, need) {
                        Ok(measured) => measured,
                        Err(Failure::Interrupted) => return Err(Failure::Interrupted),
                        Err(cause) => {
                            println!("{live}: not on this machine: {cause}");
                            break;
                        }
                    };
                    println!("{}", measured.row(found.len() + 1, need));
                    let waits = measured.mask_p99.is_some_and(|mask| mask < need.budget);
                    found.push(measured);
                    if waits {
                        let locked = Candidate { mode: Mode::Locked, ..live };
                        let measured = self.measure(config, &locked, kept, size, need)?;
                        println!("{}", measured.row(found.len() + 1, need));
                        found.push(measured);
                    }
                }
            }
        }
        if found.is_empty() {
            return Err(Failure::Stream(
                "no backend runs the engine on this machine; nothing is written".to_owned(),
            ));
        }
        Ok(found)
    }

    /// Where no setting keeps the budget and painting is what takes longest, other styles are tried with the nearest of them: they cost
    /// less, and say less.
    fn try_styles(
        &self,
        config: &Config,
        kept: &Kept,
        size: Size,
        need: &Need,
        found: &mut Vec<Measured>,
    ) -> Result<(), Failure> {
        let paints = |one: &&Measured| one.longest().is_some_and(|(stage, _)| stage == Stage::Paint);
        let Some(nearest) = nearest(found).filter(paints).filter(|_| best(found, need).is_none()) else {
            return Ok(());
        };
        let nearest = nearest.candidate.clone();
        for style in STYLES.iter().map(|style| style.name()).filter(|name| *name != config.overlay.style) {
            let candidate = Candidate { style: Some(style), ..nearest.clone() };
            let measured = self.measure(config, &candidate, kept, size, need)?;
            println!("{}", measured.row(found.len() + 1, need));
            found.push(measured);
        }
        Ok(())
    }

    fn measure(
        &self,
        config: &Config,
        candidate: &Candidate,
        kept: &Kept,
        size: Size,
        need: &Need,
    ) -> Result<Measured, Failure> {
        let segment = settings(&config.segment, candidate, need);
        let element = live::make(&segment, &overlay(&config.overlay, candidate), None)?;
        let outcome = measured::through(&element, "sink", kept, (size, self.fps), self.time)?;
        if outcome.interrupted {
            return Err(Failure::Interrupted);
        }
        let figures = outcome.gathered.read();
        let p99 = |times: &Times| times.quantile(0.99);
        let of = |name: &str| reading::STAGES.iter().position(|(stage, _)| *stage == name);
        let stage = |name: &str| of(name).and_then(|at| p99(figures.stages.get(at)?));
        let mask = ["queue", "input", "network", "decode"].map(|name| stage(name).unwrap_or_default());
        let in_the_way = [
            ("copy", Stage::Copy),
            ("motion", Stage::Motion),
            ("wait", Stage::Wait),
            ("paint", Stage::Paint),
        ];
        let (picture, age) = (p99(&figures.transit).unwrap_or_default(), p99(&figures.ages));
        Ok(Measured {
            candidate: candidate.clone(),
            picture_p50: figures.transit.quantile(0.5).unwrap_or_default(),
            picture_p99: picture,
            // The frame on which a mask is shown is late itself.
            annotation_p99: age.map(|age| age + picture),
            mask_p99: stage("network").map(|_| mask.iter().sum()),
            masks_per_second: outcome.answered as f64 / self.time.as_secs_f64(),
            frames: figures.transit.count() as u64,
            late: outcome.late,
            without: figures.badges.get("late").copied().unwrap_or_default(),
            stages: in_the_way.into_iter().filter_map(|(name, is)| Some((is, stage(name)?))).collect(),
        })
    }

    fn write(&self, mut config: Config, chosen: &Measured, need: &Need) -> Result<(), Failure> {
        config.segment = settings(&config.segment, &chosen.candidate, need);
        config.overlay = overlay(&config.overlay, &chosen.candidate);
        config.limits.budget = config.limits.budget.with(Stage::Picture, Some(self.budget));
        let text = config.to_toml().map_err(|error| Failure::Usage(error.to_string()))?;
        let head = format!(
            "# Written by polyp tune for {} frames a second: {}.\n# Measured: picture late by {:.2} ms at p99, annotations by {} ms, {:.1} masks a second.\n",
            self.fps,
            chosen.candidate,
            milliseconds(chosen.picture_p99),
            chosen.annotation_p99.map_or_else(|| "-".to_owned(), |time| format!("{:.1}", milliseconds(time))),
            chosen.masks_per_second,
        );
        write(&self.out, &(head + &text))?;
        println!("{} is written; polyp run {} plays it", self.out.display(), self.out.display());
        Ok(())
    }
}

/// The segmenter's settings with those of the candidate.
fn settings(segment: &Segment, candidate: &Candidate, need: &Need) -> Segment {
    Segment {
        engine: candidate.card.folder.clone(),
        backend: Some(candidate.backend.to_owned()),
        fallback: Vec::new(),
        precision: candidate.precision,
        threads: candidate.threads,
        mode: candidate.mode,
        // A picture that waits is still to be painted within the budget.
        latency_budget: match candidate.mode {
            Mode::Locked => need.waits(),
            Mode::Live => segment.latency_budget,
        },
        ..segment.clone()
    }
}

/// The overlay's settings with the candidate's style.
fn overlay(overlay: &Overlay, candidate: &Candidate) -> Overlay {
    let style = candidate.style.map_or_else(|| overlay.style.clone(), str::to_owned);
    Overlay { style, ..overlay.clone() }
}

fn source_size(source: &Source) -> Option<Size> {
    match source {
        Source::Test { size, .. } | Source::Demo { size, .. } => Some(*size),
        Source::V4l2 { size, .. } => *size,
        Source::File { .. } | Source::Decklink { .. } => None,
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|cause| Failure::Write { path: path.to_owned(), message: cause.to_string() })
}
