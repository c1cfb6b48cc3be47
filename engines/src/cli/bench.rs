//! `polyp-engine bench`: how long a frame takes.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use polyp_engine::bench::bench;
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
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    frames: u32,
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
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
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
        Ok(())
    }
}
