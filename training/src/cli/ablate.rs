//! `polyp-train ablate`: train and score variants, and lay them side by side.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use polyp_training::ablate::{Ablation, ablate, markdown};
use polyp_training::data::DataSet;

/// Train and score every row of a plan, and write the table; finished rows are not done again.
#[derive(Debug, Args)]
pub(crate) struct Ablate {
    /// The plan (TOML): a base configuration, a budget, and rows of changes.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The data set (HDF5).
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The folder of all runs, of ablation.json and of ablation.md.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Ablate {
    #[expect(clippy::print_stdout, reason = "what the verb has to say")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        super::memory::keep_freed();
        let plan = Ablation::read(&self.config)?;
        let data = Arc::new(DataSet::open(&self.data)?);
        let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
            "{prefix} {wide_bar} step {pos}/{len}, {eta} to the run's end",
        )?);
        let report = ablate(&plan, &data, &self.out, &mut |run, progress| {
            bar.set_length((progress.epochs * progress.steps) as u64);
            bar.set_prefix(format!("{run}, epoch {}/{}", progress.epoch, progress.epochs));
            bar.set_position(((progress.epoch - 1) * progress.steps + progress.sums.steps) as u64);
        })?;
        bar.finish_and_clear();
        println!("{}", markdown(&report));
        Ok(())
    }
}
