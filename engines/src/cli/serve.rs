//! `polyp-engine serve`: the engine for another process. Started by it, never by hand.

use std::path::PathBuf;

use clap::Args;
use polyp_engine::folder::Trust;
use polyp_engine::isolation::serve;

use super::options::Run;

/// Run an engine for the process that started this one
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The engine folder
    engine: PathBuf,
    /// The sha256 that its manifest has to have, in hexadecimal
    #[arg(long, value_name = "SHA256")]
    manifest: String,
    #[command(flatten)]
    run: Run,
}

impl Serve {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let trust = Trust::Manifest(self.manifest.clone());
        Ok(serve(&self.engine, &trust, self.run.backend(), &self.run.options())?)
    }
}
