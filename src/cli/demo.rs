//! `polyp demo`: the whole way once, on real pictures, without a camera and without a GPU.
//!
//! The animated stills are played through `polyplive` at the clock's pace. What is written: the painted picture as a
//! video and a contact sheet; what is printed: how long each stage took, and how well the masks agree with the truth,
//! which is known for every frame.
//!
//! Not here: the clip ([`polyp::clip`]), and any claim about clinical quality: stills are not video.

mod judge;
mod kill;
mod sheet;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use gst::prelude::*;
use polyp::clip::Clip;
use polyp::config::{Isolation, Record, Sink};
use polyp::frame::Size;

use super::failure::Failure;
use super::feed::Feed;
use super::gather::{Gathered, gather};
use super::options::{Play, duration, size};
use super::reading::Reading;
use super::source::{Opened, chain, clip, demo};
use super::{bus, live, plugin, sink};
use judge::{Judgement, judge};
use kill::Kill;

/// The part of a still's time after which its frame for the contact sheet is taken.
const SHEET_AT: f64 = 0.6;

/// Play the demonstration: animated stills of real pictures through polyplive
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The folder for overlay.mkv and contact-sheet.png
    #[arg(long, value_name = "DIR", default_value = "demo")]
    out: PathBuf,
    #[command(flatten)]
    play: Play,
    /// The stills [default: the repository's tests/fixtures/kvasir-seg]
    #[arg(long, value_name = "DIR")]
    stills: Option<PathBuf>,
    /// Frame size: 720p, 1080p, 2160p or WIDTHxHEIGHT
    #[arg(long, default_value = "720p", value_parser = size)]
    size: Size,
    /// How long each still is shown
    #[arg(long, default_value = "2500ms", value_parser = duration)]
    dwell: Duration,
    /// Kill the engine's process in the middle of the clip, and tell what the frames said; implies --isolation process
    #[arg(long)]
    kill_engine: bool,
    /// Record the session into this folder
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
    /// Open no window even where there is a display
    #[arg(long)]
    no_window: bool,
}

/// What is kept of the stream.
#[derive(Default)]
struct Kept {
    /// What every judged frame carried.
    readings: Vec<Reading>,
    /// The painted frames for the contact sheet, by still.
    painted: BTreeMap<usize, (u64, gst::Buffer)>,
    /// What is done to the engine's process.
    kill: Option<Kill>,
}

impl Demo {
    pub(super) fn run(&self) -> Result<(), Failure> {
        plugin::start()?;
        let clip =
            Arc::new(clip(self.stills.as_deref(), self.size, self.play.framerate, self.dwell.as_secs_f64())?);
        let mut segment = self.play.segment()?;
        if self.kill_engine {
            segment.isolation = Isolation::Process;
        }
        let record = self.record.clone().map(Record::into);
        let live = live::make(&segment, &self.play.overlay(), record.as_ref())?;
        let count = clip.pictures() as u64 * clip.dwell_frames();
        let kill = self.kill_engine.then(|| Kill::new(count / 2));
        let kept = Arc::new(Mutex::new(Kept { kill, ..Kept::default() }));
        let gathered = gather(&live, "sink", keep(&clip, &kept))?;
        let pipeline = gst::Pipeline::new();
        let Opened { last, feed } = demo(&pipeline, Arc::clone(&clip), Some(count))?;
        let info = feed.as_ref().map(Feed::info);
        pipeline.add(&live).map_err(Failure::build)?;
        last.link(&live).map_err(Failure::build)?;
        let video = self.screens(&pipeline, &live)?;
        println!(
            "animated stills, not video: {} real pictures panned and zoomed, {} at {} frames a second, {:.0} s",
            clip.pictures(),
            self.size,
            self.play.framerate,
            clip.framerate().time_of(count).as_secs_f64()
        );
        let played = bus::play(&pipeline, feed, || {})?;
        let kept = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
        self.report(&clip, info.as_ref(), &gathered.read(), &kept, &video)?;
        if played.interrupted {
            println!("ended early: the figures are of what was played until then");
        }
        if played.feed_latest > self.play.framerate.interval() {
            println!(
                "this machine fell behind: the latest frame was fed {:.0} ms late",
                played.feed_latest.as_secs_f64() * 1e3
            );
        }
        Ok(())
    }

    /// The file, and a window where there is a display; gives the file's path.
    fn screens(&self, pipeline: &gst::Pipeline, live: &gst::Element) -> Result<PathBuf, Failure> {
        let make =
            |error: std::io::Error| Failure::Write { path: self.out.clone(), message: error.to_string() };
        std::fs::create_dir_all(&self.out).map_err(make)?;
        let path = self.out.join("overlay.mkv");
        let mut last = live.clone();
        if sink::has_display() && !self.no_window {
            let (tee, window) = (plugin::make("tee")?, sink::add(pipeline, &Sink::Window)?);
            chain(pipeline, &[&tee])?;
            gst::Element::link_many([live, &tee, &window]).map_err(Failure::build)?;
            last = tee;
        }
        let file = sink::add(pipeline, &Sink::File { path: path.clone() })?;
        last.link(&file).map_err(Failure::build)?;
        Ok(path)
    }

    fn report(
        &self,
        clip: &Clip,
        info: Option<&gst_video::VideoInfo>,
        gathered: &Gathered,
        kept: &Kept,
        video: &Path,
    ) -> Result<(), Failure> {
        println!("\n{}", gathered.table());
        println!("frames by badge: {}", gathered.worth());
        if let Some(kill) = &kept.kill {
            println!("{}", kill.told(self.play.framerate));
        }
        let judged = judge(clip, &kept.readings)?;
        println!("\n{}", Judgement::table(clip, &judged));
        let sheet = self.out.join("contact-sheet.png");
        sheet::write(&sheet, clip, info, &kept.painted, &judged)?;
        println!("{}\n{}", video.display(), sheet.display());
        Ok(())
    }
}

/// Keeps of each frame what the report will need.
fn keep(clip: &Arc<Clip>, kept: &Arc<Mutex<Kept>>) -> impl FnMut(&Reading, &gst::Buffer) + Send + 'static {
    let (clip, kept) = (Arc::clone(clip), Arc::clone(kept));
    let chosen = (clip.dwell_frames() as f64 * SHEET_AT) as u64;
    move |reading, buffer| {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let index = reading.sequence;
        if let Some(kill) = &mut kept.kill {
            kill.frame(index, &reading.badge);
        }
        if judge::is_judged(index) {
            kept.readings.push(reading.clone());
        }
        if index % clip.dwell_frames() >= chosen {
            kept.painted.entry(clip.picture_of(index)).or_insert_with(|| (index, buffer.clone()));
        }
    }
}
