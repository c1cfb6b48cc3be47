//! `polyp soak`: hours of live picture, watched for what only hours show: memory that grows, descriptors and threads
//! that stay, frames that come late, masks that get old.
//!
//! A mixed clip is fed as a capture card would bring it, through `polyplive` to a sink that keeps the clock's pace.
//! Every few seconds a sample is taken. At the end there are the samples (`soak.csv`), their curves (`soak.svg`) and
//! the verdict (`soak.json`), check by check; the exit code is 1 where one does not hold.
//!
//! Nothing here is kept per frame: what the tool itself hoards would look like a leak of the plugin.

mod chart;
mod sample;
mod scenes;
mod trend;
mod verdict;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use gst::prelude::*;
use polyp::config::Segment;
use polyp::frame::{PixelFormat, Size};
use serde_json::json;

use super::failure::Failure;
use super::feed::Frames;
use super::gather::gather;
use super::options::{Play, duration, size};
use super::source::{self, DWELL_S, Opened, clip};
use super::{bus, live, plugin, sink};
use scenes::{FrozenTally, Scenes};
use verdict::{Check, Evidence};
use watch::Watch;

/// The longest time until processes have all they will need; a quarter of a run that is shorter than four of it.
const WARM_UP: Duration = Duration::from_secs(300);

/// Play for hours, and judge what only hours show: memory, descriptors, threads, late frames, old masks
#[derive(Debug, Args)]
pub(super) struct Soak {
    #[command(flatten)]
    play: Play,
    /// How long to play, in hours
    #[arg(long, default_value_t = 2.0, value_parser = hours)]
    hours: f64,
    /// The folder for soak.csv, soak.svg and soak.json
    #[arg(long, value_name = "DIR", default_value = "soak")]
    out: PathBuf,
    /// Frame size: 720p, 1080p, 2160p or WIDTHxHEIGHT
    #[arg(long, default_value = "720p", value_parser = size)]
    size: Size,
    /// How often a sample is taken
    #[arg(long, default_value = "10s", value_parser = duration)]
    every: Duration,
    /// The stills of the clip [default: the repository's tests/fixtures/kvasir-seg]
    #[arg(long, value_name = "DIR")]
    stills: Option<PathBuf>,
}

fn hours(text: &str) -> Result<f64, String> {
    let hours: f64 =
        text.parse().map_err(|_not| format!("expected hours, like 2 or 0.05, found {text:?}"))?;
    let seconds = hours * 3600.0;
    if (10.0..=30.0 * 86_400.0).contains(&seconds) {
        Ok(hours)
    } else {
        Err(format!("expected from 10 seconds (0.0028) to 30 days (720), found {hours}"))
    }
}

impl Soak {
    pub(super) fn run(&self) -> Result<(), Failure> {
        plugin::start()?;
        let failed =
            |error: std::io::Error| Failure::Write { path: self.out.clone(), message: error.to_string() };
        std::fs::create_dir_all(&self.out).map_err(failed)?;
        let segment = self.play.segment()?;
        let evidence = self.play_through(&segment)?;
        let checks = verdict::judge(&evidence);
        if let Some(curves) = chart::curves(&self.title(), &evidence.samples, evidence.warm_up)? {
            self.write("soak.svg", &curves)?;
        }
        self.write("soak.json", &format!("{:#}\n", self.described(&segment, &evidence, &checks)))?;
        println!("{}\n\n{}", self.title(), Check::table(&checks));
        println!("{}", self.out.display());
        let broken: Vec<&str> =
            checks.iter().filter(|check| check.holds == Some(false)).map(|check| check.name).collect();
        if broken.is_empty() {
            return Ok(());
        }
        Err(Failure::Stream(format!("the soak does not hold: {}", broken.join(", "))))
    }

    fn play_through(&self, segment: &Segment) -> Result<Evidence, Failure> {
        let framerate = self.play.framerate;
        let clip = clip(self.stills.as_deref(), self.size, framerate, DWELL_S)?;
        let scenes = Arc::new(Scenes::new(clip));
        let live = live::make(segment, &self.play.overlay(), None)?;
        let frozen = Arc::new(Mutex::new(FrozenTally::default()));
        let (tally, seen) = (Arc::clone(&frozen), Arc::clone(&scenes));
        let gathered = gather(&live, "sink", move |reading, _| {
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.add(seen.is_frozen(reading.sequence), reading.badge == "frozen");
        })?;
        let time = Duration::from_secs_f64(self.hours * 3600.0);
        let count = (time.as_secs_f64() * framerate.per_second()).round() as u64;
        let pipeline = gst::Pipeline::new();
        let painted = Arc::clone(&scenes);
        let frames = Frames {
            format: PixelFormat::Nv12,
            size: self.size,
            framerate,
            count: Some(count),
            paint: Box::new(move |index, canvas| Ok(painted.paint(index, canvas)?)),
        };
        let Opened { last, feed } = source::feed(&pipeline, frames)?;
        let (queue, screen) = (sink::queue(4)?, sink::strict()?);
        source::chain(&pipeline, &[&live, &queue, &screen])?;
        last.link(&live).map_err(Failure::build)?;
        let mut watch = Watch::new(gathered, screen, self.every, &self.out.join("soak.csv"))?;
        let played = bus::play(&pipeline, feed, || watch.look())?;
        let samples = watch.end()?;
        let frozen = std::mem::take(&mut *frozen.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Evidence {
            samples,
            warm_up: WARM_UP.min(time / 4),
            fed: played.fed,
            feed_latest: played.feed_latest,
            interrupted: played.interrupted,
            max_mask_age: segment.max_mask_age,
            frozen,
        })
    }

    fn title(&self) -> String {
        let Play { framerate, mode, isolation, .. } = &self.play;
        format!(
            "{} NV12 at {framerate} frames a second for {} h, mode={}, isolation={}",
            self.size,
            self.hours,
            mode.name(),
            isolation.name()
        )
    }

    fn described(&self, segment: &Segment, evidence: &Evidence, checks: &[Check]) -> serde_json::Value {
        let engine = segment.engine.file_name().unwrap_or_default().to_string_lossy();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "build": if cfg!(debug_assertions) { "debug" } else { "release" },
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "hours": self.hours,
            "size": self.size.to_string(),
            "format": PixelFormat::Nv12.name(),
            "framerate": self.play.framerate.per_second(),
            "mode": self.play.mode.name(),
            "isolation": self.play.isolation.name(),
            "engine": engine,
            "backend": segment.backend.as_deref().unwrap_or("auto"),
            "threads": segment.threads,
            "max_mask_age_ms": segment.max_mask_age.as_secs_f64() * 1e3,
            "scenes": scenes::words(),
            "sample_every_s": self.every.as_secs_f64(),
            "warm_up_s": evidence.warm_up.as_secs_f64(),
            "ended_early": evidence.interrupted,
            "feed_latest_ms": evidence.feed_latest.as_secs_f64() * 1e3,
            "badges": evidence.badges(),
            "checks": checks,
        })
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path: &Path = &self.out.join(name);
        std::fs::write(path, text)
            .map_err(|error| Failure::Write { path: path.to_owned(), message: error.to_string() })
    }
}
