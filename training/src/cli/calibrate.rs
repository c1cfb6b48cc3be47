//! `polyp-train calibrate`: fit the temperature of a run.

use std::path::PathBuf;

use clap::Args;
use polyp_training::calibrate::{Calibration, calibrate};
use polyp_training::data::DataSet;
use polyp_training::predict::Trained;

use super::counting;

/// Fit the temperature of a run's best checkpoint on the validation split.
#[derive(Debug, Args)]
pub(crate) struct Calibrate {
    /// The run's folder; calibration.json is written there.
    #[arg(long)]
    run: PathBuf,
    /// The data set that the run learned from (HDF5).
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
}

impl Calibrate {
    #[expect(clippy::print_stdout, reason = "what the verb has to say")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let data = DataSet::open(&self.data)?;
        let mut trained = Trained::open(&self.run, None)?;
        let made = counting("calibrate", |progress| calibrate(&mut trained, &data, progress))?;
        let found = &made.calibration;
        found.write(&self.run)?;
        made.draw(&self.run, &mut trained, &data)?;
        println!("{}", Calibration::path(&self.run).display());
        println!("temperature {:.4} from {} pictures", found.temperature, found.count);
        println!("negative log-likelihood {:.5} -> {:.5} nats a pixel", found.nll_before, found.nll_after);
        if let Some(level) = found.contour_95 {
            println!("95 % of the lesions' pixels have a probability of {level:.4} or more");
        }
        println!("calibration error, all pixels {:.5} -> {:.5}", found.ece_before[0], found.ece_after[0]);
        println!("calibration error, around polyps {:.5} -> {:.5}", found.ece_before[1], found.ece_after[1]);
        Ok(())
    }
}
