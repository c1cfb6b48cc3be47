//! `polyp bench`: what `polyplive` costs the picture on this machine.
//!
//! Frames of the demonstration clip are painted into memory beforehand and then fed as a capture card would bring
//! them; what is measured is the time from a frame's entry into the element to its leaving, the stages within it, and
//! how many frames come late to a sink that keeps the clock's pace. In the same run, over the same frames, GStreamer's
//! own `textoverlay` writes one line of text: the peer that the overlay's cost is compared with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use gst::prelude::*;
use polyp::config::Record;
use polyp::frame::{PixelFormat, Size};
use serde_json::json;

use super::failure::Failure;
use super::gather::Gathered;
use super::kept::Kept;
use super::measured::{self, Outcome};
use super::options::{Play, duration, size};
use super::stopwatch::{Times, milliseconds};
use super::{live, plugin, reading};

/// How long the peer is measured, at most.
const PEER: Duration = Duration::from_secs(10);

/// Measure what polyplive costs the picture: its delay, late frames, stages
#[derive(Debug, Args)]
pub(super) struct Bench {
    #[command(flatten)]
    play: Play,
    /// Frame size: 720p, 1080p, 2160p or WIDTHxHEIGHT
    #[arg(long, default_value = "1080p", value_parser = size)]
    size: Size,
    /// How long to play
    #[arg(long, default_value = "60s", value_parser = duration)]
    time: Duration,
    /// Play with and without a recording into this folder, in turn, and compare
    #[arg(long, value_name = "FOLDER", conflicts_with = "json")]
    record: Option<PathBuf>,
    /// How often in turn, with --record
    #[arg(long, value_name = "N", default_value_t = 3, requires = "record")]
    rounds: u32,
    /// How many streams play at once, each through an element of its own; they share the engine
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64), conflicts_with = "record")]
    streams: u32,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub(super) fn run(&self) -> Result<(), Failure> {
        plugin::start()?;
        let frames = Kept::paint(self.size, self.play.framerate)?;
        if let Some(folder) = &self.record {
            return self.pairs(&frames, folder);
        }
        let ours = self.streams(&frames)?;
        let text = plugin::make("textoverlay")?;
        text.set_property("text", "textoverlay: one line of text");
        let peer = self.run_through(&text, "video_sink", &frames, self.time.min(PEER))?;
        self.report(&ours, &peer);
        Ok(())
    }

    /// All streams at once, their figures together.
    fn streams(&self, frames: &Kept) -> Result<Outcome, Failure> {
        let run = || {
            let live = live::make(&self.play.segment()?, &self.play.overlay(), None)?;
            self.run_through(&live, "sink", frames, self.time)
        };
        let outcomes = std::thread::scope(|scope| {
            let others: Vec<_> = (1..self.streams).map(|_| scope.spawn(run)).collect();
            let own = run();
            let join = |other: std::thread::ScopedJoinHandle<'_, Result<Outcome, Failure>>| {
                other
                    .join()
                    .unwrap_or_else(|_panic| Err(Failure::Stream("a stream's thread panicked".to_owned())))
            };
            std::iter::once(own).chain(others.into_iter().map(join)).collect::<Result<Vec<_>, Failure>>()
        })?;
        let mut outcomes = outcomes.into_iter();
        let first = outcomes.next().ok_or_else(|| Failure::Stream("no stream was played".to_owned()))?;
        Ok(outcomes.fold(first, Outcome::with))
    }

    /// Runs without and with a recording, in turn: what it costs the picture's way.
    fn pairs(&self, frames: &Kept, folder: &Path) -> Result<(), Failure> {
        println!(
            "{} NV12 at {} frames a second, mode={}, {:.0} s each time\n",
            self.size,
            self.play.framerate,
            self.play.mode.name(),
            self.time.as_secs_f64()
        );
        println!(
            "{:<22}{:>9}{:>9}{:>9}{:>9}{:>7}{:>14}",
            "picture path in ms", "frames", "median", "p99", "longest", "late", "not recorded"
        );
        for _round in 0..self.rounds {
            for record in [None, Some(Record::into(folder.to_owned()))] {
                let live = live::make(&self.play.segment()?, &self.play.overlay(), record.as_ref())?;
                let outcome = self.run_through(&live, "sink", frames, self.time)?;
                let times = &outcome.gathered.read().transit;
                let stats = live::stats(&live, "record");
                let dropped = stats.and_then(|stats| stats.get::<u64>("dropped").ok()).unwrap_or_default();
                let (name, dropped) = match record {
                    None => ("without recording", String::new()),
                    Some(_) => ("with recording", dropped.to_string()),
                };
                println!("{name:<22}{:>9}{}{:>7}{dropped:>14}", times.count(), times.columns(), outcome.late);
            }
        }
        Ok(())
    }

    fn run_through(
        &self,
        element: &gst::Element,
        entrance: &str,
        frames: &Kept,
        time: Duration,
    ) -> Result<Outcome, Failure> {
        measured::through(element, entrance, frames, (self.size, self.play.framerate), time)
    }

    fn report(&self, ours: &Outcome, peer: &Outcome) {
        let (figures, peer_figures) = (ours.gathered.read(), peer.gathered.read());
        let median = |times: &Times| times.quantile(0.5).map(milliseconds);
        let paint = figures.stages.last();
        let ratio = |times: Option<&Times>| {
            let (ours, peer) = (times.and_then(median), median(&peer_figures.transit));
            ours.zip(peer).map(|(ours, peer)| ours / peer.max(f64::MIN_POSITIVE))
        };
        if self.json {
            let report = json!({
                "size": self.size.to_string(),
                "format": PixelFormat::Nv12.name(),
                "framerate": self.play.framerate.per_second(),
                "mode": self.play.mode.name(),
                "streams": self.streams,
                "seconds": self.time.as_secs_f64(),
                "frames": figures.transit.count(),
                "picture_path_ms": quantiles(&figures.transit),
                "stages_ms": stages(&figures),
                "mask_age_ms": quantiles(&figures.ages),
                "masks_per_second": ours.answered as f64 / self.time.as_secs_f64(),
                "badges": figures.badges,
                "sink": { "in_time": ours.in_time, "late": ours.late },
                "feed_latest_ms": milliseconds(ours.feed_latest),
                "peer": { "element": "textoverlay", "picture_path_ms": quantiles(&peer_figures.transit), "late": peer.late },
                "paint_to_peer": ratio(paint),
                "picture_path_to_peer": ratio(Some(&figures.transit)),
            });
            println!("{report:#}");
            return;
        }
        println!(
            "{} of {} NV12 at {} frames a second, mode={}, {} frames\n",
            if self.streams == 1 { "one stream".to_owned() } else { format!("{} streams", self.streams) },
            self.size,
            self.play.framerate,
            self.play.mode.name(),
            figures.transit.count()
        );
        println!("{}", figures.table());
        println!("frames by badge: {}", figures.worth());
        println!("at the sink: {} in time, {} late", ours.in_time, ours.late);
        println!("the feed's latest frame: {:.2} ms", milliseconds(ours.feed_latest));
        if let (Some(peer), Some(paint), Some(path)) =
            (median(&peer_figures.transit), ratio(paint), ratio(Some(&figures.transit)))
        {
            println!(
                "the peer, textoverlay with one line of text: median {peer:.2} ms; painting is {paint:.2} of that, \
                 the whole picture path {path:.2}"
            );
        }
    }
}

fn quantiles(times: &Times) -> serde_json::Value {
    let at = |share| times.quantile(share).map(milliseconds);
    json!({ "count": times.count(), "median": at(0.5), "p99": at(0.99), "longest": at(1.0) })
}

fn stages(figures: &Gathered) -> serde_json::Value {
    let all = reading::STAGES.iter().zip(&figures.stages);
    all.map(|((name, _), times)| ((*name).to_owned(), quantiles(times)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
