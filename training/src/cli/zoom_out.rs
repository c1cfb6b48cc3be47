//! `polyp-train zoom-out`: pictures with small lesions, generated from a data set's own.

use std::ops::Range;
use std::path::PathBuf;

use clap::Args;
use polyp_training::data::{DataSet, Split};
use polyp_training::zoom::{ZoomOut as Plan, zoom_out};

use super::{counting, side};

/// Make a data set of pictures with small lesions: lesions shrunk onto mucosa of other pictures of the same side.
#[derive(Debug, Args)]
pub(crate) struct ZoomOut {
    /// The data set (HDF5).
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The side whose pictures are used.
    #[arg(long, default_value = "test", value_name = "SIDE", value_parser = side)]
    split: Split,
    /// The lesion's share of the frame.
    #[arg(long, default_value = "0.005..0.03", value_name = "LOW..HIGH", value_parser = super::range)]
    share: Range<f64>,
    /// Names the draw.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file to write (HDF5).
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl ZoomOut {
    #[expect(clippy::print_stdout, reason = "what the verb has to say")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let data = DataSet::open(&self.data)?;
        let plan = Plan { split: self.split, share: self.share, seed: self.seed };
        let made = counting("zoom-out", |progress| zoom_out(&data, &plan, &self.out, progress))?;
        println!(
            "{}: {} pictures, generated; {} left out (no lesion, cut off, small already, or fits nowhere)",
            self.out.display(),
            made.written,
            made.left_out.len()
        );
        Ok(())
    }
}
