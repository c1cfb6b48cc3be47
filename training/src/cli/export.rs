//! `polyp-train export`: a run becomes an engine folder.

use std::path::PathBuf;

use clap::Args;
use polyp_training::export::export;

/// Write the engine folder of a run's best checkpoint, with its temperature and its scores.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The run's folder, calibrated and scored.
    #[arg(long)]
    run: PathBuf,
    /// What the engine is called.
    #[arg(long)]
    name: String,
    /// What the text encoder is called.
    #[arg(long, default_value = "all-MiniLM-L6-v2")]
    text_encoder: String,
    /// The engine folder to write; nothing of that name may be there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Export {
    #[expect(clippy::print_stdout, reason = "what the verb has to say")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let folder = export(&self.run, &self.name, &self.text_encoder, &self.out)?;
        let manifest = folder.manifest();
        println!(
            "{}: {}, temperature {:.4}, {} figures",
            self.out.display(),
            manifest.name,
            manifest.temperature,
            manifest.metrics.len()
        );
        Ok(())
    }
}
