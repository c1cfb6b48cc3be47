//! Frames and cells as one stream of bytes ([`polyp::session::StreamWriter`]), for programs that read no video.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use clap::Args;
use polyp::frame::{Rect, Size};
use polyp::input::{Fit, InputSpec, Normalisation, Placement};
use polyp::preprocess::Preprocessor;
use polyp::segmentation::Segmentation;
use polyp::session::{StreamFrame, StreamWriter};

use super::privacy::Privacy;
use super::stills::unwritable;
use super::{Export, Provenance};
use crate::cli::failure::Failure;
use crate::cli::frames::{Frame, Frames, Progress};

/// The largest side of small pictures.
const LARGEST: u32 = 2048;

/// What only streams have.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Options of --as frames")]
pub(super) struct StreamOptions {
    /// Instead of whole frames the region that the network saw, squashed to PX x PX pixels as the network has it; 0: no pictures
    #[arg(long, value_name = "PX", value_parser = clap::value_parser!(u32).range(0..=i64::from(LARGEST)))]
    side: Option<u32>,
    /// Export the frames of these numbers alone
    #[arg(long, value_name = "SEQUENCE,..", value_delimiter = ',')]
    only: Vec<u64>,
}

impl StreamOptions {
    /// The options that are given, by name.
    pub(super) fn given(&self) -> Option<&'static str> {
        let all = [(self.side.is_some(), "--side"), (!self.only.is_empty(), "--only")];
        all.into_iter().find_map(|(given, name)| given.then_some(name))
    }
}

/// Exports.
pub(super) fn run(export: &Export, provenance: &Provenance) -> Result<(), Failure> {
    let privacy = export.privacy();
    if privacy.covers() && export.stream.side.is_some() {
        let sentence = "--side: expected without --mask-corners, --black and --drop-out-of-body, which need whole frames";
        return Err(Failure::Usage(sentence.to_owned()));
    }
    let name = if export.out == Path::new("-") { Path::new("standard output") } else { &export.out };
    let to: Box<dyn Write> = if export.out == Path::new("-") {
        Box::new(io::stdout().lock())
    } else {
        Box::new(File::create_new(&export.out).map_err(unwritable(&export.out))?)
    };
    let began = &provenance.about.began;
    let to = BufWriter::with_capacity(1 << 20, to);
    let mut stream = StreamWriter::new(to, &provenance.name, began).map_err(unwritable(name))?;
    let mut pictures = Pictures::new(export.stream.side, privacy);
    let mut frames = Frames::open(&export.session)?;
    let mut progress = Progress::new(&export.session)?;
    let (mut seen, mut by) = (0_u64, None);
    while let Some(frame) = frames.next()? {
        progress.at(frame.time);
        let Some(mask) = &frame.mask else { continue };
        seen += 1;
        let only = &export.stream.only;
        if !(seen - 1).is_multiple_of(export.every) || !(only.is_empty() || only.contains(&frame.sequence)) {
            continue;
        }
        let time_ns = u64::try_from(frame.time.as_nanos()).unwrap_or(u64::MAX);
        let engine = provenance.engine(provenance.first_ns.saturating_add(time_ns));
        if let Some((number, engine)) = engine.filter(|(number, _)| by != Some(*number)) {
            stream.engine(engine).map_err(unwritable(name))?;
            by = Some(number);
        }
        let Some((rgb, size, placement)) = pictures.make(&mut frames, &frame, mask)? else { continue };
        let size = [size.width, size.height];
        let line = StreamFrame { sequence: frame.sequence, time_ns, size, placed: placement.into() };
        stream.frame(&line, &rgb, &mask.probability).map_err(unwritable(name))?;
    }
    let written = stream.end().map_err(unwritable(name))?;
    eprintln!("polyp: {seen} frames have a mask of their own; {written} were exported");
    Ok(())
}

/// Makes the pictures.
struct Pictures {
    side: Option<u32>,
    privacy: Privacy,
    preprocessor: Preprocessor,
}

impl Pictures {
    fn new(side: Option<u32>, privacy: Privacy) -> Self {
        // Not normalised: only the 8-bit picture is asked for.
        let normalisation = Normalisation::ZScorePerImage;
        let spec = InputSpec { side_px: side.unwrap_or(1).max(1), fit: Fit::Squash, normalisation };
        Self { side, privacy, preprocessor: Preprocessor::new(spec) }
    }

    /// The frame's picture, its size, and where the mask lies in it; `None` for one that is left out.
    fn make(
        &mut self,
        frames: &mut Frames,
        frame: &Frame,
        mask: &Segmentation,
    ) -> Result<Option<(Vec<u8>, Size, Placement)>, Failure> {
        let placement = mask.placement;
        match self.side {
            Some(0) => Ok(Some((Vec::new(), Size::default(), placement))),
            Some(side) => {
                let rgb = Frames::small(frame, placement.source, &mut self.preprocessor)?;
                let size = Size::new(side, side);
                Ok(Some((rgb, size, Placement { source: Rect::whole(size), ..placement })))
            }
            None => {
                let mut picture = frames.picture(frame)?;
                let size = Size::new(picture.width(), picture.height());
                let kept = self.privacy.apply(&mut picture, placement.source)?;
                Ok(kept.then(|| (picture.into_raw(), size, placement)))
            }
        }
    }
}
