//! `polyp-train fit`: train a network into a run's folder.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use polyp_training::data::DataSet;
use polyp_training::fit::{FitConfig, Progress, fit};

use super::plot::draw;

/// Train a network; the best epoch is chosen on the validation split.
#[derive(Debug, Args)]
pub(crate) struct Fit {
    /// The run's configuration (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The data set (HDF5).
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The run's folder: configuration, metrics and checkpoints.
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Go on with the run in that folder.
    #[arg(long)]
    resume: bool,
}

impl Fit {
    #[expect(clippy::print_stdout, reason = "what the verb has to say")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = FitConfig::read(&self.config)?;
        let data = Arc::new(DataSet::open(&self.data)?);
        let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
            "{prefix} {wide_bar} step {pos}/{len}, {eta} to the end, {msg}",
        )?);
        let outcome = fit(&config, &data, &self.out, self.resume, &mut |progress| {
            let Progress { epoch, epochs, step, steps, .. } = progress;
            bar.set_length((epochs * steps) as u64);
            bar.set_prefix(format!("epoch {epoch}/{epochs}"));
            bar.set_position(((epoch - 1) * steps + step) as u64);
            bar.set_message(words(&progress));
        })?;
        bar.finish_and_clear();
        draw(&self.out, &self.out.join("learning.svg"))?;
        println!(
            "{}: best epoch {} of {}, validation Dice {:.4}",
            self.out.display(),
            outcome.best_epoch,
            outcome.epochs,
            outcome.best_dice
        );
        Ok(())
    }
}

fn words(progress: &Progress) -> String {
    format!("loss {:.4}, best Dice {:.4}", progress.loss, progress.best_dice)
}
