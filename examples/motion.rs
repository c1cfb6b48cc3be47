//! Whether moved masks lie better than held ones, on frames of real sequences with true masks.
//!
//! `cargo run --release -p polyp --no-default-features --example motion -- FOLDER`
//!
//! FOLDER has `meta.csv` (name, sequence, and what else), `images/NAME.png` and `masks/NAME.png` (white where a polyp is); frames of
//! a sequence follow each other in the list. The true mask of frame t - k stands for the network's, so that nothing but
//! time is wrong with it; it is held or moved to frame t, and compared with the true mask of that frame.
//!
//! Not here: how good a network's masks are.
#![expect(clippy::print_stdout, reason = "a tool says what it found")]

use std::path::Path;
use std::time::Duration;

use polyp::colour::to_yuv;
use polyp::frame::{Colorimetry, FrameView, Matrix, PixelFormat, Plane, Range, Rect, Size};
use polyp::input::{Fit, InputSpec, Normalisation};
use polyp::metric::{Score, Summary, to_grid, to_picture};
use polyp::motion::{Lost, Luma, Meter, Tracker};
use polyp::roi::{Roi, RoiFinder};
use polyp::segmentation::Segmentation;

type Failure = Box<dyn std::error::Error>;

const COLORIMETRY: Colorimetry = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };
const SPEC: InputSpec =
    InputSpec { side_px: 256, fit: Fit::Squash, normalisation: Normalisation::ZScorePerImage };
/// How many frames old masks become.
const AGES: usize = 4;
/// The frames' distance: they carry no times of their own.
const INTERVAL: Duration = Duration::from_millis(33);

/// A frame in luma and grey chroma, and its truth.
struct Frame {
    sequence: String,
    size: Size,
    luma: Vec<u8>,
    chroma: Vec<u8>,
    truth: Vec<bool>,
}

impl Frame {
    fn read(folder: &Path, name: &str, sequence: &str) -> Result<Self, Failure> {
        let picture = image::open(folder.join("images").join(format!("{name}.png")))?.into_rgb8();
        let mask = image::open(folder.join("masks").join(format!("{name}.png")))?.into_luma8();
        let size = Size::new(picture.width(), picture.height());
        if (mask.width(), mask.height()) != (size.width, size.height) {
            return Err(format!("{name}: the mask is not of the picture's size, {size}").into());
        }
        let luma = picture.pixels().map(|pixel| to_yuv(pixel.0, COLORIMETRY)[0]).collect();
        let (row_bytes, rows) = PixelFormat::Nv12.plane_extent(1, size);
        let truth = mask.pixels().map(|pixel| pixel.0[0] > 127).collect();
        Ok(Self { sequence: sequence.to_owned(), size, luma, chroma: vec![128; row_bytes * rows], truth })
    }

    fn view(&self) -> Result<FrameView<'_>, Failure> {
        let stride = self.size.width as usize;
        let planes = [
            Plane { bytes: &self.luma, stride },
            Plane { bytes: &self.chroma, stride: stride.next_multiple_of(2) },
        ];
        Ok(FrameView::new(PixelFormat::Nv12, self.size, COLORIMETRY, &planes)?)
    }
}

/// What masks of one age came to.
#[derive(Clone, Default)]
struct Tally {
    held: Score,
    moved: Score,
    /// Masks whose motion was lost, held all the same.
    lost: Score,
}

fn main() -> Result<(), Failure> {
    let folder = std::env::args_os().nth(1).ok_or("usage: motion FOLDER")?;
    let folder = Path::new(&folder);
    let list = std::fs::read_to_string(folder.join("meta.csv"))?;
    let mut frames = Vec::new();
    for line in list.lines().skip(1) {
        let mut fields = line.split(',');
        let (Some(name), Some(sequence)) = (fields.next(), fields.next()) else { continue };
        frames.push(Frame::read(folder, name, sequence)?);
    }
    let sequences: Vec<&[Frame]> = frames.chunk_by(|a, b| a.sequence == b.sequence).collect();
    ages(&sequences)?;
    borders(&sequences)
}

/// The tables by age.
fn ages(sequences: &[&[Frame]]) -> Result<(), Failure> {
    let mut all = vec![Tally::default(); AGES];
    let mut stable = (Score::new(), Score::new());
    let mut rows = Vec::new();
    for frames in sequences {
        let mut tallies = vec![Tally::default(); AGES];
        follow(frames, &mut tallies, &mut stable)?;
        follow(frames, &mut all, &mut (Score::new(), Score::new()))?;
        rows.push((frames.first().map(|frame| frame.sequence.clone()).unwrap_or_default(), tallies));
    }
    rows.push(("all".to_owned(), all));
    for age in 0..AGES {
        println!("masks {} frames old", age + 1);
        println!(
            "sequence  masks  moved   held Dice: mean pooled   moved: mean pooled   gain: mean   lost, held: mean"
        );
        for (name, tallies) in &rows {
            let Some(Tally { held, moved, lost }) = tallies.get(age) else { continue };
            let (held, moved, lost) = (held.finish(), moved.finish(), lost.finish());
            let Summary { dice_per_image: a, dice_pooled: b, count, .. } = held;
            let Summary { dice_per_image: c, dice_pooled: d, .. } = moved;
            println!(
                "{name:>8}{:>7}{count:>7}{a:>18.4}{b:>7.4}{c:>14.4}{d:>7.4}{:>+13.4}{:>19.4}",
                count + lost.count,
                c - a,
                lost.dice_per_image
            );
        }
    }
    let (held, moved) = (stable.0.finish(), stable.1.finish());
    println!(
        "masks of neighbouring frames (1 and 2 frames old) with each other, {} pairs: mean Dice {:.4} held, {:.4} moved",
        held.count, held.dice_per_image, moved.dice_per_image
    );
    Ok(())
}

/// Follows a sequence, and adds what its masks come to at every age. `stable`: masks one and two frames old, compared with each other.
fn follow(frames: &[Frame], tallies: &mut [Tally], stable: &mut (Score, Score)) -> Result<(), Failure> {
    let (mut tracker, mut finder) = (Tracker::new(), RoiFinder::new(Roi::Auto));
    let mut masks: Vec<Segmentation> = Vec::new();
    let mut source = None;
    for (index, frame) in frames.iter().enumerate() {
        let view = frame.view()?;
        let source = *source.get_or_insert_with(|| finder.source(&view));
        let pts = INTERVAL * u32::try_from(index)?;
        let _lost = tracker.see(&view, source, pts);
        let mut moved_masks = Vec::new();
        for (age, tally) in tallies.iter_mut().enumerate() {
            let Some(mask) = index.checked_sub(age + 1).and_then(|then| masks.get(then)) else { continue };
            let held = to_picture(mask, frame.size);
            match tracker.since(mask.pts) {
                Ok(motion) => {
                    let moved = to_picture(mask.moved(&motion, None)?.segmentation(), frame.size);
                    tally.held.add(&held, &frame.truth, frame.size)?;
                    tally.moved.add(&moved, &frame.truth, frame.size)?;
                    moved_masks.push((held, moved));
                }
                Err(_) => tally.lost.add(&held, &frame.truth, frame.size)?,
            }
        }
        if let [(held, moved), (held_before, moved_before), ..] = moved_masks.as_slice() {
            let yes = |mask: &[f32]| mask.iter().map(|p| *p >= 0.5).collect::<Vec<_>>();
            stable.0.add(held_before, &yes(held), frame.size)?;
            stable.1.add(moved_before, &yes(moved), frame.size)?;
        }
        let placement = SPEC.place(source);
        let probability = to_grid(&frame.truth, frame.size, &placement);
        masks.push(Segmentation { probability, placement, pts, sequence: index as u64 });
    }
    Ok(())
}

/// How many of the steps from each sequence's frames to each other sequence's are refused.
fn borders(sequences: &[&[Frame]]) -> Result<(), Failure> {
    let (mut refused, mut steps, mut why) = (0, 0, [0; 4]);
    let (mut meter, mut then, mut now) = (Meter::default(), Luma::default(), Luma::default());
    for (a, from) in sequences.iter().enumerate() {
        let Some(last) = from.last() else { continue };
        then.read(&last.view()?, Rect::whole(last.size))?;
        for (_, to) in sequences.iter().enumerate().filter(|(b, _)| *b != a) {
            for frame in to.iter().step_by(5) {
                now.read(&frame.view()?, Rect::whole(frame.size))?;
                steps += 1;
                let reason = match meter.measure(&then, &now) {
                    Ok(_) => continue,
                    Err(Lost::Featureless { .. }) => 0,
                    Err(Lost::Inconsistent { .. }) => 1,
                    Err(Lost::Cut { .. }) => 2,
                    Err(_) => 3,
                };
                refused += 1;
                if let Some(count) = why.get_mut(reason) {
                    *count += 1;
                }
            }
        }
    }
    println!(
        "from the last frame of a sequence to frames of others: {refused} of {steps} steps refused \
         (featureless, inconsistent, cut, other: {why:?})"
    );
    Ok(())
}
