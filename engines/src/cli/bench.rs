//! `polyp-engine bench`: how long a frame takes.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use polyp::config::parse_size;
use polyp::frame::Size;
use polyp_engine::bench::{FrameReport, StageTimes, bench, bench_frames};
use polyp_engine::folder::EngineFolder;

use super::options::Run;

/// Time an engine, frame after frame
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// The engine folder
    #[arg(long, value_name = "DIR")]
    engine: PathBuf,
    #[command(flatten)]
    run: Run,
    /// Frames to time, after a few that do not count
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    frames: u32,
    /// The size of frames in UYVY that a card is timed with besides, as 1080p or 1280x720
    #[arg(long, value_name = "SIZE", default_value = "1080p", value_parser = |text: &str| parse_size(text))]
    size: Size,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let folder = EngineFolder::open(&self.engine)?;
        let memory = folder.memory()?;
        let mut engine = self.run.open(&folder)?;
        let report = bench(engine.as_mut(), &memory, self.frames as usize)?;
        let spec = folder.manifest().input;
        let frames = match engine.frames() {
            Some(engine) => {
                let what = (self.size, self.run.batch.max(1), self.frames as usize);
                Some(bench_frames(engine, spec, &memory, what)?)
            }
            None => None,
        };
        if self.json {
            let mut all = serde_json::to_value(&report)?;
            if let (Some(frames), Some(all)) = (&frames, all.as_object_mut()) {
                all.insert("whole_frames".to_owned(), serde_json::to_value(frames)?);
            }
            writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
            return Ok(());
        }
        writeln!(out, "{} at {} px, {} frames", report.model, report.side_px, report.frames)?;
        writeln!(
            out,
            "{} ({}), {}, {} threads",
            report.backend,
            report.library,
            report.precision.name(),
            report.threads
        )?;
        writeln!(
            out,
            "median {:.2} ms, p99 {:.2} ms, from {:.2} to {:.2} ms",
            report.median_ms, report.p99_ms, report.min_ms, report.max_ms
        )?;
        frames.map_or(Ok(()), |frames| show(&frames, out))
    }
}

/// The table of a card's steps.
fn show(report: &FrameReport, out: &mut dyn Write) -> anyhow::Result<()> {
    let FrameReport { format, size: [width, height], batch, frames, .. } = report;
    writeln!(
        out,
        "\n{frames} frames of {width}x{height} {format}, {batch} at once, in milliseconds a batch"
    )?;
    writeln!(out, "{:24} {:>8} {:>8} {:>8} {:>8} {:>8}", "", "median", "p99", "p99.9", "min", "max")?;
    for StageTimes { stage, median_ms, p99_ms, p999_ms, min_ms, max_ms } in &report.stages {
        writeln!(out, "{stage:24} {median_ms:8.3} {p99_ms:8.3} {p999_ms:8.3} {min_ms:8.3} {max_ms:8.3}")?;
    }
    writeln!(
        out,
        "{:.0} frames a second, {:.0} with neighbouring batches overlapped",
        report.frames_per_second, report.frames_per_second_overlapped
    )?;
    Ok(())
}
