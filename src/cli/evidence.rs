//! `polyp evidence`: what a regulator asks of a device that annotates endoscopic video, measured on this machine.
//!
//! 21 CFR 876.1520 (b)(2) asks for bench tests of (ii) pixel-level degradation of the picture, (iii) the delay of the marker's annotation and (iv) the delay of
//! the video that the device adds. This measures all three in software, and says what that can not show.
//!
//! Source: 21 CFR 876.1520, gastrointestinal lesion software detection system. Limits of 120 ms for the annotation and 5.75 ms for the video are those that were
//! accepted for such a device; they are options here, and no claim of equivalence.

mod delay;
mod fidelity;
mod loopback;
mod machine;
mod page;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use polyp::config::{Mode, Segment};
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
use loopback::{Change, Looped};

/// The frame size in which pictures are compared: every format and style, each sample.
const COMPARED: Size = Size::new(1280, 720);

/// The first so many of [`NOT_SHOWN`] are shown by a loop of display and capture.
const LOOPED: usize = 2;

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
    /// Measure a real chain too, with a pattern that blinks: elements that show it, as "kmssink"
    #[arg(long, value_name = "ELEMENTS", requires = "loopback")]
    display: Option<String>,
    /// And elements that bring it back from the display's output, as "v4l2src device=/dev/video0"
    #[arg(long, value_name = "ELEMENTS", requires = "display")]
    loopback: Option<String>,
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
        let looped = self.loop_back(&segment)?;
        eprintln!("polyp: pictures, {} frames in each format with each style", self.frames);
        let kept = Kept::paint(COMPARED, self.play.framerate)?;
        let stream = (COMPARED, self.play.framerate);
        let fidelity = fidelity::measure(&segment, &kept, stream, self.frames)?;
        let evidence = self.evidence(&machine, &delays, looped.as_ref(), &fidelity);
        self.write(&evidence, &delays, looped.as_ref())?;
        print!("{}", page::summary(&evidence));
        println!("{}", self.out.join("evidence.html").display());
        Ok(())
    }

    /// The real chain, where there is one.
    fn loop_back(&self, segment: &Segment) -> Result<Option<Looped>, Failure> {
        let (Some(display), Some(from)) = (&self.display, &self.loopback) else { return Ok(None) };
        eprintln!("polyp: the loop of display and capture, {} s", self.time.as_secs_f64());
        let stream = (self.size, self.play.framerate);
        loopback::measure((display, from), (segment, &self.play.overlay()), stream, self.time).map(Some)
    }

    fn loopback(&self, looped: &Looped) -> Value {
        let [outside, added] = looped.times();
        json!({
            "display": self.display,
            "capture": self.loopback,
            "missed": looped.missed,
            "outside": told(&outside),
            "added": held(&added, self.picture),
        })
    }

    fn evidence(
        &self,
        machine: &Value,
        delays: &Delays,
        looped: Option<&Looped>,
        fidelity: &[Fidelity],
    ) -> Value {
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
            "loopback": looped.map(|looped| self.loopback(looped)),
            "not_shown": not_shown(looped.is_some()),
        })
    }

    fn write(&self, evidence: &Value, delays: &Delays, looped: Option<&Looped>) -> Result<(), Failure> {
        let mut raw = "sequence,badge,picture_us,mask_age_us,annotation_us\n".to_owned();
        for frame in &delays.frames {
            let cell =
                |time: Option<Duration>| time.map(|time| time.as_micros().to_string()).unwrap_or_default();
            let (picture, age) = (cell(Some(frame.picture)), cell(frame.age));
            let annotation = cell(frame.annotation());
            raw += &format!("{},{},{picture},{age},{annotation}\n", frame.sequence, frame.badge);
        }
        let text = format!("{evidence:#}\n");
        let page = page::write(evidence, delays, looped);
        let looped = looped.map(|looped| ("loopback.csv", loopback_csv(looped)));
        for (name, text) in
            [("frames.csv", raw), ("evidence.json", text), ("evidence.html", page)].into_iter().chain(looped)
        {
            let path = self.out.join(name);
            let mut file = std::fs::File::create_new(&path).map_err(unwritable(&path))?;
            file.write_all(text.as_bytes()).map_err(unwritable(&path))?;
        }
        Ok(())
    }
}

/// What is not shown, with such a loop or without.
fn not_shown(looped: bool) -> &'static [&'static str] {
    NOT_SHOWN.get(if looped { LOOPED } else { 0 }..).unwrap_or(&NOT_SHOWN)
}

fn loopback_csv(looped: &Looped) -> String {
    let line = |change: &Change| format!("{},{}\n", change.outside.as_micros(), change.added.as_micros());
    "outside_us,added_us\n".to_owned() + &looped.changes.iter().map(line).collect::<String>()
}

/// A distribution, in milliseconds.
fn told(times: &Times) -> Value {
    let of = |(name, time): (&str, Option<Duration>)| (name.to_owned(), json!(time.map(milliseconds)));
    json!({
        "count": times.count(),
        "ms": times.percentiles().into_iter().map(of).collect::<serde_json::Map<_, _>>(),
    })
}

/// A distribution, in milliseconds, and how often it is over its limit.
fn held(times: &Times, limit: Duration) -> Value {
    let mut value = told(times);
    value["limit_ms"] = json!(milliseconds(limit));
    value["over"] = json!(times.over(limit));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_shows_what_could_not_be_shown_without() {
        let about = |looped, what: &str| not_shown(looped).iter().any(|text| text.starts_with(what));
        assert!(about(false, "A capture card:") && about(false, "A display:"));
        assert!(
            !about(true, "A capture card:") && !about(true, "A display:") && about(true, "An endoscope:")
        );
    }
}
