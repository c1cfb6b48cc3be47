//! `polyp-train score`: how good a run or an engine folder is.

use std::path::PathBuf;

use clap::Args;
use polyp_engine::engine::{Options, Precision};
use polyp_training::calibrate::Calibration;
use polyp_training::data::{DataSet, Split};
use polyp_training::predict::{Exported, Predictor, Trained};
use polyp_training::score::{ScoreReport, score};

use super::{counting, side};

/// Score a run's best checkpoint, or an engine folder, on one side of a data set.
#[derive(Debug, Args)]
pub(crate) struct Score {
    /// The run's folder; the report is written below it.
    #[arg(long, required_unless_present = "engine", conflicts_with = "engine")]
    run: Option<PathBuf>,
    /// An engine folder.
    #[arg(long, value_name = "DIR")]
    engine: Option<PathBuf>,
    /// The engine's backend.
    #[arg(long, default_value = "openvino", requires = "engine")]
    backend: String,
    /// The engine's precision.
    #[arg(long, default_value = "auto", requires = "engine", value_parser = precision)]
    precision: Precision,
    /// The data set (HDF5).
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Its side.
    #[arg(long, default_value = "test", value_name = "SIDE", value_parser = side)]
    split: Split,
    /// Another prompt than the run's. What is measured so is not what carts see, and is not exported.
    #[arg(long, conflicts_with = "engine", requires = "report")]
    prompt: Option<String>,
    /// The report to write (JSON), instead of the run's own.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn precision(name: &str) -> Result<Precision, String> {
    Precision::from_name(name).ok_or_else(|| "expected auto, f32 or bf16".to_owned())
}

impl Score {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let data = DataSet::open(&self.data)?;
        let (mut predictor, temperature): (Box<dyn Predictor>, f32) = match (&self.run, &self.engine) {
            (Some(run), _) => {
                let temperature = Calibration::of(run)?.map(|calibration| calibration.temperature);
                if temperature.is_none() {
                    tracing::warn!("{}: not calibrated: temperature 1 is used", run.display());
                }
                (Box::new(Trained::open(run, self.prompt.as_deref())?), temperature.unwrap_or(1.0))
            }
            (None, Some(folder)) => {
                let options = Options { precision: self.precision, threads: 0 };
                let engine = Exported::open(folder, &self.backend, &options)?;
                let temperature = engine.folder().manifest().temperature;
                (Box::new(engine), temperature)
            }
            (None, None) => anyhow::bail!("expected --run or --engine, found neither"),
        };
        let report = counting("score", |progress| {
            score(predictor.as_mut(), temperature, &data, self.split, progress)
        })?;
        let own = self.run.as_ref().map(|run| ScoreReport::path(run, &data, self.split));
        let path = self.report.or(own);
        if let Some(path) = &path {
            report.write(path)?;
        }
        print(&report);
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "what the verb has to say")]
fn print(report: &ScoreReport) {
    for metric in &report.metrics {
        println!(
            "{:9} per {:6} {:.4}  ({} {}, {} pictures at their own size, prompt \"{}\")",
            metric.measure,
            metric.per,
            metric.value,
            metric.data_set,
            metric.split,
            metric.count,
            metric.prompt
        );
    }
}
