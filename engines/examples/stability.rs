//! How steady an engine's masks are from frame to frame, and what smoothing does to that and to how right they are.
//!
//! `cargo run --release -p polyp-engine --example stability -- ENGINE FOLDER [FRAMES]`
//!
//! FOLDER has either `pictures.csv` (stills as `polyp demo` takes them: each is animated for FRAMES frames, 50 unless said otherwise, at
//! 640 x 360 and 25 frames a second) or `meta.csv` (frames of sequences, as `examples/motion.rs` takes them). Masks are shown as in live mode on
//! a machine that answers within a frame: each frame is asked about, and has the mask of the frame before, moved along.
//!
//! Printed for each share of smoothing, in the network's own cells: the mean Dice with the truth of the frame that shows the mask; the mean
//! Dice of a frame's mask with the mask of the frame before, moved along with the measured motion; and how often a second the network's
//! word on whether there is a polyp at all changes (a thousandth of the cells or more at 50 %).
#![expect(clippy::print_stdout, reason = "a tool says what it found")]

use std::path::Path;
use std::sync::Arc;

use polyp::clip::{Clip, Picture};
use polyp::config::Framerate;
use polyp::decode::Decoder;
use polyp::frame::{Canvas, Colorimetry, FrameView, PixelFormat, Plane, PlaneMut, Size};
use polyp::metric::to_grid;
use polyp::motion::Tracker;
use polyp::preprocess::Preprocessor;
use polyp::roi::{Roi, RoiFinder};
use polyp::segmentation::Segmentation;
use polyp_engine::engine::{BACKENDS, Engine, Options};
use polyp_engine::folder::EngineFolder;
use polyp_engine::memory::PromptMemory;

type Failure = Box<dyn std::error::Error>;

const SHARES: [f32; 5] = [0.0, 0.2, 0.4, 0.6, 0.8];
const FRAMERATE: Framerate = Framerate { numerator: 25, denominator: 1 };
const SIZE: Size = Size::new(640, 360);
const FRAMES: u64 = 50;
/// Cells at 50 % or more from which there counts as a polyp, as a share of all.
const PRESENT: f64 = 0.001;

/// A frame and its truth.
struct Frame {
    format: PixelFormat,
    size: Size,
    colorimetry: Colorimetry,
    planes: Vec<(Vec<u8>, usize)>,
    truth: Vec<bool>,
}

impl Frame {
    fn view(&self) -> Result<FrameView<'_>, Failure> {
        let planes: Vec<Plane<'_>> =
            self.planes.iter().map(|(bytes, stride)| Plane { bytes, stride: *stride }).collect();
        Ok(FrameView::new(self.format, self.size, self.colorimetry, &planes)?)
    }

    fn of_clip(clip: &Clip, index: u64) -> Result<Self, Failure> {
        let format = PixelFormat::Nv12;
        let mut planes: Vec<(Vec<u8>, usize)> = (0..format.planes())
            .map(|plane| format.plane_extent(plane, SIZE))
            .map(|(stride, rows)| (vec![0; stride * rows], stride))
            .collect();
        let canvas = planes.iter_mut().map(|(bytes, stride)| PlaneMut { bytes, stride: *stride }).collect();
        clip.paint(index, &mut Canvas::new(format, SIZE, Clip::COLORIMETRY, canvas)?)?;
        Ok(Self { format, size: SIZE, colorimetry: Clip::COLORIMETRY, planes, truth: clip.truth(index) })
    }

    fn read(folder: &Path, name: &str) -> Result<Self, Failure> {
        let picture = image::open(folder.join("images").join(format!("{name}.png")))?.into_rgb8();
        let mask = image::open(folder.join("masks").join(format!("{name}.png")))?.into_luma8();
        let size = Size::new(picture.width(), picture.height());
        let truth = mask.pixels().map(|pixel| pixel.0[0] > 127).collect();
        let planes = vec![(picture.into_raw(), 3 * size.width as usize)];
        Ok(Self { format: PixelFormat::Rgb, size, colorimetry: Colorimetry::RGB, planes, truth })
    }
}

/// What runs the network.
struct Network {
    engine: Box<dyn Engine>,
    memory: PromptMemory,
    preprocessor: Preprocessor,
    decoder: Decoder,
}

impl Network {
    fn open(folder: &Path) -> Result<Self, Failure> {
        let folder = EngineFolder::open(folder)?;
        let backend = BACKENDS.first().ok_or("there is no backend")?;
        Ok(Self {
            engine: (backend.open)(&folder, &Options::default())?,
            memory: folder.memory()?,
            preprocessor: Preprocessor::new(folder.manifest().input),
            decoder: Decoder::new(folder.manifest().temperature)?,
        })
    }

    fn mask(
        &mut self,
        frame: &FrameView<'_>,
        finder: &mut RoiFinder,
        index: u64,
    ) -> Result<Segmentation, Failure> {
        let side = self.preprocessor.spec().side_px as usize;
        let (mut image, mut logits) = (vec![0.0; 3 * side * side], Vec::new());
        let placement = self.preprocessor.run(frame, finder.source(frame), &mut image)?;
        self.engine.infer(&image, 1, &self.memory, &mut logits)?;
        Ok(self.decoder.decode(&logits, placement, FRAMERATE.time_of(index), index, None)?)
    }
}

/// What the masks came to with one share of smoothing.
#[derive(Clone, Copy, Default)]
struct Tally {
    frames: u64,
    dice: f64,
    pairs: u64,
    with_last: f64,
    changes: u64,
    seconds: f64,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(engine), Some(folder)) = (arguments.first(), arguments.get(1)) else {
        return Err("usage: stability ENGINE FOLDER [FRAMES]".into());
    };
    let (folder, mut network) = (Path::new(folder), Network::open(Path::new(engine))?);
    let frames = arguments.get(2).map_or(Ok(FRAMES), |count| count.parse())?;
    let mut tallies = [Tally::default(); SHARES.len()];
    if folder.join("pictures.csv").is_file() {
        for picture in Picture::read_folder(folder)? {
            let clip = Clip::new(&[picture], SIZE, FRAMERATE, frames)?;
            let each = (0..frames).map(|index| Frame::of_clip(&clip, index));
            follow(&mut network, each, &mut tallies)?;
        }
    } else {
        let list = std::fs::read_to_string(folder.join("meta.csv"))?;
        let names: Vec<(&str, &str)> = list
            .lines()
            .skip(1)
            .filter_map(|line| {
                let mut fields = line.split(',');
                fields.next().zip(fields.next())
            })
            .collect();
        for sequence in names.chunk_by(|a, b| a.1 == b.1) {
            let each = sequence.iter().map(|(name, _)| Frame::read(folder, name));
            follow(&mut network, each, &mut tallies)?;
        }
    }
    println!("smoothing  frames  Dice with the truth   pairs  Dice with the mask before   changes a second");
    for (share, tally) in SHARES.iter().zip(&tallies) {
        let Tally { frames, dice, pairs, with_last, changes, seconds } = *tally;
        println!(
            "{share:>9.1}{frames:>8}{:>21.4}{pairs:>8}{:>27.4}{:>19.3}",
            dice / frames as f64,
            with_last / pairs as f64,
            changes as f64 / seconds
        );
    }
    Ok(())
}

/// Plays a sequence, and adds what its masks came to.
fn follow(
    network: &mut Network,
    frames: impl Iterator<Item = Result<Frame, Failure>>,
    tallies: &mut [Tally],
) -> Result<(), Failure> {
    let (mut tracker, mut finder) = (Tracker::new(), RoiFinder::new(Roi::Auto));
    // Of each share: the mask of the last frame, and what was shown on it.
    let mut masks: Vec<Option<Arc<Segmentation>>> = vec![None; SHARES.len()];
    let mut shown: Vec<Option<Arc<Segmentation>>> = vec![None; SHARES.len()];
    let mut present: Vec<Option<bool>> = vec![None; SHARES.len()];
    for (index, frame) in (0_u64..).zip(frames) {
        let frame = frame?;
        let view = frame.view()?;
        let answer = network.mask(&view, &mut finder, index)?;
        let (pts, source) = (answer.pts, answer.placement.source);
        let known = tracker.see(&view, source, pts).is_ok();
        let truth = to_grid(&frame.truth, frame.size, &answer.placement);
        for (((share, tally), mask), (shown, present)) in
            SHARES.iter().zip(tallies.iter_mut()).zip(&mut masks).zip(shown.iter_mut().zip(&mut present))
        {
            let before = mask.take().filter(|_| known);
            let moved =
                before.as_deref().map(|mask| Ok::<_, Failure>(mask.moved(&tracker.since(mask.pts)?, None)?));
            let moved = moved.transpose()?;
            if let Some(moved) = &moved {
                let here = moved.segmentation();
                tally.frames += 1;
                tally.dice += dice(&here.probability, &truth);
                if let Some(last) = shown.as_deref()
                    && let Ok(motion) = tracker.since(last.pts)
                {
                    let last = last.moved(&motion, None)?;
                    tally.pairs += 1;
                    tally.with_last += dice(&here.probability, &last.segmentation().probability);
                }
                let is = here.probability.iter().filter(|p| **p > 127).count() as f64
                    >= PRESENT * here.probability.len() as f64;
                tally.changes += u64::from(present.replace(is).is_some_and(|was| was != is));
                tally.seconds += FRAMERATE.interval().as_secs_f64();
            } else {
                *present = None;
            }
            *shown = before.clone();
            let joined = moved.map(|moved| answer.joined(&moved, *share)).transpose();
            // Elsewhere in the frame: another region was found.
            *mask = Some(Arc::new(joined.ok().flatten().unwrap_or_else(|| answer.clone())));
        }
    }
    Ok(())
}

/// Dice of the cells at 50 % or more; 1 where there are none in either.
fn dice(a: &[u8], b: &[u8]) -> f64 {
    let (mut both, mut sum) = (0_u64, 0_u64);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (*a > 127, *b > 127);
        both += u64::from(a && b);
        sum += u64::from(a) + u64::from(b);
    }
    if sum == 0 { 1.0 } else { 2.0 * both as f64 / sum as f64 }
}
