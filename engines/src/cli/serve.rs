//! `polyp-engine serve`: the engine for another process. Started by it, never by hand.

use std::path::PathBuf;

use clap::Args;
use polyp_engine::isolation::serve;

use super::options::Run;

/// Run an engine for the process that started this one
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The engine folder
    engine: PathBuf,
    #[command(flatten)]
    run: Run,
}

impl Serve {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        Ok(serve(&self.engine, self.run.backend(), &self.run.options())?)
    }
}
