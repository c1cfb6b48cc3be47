//! `polyp-train sheet`: a contact sheet of what the network will be shown.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use image::{Rgb, RgbImage};
use polyp_training::augment::AugmentConfig;
use polyp_training::data::{DataSet, Loader, Pass, Split};
use polyp_training::outline::outline;

/// Draw augmented pictures with their masks outlined, many on one PNG.
#[derive(Debug, Args)]
pub(crate) struct Sheet {
    /// The data set; pictures to learn from are shown.
    #[arg(long)]
    data: PathBuf,
    /// The PNG to write.
    #[arg(long)]
    out: PathBuf,
    /// A table of augmentation settings (TOML); the defaults without.
    #[arg(long, value_name = "FILE")]
    augment: Option<PathBuf>,
    /// Rows and columns of a picture, in pixels.
    #[arg(long, default_value_t = 256)]
    side: usize,
    /// Pictures in a row of the sheet.
    #[arg(long, default_value_t = 6)]
    columns: usize,
    /// Rows of the sheet; each row is one picture, the first time not augmented.
    #[arg(long, default_value_t = 5)]
    rows: usize,
    /// Names the draw.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Sheet {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let augment = match &self.augment {
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).with_context(|| format!("{}: read", path.display()))?;
                toml::from_str(&text).with_context(|| format!("{}: augmentation settings", path.display()))?
            }
            None => AugmentConfig::default(),
        };
        let data = Arc::new(DataSet::open(&self.data)?);
        let all = data.indices(Split::Train);
        anyhow::ensure!(
            !all.is_empty(),
            "{}: split train: expected pictures, found none",
            self.data.display()
        );
        let step = (all.len() / self.rows.max(1)).max(1);
        let chosen: Vec<usize> = all.into_iter().step_by(step).take(self.rows).collect();
        let side = u32::try_from(self.side)?;
        let mut sheet =
            RgbImage::new(side * u32::try_from(self.columns)?, side * u32::try_from(chosen.len())?);
        for column in 0..self.columns {
            let augment = (column > 0).then(|| augment.clone());
            let pass = Pass {
                side: self.side,
                batch: chosen.len(),
                augment,
                seed: self.seed,
                epoch: column as u64,
                skip: 0,
                threads: 1,
            };
            for batch in Loader::start(&data, chosen.clone(), pass)? {
                let batch = batch?;
                let area = self.side * self.side;
                let samples = batch.images.chunks_exact(3 * area).zip(batch.masks.chunks_exact(area));
                for (index, (rgb, mask)) in batch.indices.iter().zip(samples) {
                    let row = chosen.iter().position(|other| other == index).unwrap_or(0);
                    paste(
                        &mut sheet,
                        u32::try_from(column)? * side,
                        u32::try_from(row)? * side,
                        self.side,
                        rgb,
                        mask,
                    );
                }
            }
        }
        sheet.save(&self.out).with_context(|| format!("{}: write", self.out.display()))
    }
}

fn paste(sheet: &mut RgbImage, left: u32, top: u32, side: usize, rgb: &[u8], mask: &[u8]) {
    let mut rgb = rgb.to_vec();
    outline(&mut rgb, mask, side, 0);
    for (place, pixel) in rgb.as_chunks::<3>().0.iter().enumerate() {
        let (x, y) = ((place % side) as u32, (place / side) as u32);
        sheet.put_pixel(left + x, top + y, Rgb(*pixel));
    }
}
