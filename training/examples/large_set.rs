//! Makes a plain folder of many small pictures, all different, with masks: `large_set FOLDER [COUNT]`. The script
//! `training/benches/large_set.sh` imports it and trains on it.
#![expect(clippy::print_stdout, reason = "a tool says what it did")]

use std::path::Path;

use anyhow::Context;
use image::imageops::{FilterType, resize};
use image::{GrayImage, Luma, Rgb, RgbImage};
use polyp_training::data::Random;

const WIDTH: u32 = 96;
const HEIGHT: u32 = 80;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("large_set FOLDER [COUNT]: expected a folder, found none")?;
    let count: u64 = arguments.next().map_or(Ok(100_000), |count| count.parse()).context("COUNT")?;
    let folder = Path::new(&folder);
    for name in ["images", "masks"] {
        std::fs::create_dir_all(folder.join(name))
            .with_context(|| format!("{}: create", folder.display()))?;
    }
    for number in 0..count {
        let (picture, mask) = picture(number);
        picture.save(folder.join(format!("images/{number:06}.jpg")))?;
        mask.save(folder.join(format!("masks/{number:06}.png")))?;
    }
    println!("{}: {count} pictures and masks of {WIDTH}x{HEIGHT}", folder.display());
    Ok(())
}

/// A bright disc on soft noise, and where it is.
fn picture(number: u64) -> (RgbImage, GrayImage) {
    let mut random = Random::new(&[number]);
    let coarse = RgbImage::from_fn(9, 8, |_, _| {
        let light = 20 + random.below(120) as u8;
        Rgb([light + 60, light / 2, light / 2])
    });
    let mut picture = resize(&coarse, WIDTH, HEIGHT, FilterType::Triangle);
    let (x, y) = (random.between(20.0, 76.0), random.between(20.0, 60.0));
    let radius = random.between(8.0, 18.0);
    let mask = GrayImage::from_fn(WIDTH, HEIGHT, |column, row| {
        let inside = (column as f32 - x).hypot(row as f32 - y) < radius;
        Luma([if inside { 255 } else { 0 }])
    });
    for (pixel, mask) in picture.pixels_mut().zip(mask.pixels()) {
        if mask.0[0] > 0 {
            *pixel = Rgb([pixel.0[0].saturating_add(40), pixel.0[1] / 2 + 120, pixel.0[2] / 2 + 90]);
        }
    }
    (picture, mask)
}
