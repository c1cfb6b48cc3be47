//! Pictures, masks and cells as PNG, a file for each, and a table of them.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::{Exported, Sink};
use crate::cli::failure::Failure;

/// The folder that is being written.
pub(super) struct Stills {
    folder: PathBuf,
    table: BufWriter<File>,
}

/// A function that names the file that can not be written.
pub(in crate::cli) fn unwritable<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> Failure + '_ {
    move |error| Failure::Write { path: path.to_owned(), message: error.to_string() }
}

/// Writes a picture; PNG, whose fast ways are twice as fast and a tenth larger.
pub(super) fn write_png(
    path: &Path,
    bytes: &[u8],
    size: (u32, u32),
    colour: ExtendedColorType,
) -> Result<(), Failure> {
    let file = BufWriter::new(File::create(path).map_err(unwritable(path))?);
    let encoder = PngEncoder::new_with_quality(file, CompressionType::Fast, FilterType::Adaptive);
    encoder.write_image(bytes, size.0, size.1, colour).map_err(unwritable(path))
}

impl Stills {
    pub(super) fn new(folder: &Path) -> Result<Self, Failure> {
        for name in ["images", "masks", "cells"] {
            let path = folder.join(name);
            fs::create_dir(&path).map_err(unwritable(&path))?;
        }
        let path = folder.join("frames.csv");
        let mut table = BufWriter::new(File::create(&path).map_err(unwritable(&path))?);
        let head = "name,sequence,time_s,source_x,source_y,source_width,source_height,target_x,target_y,target_width,target_height,mask_px";
        writeln!(table, "{head}").map_err(unwritable(&path))?;
        Ok(Self { folder: folder.to_owned(), table })
    }
}

impl Sink for Stills {
    fn frame(&mut self, name: &str, frame: &Exported) -> Result<(), Failure> {
        let Exported { picture, mask, inside, sequence, time } = frame;
        let size = picture.dimensions();
        let file = format!("{name}.png");
        write_png(&self.folder.join("images").join(&file), picture.as_raw(), size, ExtendedColorType::Rgb8)?;
        let white: Vec<u8> = inside.iter().map(|inside| if *inside { 255 } else { 0 }).collect();
        write_png(&self.folder.join("masks").join(&file), &white, size, ExtendedColorType::L8)?;
        let (cells, side) = (self.folder.join("cells").join(&file), mask.placement.side_px);
        write_png(&cells, &mask.probability, (side, side), ExtendedColorType::L8)?;
        let (source, target) = (mask.placement.source, mask.placement.target);
        let area = inside.iter().filter(|inside| **inside).count();
        let rect = |r: polyp::frame::Rect| format!("{},{},{},{}", r.x, r.y, r.width, r.height);
        let time = time.as_secs_f64();
        writeln!(self.table, "{name},{sequence},{time:.6},{},{},{area}", rect(source), rect(target))
            .map_err(unwritable(&self.folder.join("frames.csv")))
    }

    fn end(mut self: Box<Self>) -> Result<String, Failure> {
        self.table.flush().map_err(unwritable(&self.folder.join("frames.csv")))?;
        Ok(String::new())
    }
}
