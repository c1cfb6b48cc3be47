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

mod moving;

use std::path::Path;
use std::sync::Arc;

use polyp::clip::Picture;
use polyp::metric::to_grid;
use polyp::motion::Tracker;
use polyp::roi::{Roi, RoiFinder};
use polyp::segmentation::Segmentation;

use moving::{FRAMERATE, FRAMES, Failure, Frame, Network, animated};

const SHARES: [f32; 5] = [0.0, 0.2, 0.4, 0.6, 0.8];
/// Cells at 50 % or more from which there counts as a polyp, as a share of all.
const PRESENT: f64 = 0.001;

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
            follow(&mut network, animated(picture, frames)?, &mut tallies)?;
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
