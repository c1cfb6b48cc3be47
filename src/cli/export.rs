//! `polyp export`: a session's frames and the masks that the network made of them, for other tools.
//!
//! What is exported are the frames that have a mask of their own, each with that mask. Cells are written as they were recorded; masks in the
//! frame's size are where the probability between the cells reaches the threshold.
//!
//! Nothing of a patient is written: a session knows nothing of one. What the picture itself shows is another matter: `--mask-corners` and
//! `--black` cover text beside the endoscope's picture, `--drop-out-of-body` leaves out frames that do not look like the inside of a body.

mod coco;
mod dicom;
mod privacy;
mod provenance;
mod regions;
pub(super) mod stills;
mod stream;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use image::RgbImage;
use polyp::frame::{Rect, Size};
use polyp::metric::to_picture;
use polyp::roi::Roi;
use polyp::segmentation::Segmentation;

use super::failure::Failure;
use super::frames::{Frame, Frames, Progress};
use super::plugin;
use coco::Coco;
use privacy::Privacy;
use provenance::Provenance;
use stills::Stills;

/// Export a session's frames with the masks that the network made of them
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The session's folder
    #[arg(value_name = "SESSION")]
    session: PathBuf,
    /// Into what
    #[arg(long = "as", value_name = "FORMAT")]
    format: Format,
    /// A folder that is not there yet, or empty; with `--as frames` a new file, or - for the standard output
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The probability from which on a pixel belongs to the mask
    #[arg(long, default_value_t = 0.5)]
    threshold: f32,
    /// Export one of so many frames that have a mask
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Black out all that lies outside of the region that the network saw: text beside the endoscope's picture
    #[arg(long)]
    mask_corners: bool,
    /// Black out this part of every frame; may be given several times
    #[arg(long, value_name = "WIDTHxHEIGHT+X+Y", value_parser = part)]
    black: Vec<Rect>,
    /// Leave out frames of which less than two fifths of the region are red enough to be mucosa
    #[arg(long)]
    drop_out_of_body: bool,
    #[command(flatten)]
    dicom: dicom::DicomOptions,
    #[command(flatten)]
    stream: stream::StreamOptions,
}

/// What a session is exported into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// images/, masks/ (0 or 255, the frame's size), cells/ (the network's probabilities as recorded) and frames.csv
    Png,
    /// images/ and annotations.json with runs (RLE), one annotation for each region; exact
    Coco,
    /// The same with polygons, which can not have holes: those are filled, and counted
    CocoPolygons,
    /// video-NNNN.dcm (Video Endoscopic Image: all frames) and masks-NNNN.dcm (Segmentation of them)
    Dicom,
    /// Frames and cells as one stream of bytes, for other programs (docs/SESSIONS.md)
    Frames,
}

fn part(text: &str) -> Result<Rect, String> {
    match text.parse::<Roi>() {
        Ok(Roi::Fixed(rect)) => Ok(rect),
        Ok(_) => Err("expected WIDTHxHEIGHT+X+Y in pixels".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A frame that is exported, with its own mask.
struct Exported {
    picture: RgbImage,
    mask: Segmentation,
    /// The mask in the picture's size, row by row.
    inside: Vec<bool>,
    sequence: u64,
    /// Its time, the first frame's being 0.
    time: Duration,
}

impl Exported {
    fn new(frame: &Frame, mask: &Segmentation, picture: RgbImage, threshold: f32) -> Self {
        let size = Size::new(picture.width(), picture.height());
        let inside = to_picture(mask, size).iter().map(|p| *p >= threshold).collect();
        Self { picture, mask: mask.clone(), inside, sequence: frame.sequence, time: frame.time }
    }
}

/// Takes exported frames one by one.
trait Sink {
    /// Takes one.
    fn frame(&mut self, name: &str, frame: &Exported) -> Result<(), Failure>;
    /// That was all; what is to be said of it.
    fn end(self: Box<Self>) -> Result<String, Failure>;
}

impl Export {
    pub(super) fn run(&self) -> Result<(), Failure> {
        if !(self.threshold > 0.0 && self.threshold < 1.0) {
            let found = self.threshold;
            return Err(Failure::Usage(format!("--threshold: expected above 0 and below 1, found {found}")));
        }
        if let Some(option) = self.dicom.given().filter(|_| self.format != Format::Dicom) {
            return Err(Failure::Usage(format!("{option}: expected with --as dicom alone")));
        }
        if let Some(option) = self.stream.given().filter(|_| self.format != Format::Frames) {
            return Err(Failure::Usage(format!("{option}: expected with --as frames alone")));
        }
        plugin::start()?;
        if self.format != Format::Frames {
            make_folder(&self.out)?;
        }
        match self.format {
            Format::Png => self.stills(Box::new(Stills::new(&self.out)?)),
            Format::Coco => self.stills(Box::new(Coco::new(&self.out, false)?)),
            Format::CocoPolygons => self.stills(Box::new(Coco::new(&self.out, true)?)),
            Format::Dicom => dicom::run(self, &Provenance::read(&self.session)?),
            Format::Frames => stream::run(self, &Provenance::read(&self.session)?),
        }
    }

    fn privacy(&self) -> Privacy {
        Privacy {
            corners: self.mask_corners,
            black: self.black.clone(),
            drop_out_of_body: self.drop_out_of_body,
        }
    }

    /// Gives each frame that has a mask of its own to `sink`.
    fn stills(&self, mut sink: Box<dyn Sink>) -> Result<(), Failure> {
        let privacy = self.privacy();
        let mut frames = Frames::open(&self.session)?;
        let (mut seen, mut exported, mut dropped) = (0_u64, 0_u64, 0_u64);
        let mut progress = Progress::new(&self.session)?;
        while let Some(frame) = frames.next()? {
            progress.at(frame.time);
            let Some(mask) = &frame.mask else { continue };
            seen += 1;
            if !(seen - 1).is_multiple_of(self.every) {
                continue;
            }
            let mut picture = frames.picture(&frame)?;
            if !privacy.apply(&mut picture, mask.placement.source)? {
                dropped += 1;
                continue;
            }
            let exported_frame = Exported::new(&frame, mask, picture, self.threshold);
            sink.frame(&format!("{:08}", frame.sequence), &exported_frame)?;
            exported += 1;
        }
        let said = sink.end()?;
        println!("{seen} frames have a mask of their own; {exported} were exported{said}");
        if self.drop_out_of_body {
            println!("{dropped} were left out: they do not look like the inside of a body");
        }
        println!("{}", self.out.display());
        Ok(())
    }
}

/// Makes a folder, which may be there if it is empty.
pub(super) fn make_folder(folder: &Path) -> Result<(), Failure> {
    let write =
        |error: std::io::Error| Failure::Write { path: folder.to_owned(), message: error.to_string() };
    fs::create_dir_all(folder).map_err(write)?;
    if fs::read_dir(folder).map_err(write)?.next().is_some() {
        return Err(Failure::Usage(format!(
            "--out {}: expected an empty folder, found files in it",
            folder.display()
        )));
    }
    Ok(())
}
