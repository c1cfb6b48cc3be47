//! The command line: one file per verb.

mod ablate;
mod average;
mod bench_step;
mod calibrate;
mod convert;
mod export;
mod fit;
mod import;
mod memory;
mod plot;
mod score;
mod session;
mod sheet;
mod zoom_out;

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use polyp_training::data::Split;

/// Trains polyp's network: data sets in, engine folders out.
#[derive(Debug, Parser)]
#[command(name = "polyp-train", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    // Boxed: it has many times the options of the others.
    Import(Box<import::Import>),
    Sheet(sheet::Sheet),
    Fit(fit::Fit),
    Plot(plot::Plot),
    Average(average::Average),
    Calibrate(calibrate::Calibrate),
    Score(score::Score),
    Export(export::Export),
    ZoomOut(zoom_out::ZoomOut),
    Ablate(ablate::Ablate),
    Convert(convert::Convert),
    BenchStep(bench_step::BenchStep),
}

impl Cli {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.verb {
            Verb::Import(verb) => verb.run(),
            Verb::Sheet(verb) => verb.run(),
            Verb::Fit(verb) => verb.run(),
            Verb::Plot(verb) => verb.run(),
            Verb::Average(verb) => verb.run(),
            Verb::Calibrate(verb) => verb.run(),
            Verb::Score(verb) => verb.run(),
            Verb::Export(verb) => verb.run(),
            Verb::ZoomOut(verb) => verb.run(),
            Verb::Ablate(verb) => verb.run(),
            Verb::Convert(verb) => verb.run(),
            Verb::BenchStep(verb) => verb.run(),
        }
    }
}

/// Runs something that goes through pictures, with a bar.
fn counting<T, E>(
    what: &str,
    run: impl FnOnce(&mut dyn FnMut(usize, usize)) -> Result<T, E>,
) -> anyhow::Result<T>
where
    anyhow::Error: From<E>,
{
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} pictures, {eta} to go")?;
    let bar = ProgressBar::new(0).with_style(style);
    bar.set_prefix(what.to_owned());
    let made = run(&mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    Ok(made?)
}

/// A range of shares, as `0..0.03`.
fn range(text: &str) -> Result<std::ops::Range<f64>, String> {
    let share = |text: &str| text.trim().parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    let ends = text.split_once("..").and_then(|(low, high)| Some(share(low)?..share(high)?));
    let range = ends.filter(|range| range.start < range.end);
    range.ok_or_else(|| "expected LOW..HIGH, two numbers from 0 to 1, as in 0..0.03".to_owned())
}

/// A data set's side, by its name.
fn side(name: &str) -> Result<Split, String> {
    Split::from_name(name).ok_or_else(|| "expected train, validation or test".to_owned())
}
