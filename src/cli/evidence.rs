//! `polyp evidence`: what a regulator asks of a device that annotates endoscopic video, measured on this machine.
//!
//! 21 CFR 876.1520 (b)(2) asks for bench tests of (ii) pixel-level degradation of the picture, (iii) the delay of the marker's annotation and (iv) the delay of
//! the video that the device adds. This measures all three in software, and says what that can not show.
//!
//! Source: 21 CFR 876.1520, gastrointestinal lesion software detection system. Limits of 120 ms for the annotation and 5.75 ms for the video are those that were
//! accepted for such a device; they are options here, and no claim of equivalence.

mod delay;
mod fidelity;
mod machine;
mod page;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use polyp::config::Mode;
use polyp::frame::Size;
use serde_json::{Value, json};

use super::export::make_folder;
use super::export::stills::unwritable;
use super::failure::Failure;
use super::kept::Kept;
use super::options::{Play, duration, size};
use super::plugin;
use super::stopwatch::{Times, milliseconds};
use delay::Delays;
use fidelity::Fidelity;

/// The frame size in which pictures are compared: every format and style, each sample.
const COMPARED: Size = Size::new(1280, 720);

/// What can not be shown here.
const NOT_SHOWN: [&str; 4] = [
    "A capture card: frames are handed over in memory, when a card would have delivered them. What a card and its driver add is not in the figures.",
    "A display: frames are taken at their time by a sink that shows nothing. What a compositor, a link and a screen add is not in the figures.",
    "An endoscope: the frames are animated stills of a public data set. The delays do not depend on what is shown; how good the masks are is another matter.",
    "A recording, a window or another program beside it: they share processor and memory with what was measured.",
];

/// Measure pixel-level degradation, annotation delay and video delay, and write a report with all raw figures
#[derive(Debug, Args)]
pub(super) struct Evidence {
    #[command(flatten)]
    play: Play,
    /// Frame size of the delays: 720p, 1080p, 2160p or WIDTHxHEIGHT
    #[arg(long, default_value = "1080p", value_parser = size)]
    size: Size,
    /// How long delays are measured
    #[arg(long, default_value = "60s", value_parser = duration)]
    time: Duration,
    /// Frames that are compared in each format with each style
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    frames: u64,
    /// What the annotation's delay is held against
    #[arg(long, value_name = "TIME", default_value = "120ms", value_parser = duration)]
    annotation: Duration,
    /// What the picture's delay is held against
    #[arg(long, value_name = "TIME", default_value = "5.75ms", value_parser = duration)]
    picture: Duration,
    /// A folder that is not there yet, or empty: evidence.json, evidence.html, frames.csv
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Evidence {
    pub(super) fn run(&self) -> Result<(), Failure> {
        plugin::start()?;
        if self.play.mode != Mode::Live {
            let found = self.play.mode.name();
            return Err(Failure::Usage(format!(
                "--mode: expected live, whose delays are measured, found {found}"
            )));
        }
        make_folder(&self.out)?;
        let machine = machine::machine();
        let segment = self.play.segment()?;
        eprintln!("polyp: delays, {} s at {}", self.time.as_secs_f64(), self.size);
        let kept = Kept::paint(self.size, self.play.framerate)?;
        let stream = (self.size, self.play.framerate);
        let delays = delay::measure(&segment, &self.play.overlay(), &kept, stream, self.time)?;
        drop(kept);
        eprintln!("polyp: pictures, {} frames in each format with each style", self.frames);
        let kept = Kept::paint(COMPARED, self.play.framerate)?;
        let stream = (COMPARED, self.play.framerate);
        let fidelity = fidelity::measure(&segment, &kept, stream, self.frames)?;
        let evidence = self.evidence(&machine, &delays, &fidelity);
        self.write(&evidence, &delays)?;
        print!("{}", page::summary(&evidence));
        println!("{}", self.out.join("evidence.html").display());
        Ok(())
    }

    fn evidence(&self, machine: &Value, delays: &Delays, fidelity: &[Fidelity]) -> Value {
        let mut is: serde_json::Map<String, Value> =
            delays.engine.iter().map(|(name, value)| (name.replace('-', "_"), json!(value))).collect();
        let name = is.remove("engine");
        let mut badges = std::collections::BTreeMap::new();
        for frame in &delays.frames {
            *badges.entry(frame.badge.clone()).or_insert(0_u64) += 1;
        }
        json!({
            "format": "polyp-evidence",
            "version": 1,
            "made": jiff::Timestamp::now().to_string(),
            "machine": machine,
            "software": {
                "polyp": env!("CARGO_PKG_VERSION"),
                "gstreamer": gst::version_string().to_string(),
                "engine": name,
                "built_for_release": !cfg!(debug_assertions),
            },
            "engine": is,
            "stream": {
                "size": self.size.to_string(),
                "format": "NV12",
                "framerate": self.play.framerate.per_second(),
                "mode": self.play.mode.name(),
                "isolation": self.play.isolation.name(),
                "seconds": self.time.as_secs_f64(),
            },
            "picture_delay": held(&delays.picture, self.picture),
            "annotation_delay": held(&delays.annotation, self.annotation),
            "frames": {
                "measured": delays.frames.len(),
                "with_annotation": delays.annotation.count(),
                "late_at_the_sink": delays.late,
                "by_badge": badges,
            },
            "fidelity": {
                "size": COMPARED.to_string(),
                "frames": fidelity.iter().map(|f| f.frames).sum::<u64>(),
                "with_mask": fidelity.iter().map(|f| f.with_mask).sum::<u64>(),
                "outside": fidelity.iter().map(|f| f.outside).sum::<u64>(),
                "changed_outside": fidelity.iter().map(|f| f.changed_outside).sum::<u64>(),
                "not_compared": fidelity.iter().map(|f| f.not_compared).sum::<u64>(),
                "each": fidelity.iter().map(|f| json!({
                    "format": f.format, "style": f.style, "frames": f.frames, "with_mask": f.with_mask, "outside": f.outside,
                    "changed_outside": f.changed_outside, "changed_inside": f.changed_inside, "not_compared": f.not_compared,
                })).collect::<Vec<_>>(),
            },
            "not_shown": NOT_SHOWN,
        })
    }

    fn write(&self, evidence: &Value, delays: &Delays) -> Result<(), Failure> {
        let mut raw = "sequence,badge,picture_us,mask_age_us,annotation_us\n".to_owned();
        for frame in &delays.frames {
            let cell =
                |time: Option<Duration>| time.map(|time| time.as_micros().to_string()).unwrap_or_default();
            let (picture, age) = (cell(Some(frame.picture)), cell(frame.age));
            let annotation = cell(frame.annotation());
            raw += &format!("{},{},{picture},{age},{annotation}\n", frame.sequence, frame.badge);
        }
        let text = format!("{evidence:#}\n");
        for (name, text) in
            [("frames.csv", raw), ("evidence.json", text), ("evidence.html", page::write(evidence, delays))]
        {
            let path = self.out.join(name);
            let mut file = std::fs::File::create_new(&path).map_err(unwritable(&path))?;
            file.write_all(text.as_bytes()).map_err(unwritable(&path))?;
        }
        Ok(())
    }
}

/// A distribution, in milliseconds, and how often it is over its limit.
fn held(times: &Times, limit: Duration) -> Value {
    let percentiles = times.percentiles();
    let of = |(name, time): (&str, Option<Duration>)| (name.to_owned(), json!(time.map(milliseconds)));
    json!({
        "count": times.count(),
        "ms": percentiles.into_iter().map(of).collect::<serde_json::Map<_, _>>(),
        "limit_ms": milliseconds(limit),
        "over": times.over(limit),
    })
}
