//! The proof: true masks of moving real pictures, one to four frames old at 30 frames a second, held and moved.

use std::path::Path;

use super::*;
use crate::clip::{Clip, Picture};
use crate::config::Framerate;
use crate::frame::{Canvas, PlaneMut};
use crate::input::{Fit, InputSpec, Normalisation};
use crate::metric::{dice, to_grid, to_picture};
use crate::segmentation::Segmentation;

const FRAME: Size = Size::new(960, 540);
const RATE: Framerate = Framerate { numerator: 30, denominator: 1 };
const SPEC: InputSpec =
    InputSpec { side_px: 256, fit: Fit::Squash, normalisation: Normalisation::ZScorePerImage };
const DWELL: u64 = 60;
/// Frames of each still that masks are moved to: 1.5 s apart, where the motion is another.
const AT: [u64; 2] = [8, 53];
const AGES: u64 = 4;

fn clip() -> Clip {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kvasir-seg");
    Clip::new(&Picture::read_folder(&folder).unwrap(), FRAME, RATE, DWELL).unwrap()
}

fn paint(clip: &Clip, index: u64) -> Grey {
    let (mut luma, mut chroma) = (vec![0; FRAME.area()], vec![0; FRAME.area() / 2]);
    let stride = FRAME.width as usize;
    let planes = vec![PlaneMut { bytes: &mut luma, stride }, PlaneMut { bytes: &mut chroma, stride }];
    let mut canvas = Canvas::new(PixelFormat::Nv12, FRAME, Clip::COLORIMETRY, planes).unwrap();
    clip.paint(index, &mut canvas).unwrap();
    Grey { size: FRAME, luma, chroma }
}

fn mask(clip: &Clip, index: u64) -> Segmentation {
    let placement = SPEC.place(clip.window());
    let probability = to_grid(&clip.truth(index), FRAME, &placement);
    Segmentation { probability, placement, pts: RATE.time_of(index), sequence: index }
}

#[test]
fn moved_masks_lie_better_than_held_ones_at_every_age() {
    let clip = clip();
    // Sums of Dice: held and moved, for every age.
    let (mut sums, mut count) = ([[0.0; 2]; AGES as usize], 0.0);
    for (still, at) in (0..clip.pictures() as u64).flat_map(|still| AT.map(|at| (still, at))) {
        let last = still * DWELL + at;
        let mut tracker = Tracker::new();
        for index in last - AGES..=last {
            let seen = tracker.see(&paint(&clip, index).view(), clip.window(), RATE.time_of(index));
            assert_eq!(seen, Ok(()), "still {still}, frame {index}");
        }
        let truth = clip.truth(last);
        let score = |mask: &Segmentation| dice(&to_picture(mask, FRAME), &truth, FRAME).unwrap();
        count += 1.0;
        for (age, sum) in (1..).zip(&mut sums) {
            let held = mask(&clip, last - age);
            let motion = tracker.since(held.pts).unwrap();
            let moved = held.moved(&motion, None).unwrap();
            let shown = moved.shown_on(RATE.time_of(last), Duration::from_secs(1)).unwrap();
            assert!(shown.is_moved() && shown.age() == RATE.time_of(last) - RATE.time_of(last - age));
            sum[0] += score(&held);
            sum[1] += score(shown.segmentation());
        }
    }
    println!("age, ms   Dice held   Dice moved   ({count} masks for each age)");
    for (age, [held, moved]) in (1..).zip(sums) {
        println!("{:>7.0} {:>11.4} {:>12.4}", age as f64 * 1e3 / 30.0, held / count, moved / count);
        assert!(moved > held, "{age} frames old: {moved} moved, {held} held");
        assert!(moved / count > 0.98, "{age} frames old: {}", moved / count);
    }
}

#[test]
fn from_one_still_to_the_next_is_a_cut() {
    let clip = clip();
    let mut kept = Vec::new();
    let planes: Vec<Luma> = (0..clip.pictures() as u64)
        .map(|still| {
            let mut luma = Luma::default();
            luma.read(&paint(&clip, still * DWELL + 30).view(), clip.window()).unwrap();
            luma
        })
        .collect();
    for (a, then) in planes.iter().enumerate() {
        for (b, now) in planes.iter().enumerate().filter(|(b, _)| *b != a) {
            if let Ok(measured) = Meter::default().measure(then, now) {
                kept.push((a, b, measured));
            }
        }
    }
    assert!(kept.is_empty(), "{kept:?}");
}
