//! `polyp-train fit`: train a network into a run's folder.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use polyp_training::data::DataSet;
use polyp_training::fit::{FitConfig, Progress, fit};
use tch::Device;

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
    /// What to compute on: cpu, cuda or cuda:N.
    #[arg(long, default_value = "cpu", value_parser = device)]
    device: Device,
    /// Allow captions that were computed from the truth (p4 to p6); everything that comes of the run is labelled.
    #[arg(long)]
    leaky_captions: bool,
}

impl Fit {
    #[expect(clippy::print_stdout, reason = "what the verb has to say")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        super::memory::keep_freed();
        let mut config = FitConfig::read(&self.config)?;
        config.prompts.leaky_captions |= self.leaky_captions;
        let data = Arc::new(DataSet::open(&self.data)?);
        let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
            "{prefix} {wide_bar} step {pos}/{len}, {eta} to the end, {msg}",
        )?);
        let outcome = fit(&config, &data, &self.out, self.device, self.resume, &mut |progress| {
            let Progress { epoch, epochs, steps, sums, .. } = progress;
            bar.set_length((epochs * steps) as u64);
            bar.set_prefix(format!("epoch {epoch}/{epochs}"));
            bar.set_position(((epoch - 1) * steps + sums.steps) as u64);
            bar.set_message(words(progress));
        })?;
        bar.finish_and_clear();
        println!(
            "{}: best epoch {} of {}, validation Dice {:.4}{}",
            self.out.display(),
            outcome.best_epoch,
            outcome.epochs,
            outcome.best_dice,
            if config.prompts.is_leaky() { " (leaky captions)" } else { "" }
        );
        Ok(())
    }
}

fn words(progress: &Progress<'_>) -> String {
    let terms: Vec<String> = progress
        .sums
        .named(progress.terms)
        .iter()
        .map(|(name, value)| format!("{name} {value:.3}"))
        .collect();
    format!(
        "{}, {:.1} pictures/s, best Dice {:.4}",
        terms.join(", "),
        progress.pictures_per_s,
        progress.best_dice
    )
}

fn device(name: &str) -> Result<Device, String> {
    match name.split_once(':') {
        None if name == "cpu" => Ok(Device::Cpu),
        None if name == "cuda" => Ok(Device::Cuda(0)),
        Some(("cuda", index)) if index.parse::<usize>().is_ok() => {
            Ok(Device::Cuda(index.parse().unwrap_or(0)))
        }
        _ => Err("expected cpu, cuda or cuda:N".to_owned()),
    }
}
