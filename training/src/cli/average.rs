//! `polyp-train average`: one run out of several.

use std::path::PathBuf;

use clap::Args;
use polyp_training::average::average;

/// Average the best weights of runs that started from the same trained weights; the result is a run to calibrate.
#[derive(Debug, Args)]
pub(crate) struct Average {
    /// A run's folder; give at least two.
    #[arg(long, value_name = "RUN", required = true)]
    run: Vec<PathBuf>,
    /// The folder of the run to make.
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
}

impl Average {
    #[expect(clippy::print_stdout, reason = "what the verb has to say")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let made = average(&self.run, &self.out)?;
        println!(
            "{}: the mean of {} runs, weights {}",
            self.out.display(),
            made.runs.len(),
            made.weights_sha256
        );
        Ok(())
    }
}
