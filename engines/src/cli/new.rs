//! `polyp-engine new`: an engine with random weights.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use polyp::model::ModelSpec;
use polyp_engine::folder::write_random;

use super::options::shown;

/// Write an engine folder with random weights, to measure speed with: it sees no polyps
#[derive(Debug, Args)]
pub(super) struct New {
    /// The network's sizes
    #[arg(long, value_name = "NAME", value_parser = ["base", "lite"])]
    spec: String,
    /// The side of its input in pixels, a multiple of 32 [default: the network's own]
    #[arg(long, value_name = "N")]
    side: Option<usize>,
    /// The same seed gives the same folder
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The folder to write; nothing may be there yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl New {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let spec =
            ModelSpec::named(&self.spec).with_context(|| format!("no network is called {}", self.spec))?;
        let spec = ModelSpec { side_px: self.side.unwrap_or(spec.side_px), ..spec };
        let folder = write_random(&self.out, spec, self.seed)?;
        writeln!(out, "{} is in {}; its weights are random", folder.manifest().name, shown(&self.out))?;
        Ok(())
    }
}
