//! `polyp-train plot`: a run's learning curves.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use polyp_training::fit::CURVES;
use polyp_training::plot::{learning_curves, read_metrics};

/// Draw a run's learning curves as an SVG.
#[derive(Debug, Args)]
pub(crate) struct Plot {
    /// The run's folder.
    #[arg(long)]
    run: PathBuf,
    /// The SVG to write; `learning.svg` in the run's folder otherwise.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Plot {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let out = self.out.unwrap_or_else(|| self.run.join(CURVES));
        let svg = learning_curves(&read_metrics(&self.run.join("metrics.jsonl"))?)?;
        std::fs::write(&out, svg).with_context(|| format!("{}: write", out.display()))
    }
}
