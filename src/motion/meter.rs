//! The motion between two small luma planes, or why there is none to be had.

use super::Lost;
use super::affine::Affine;
use super::fit::{Vector, fit};
use super::luma::Luma;
use super::refine::refine;
use super::search::Field;
use super::texture::BLOCK;
use crate::simd::{Work, widest};

/// At least so many blocks have to have something to hold on to, and to agree with the motion.
const LEAST_BLOCKS: usize = 12;
/// At least this share of the blocks that could be found again has to agree with the motion. Of other scenes at most a
/// twentieth did, by chance, and frames of one scene of which a tenth did were followed rightly (`examples/motion.rs`).
const LEAST_QUALITY: f32 = 0.12;
/// A step back may be off by so many cells, across or down.
const BACK: i16 = 1;
/// How far the plane's middle and its corners may move, as a share of its longer side: further is out of the search's
/// reach, or nothing that an endoscope does in the time of a frame.
const FURTHEST: f32 = 0.18;
/// How much lengths may change between two frames, as a factor less 1.
const STRETCH: f32 = 0.2;
/// The mean difference that is left after the motion, as a share of the mean difference of the plane from its own mean.
const LEFT: f32 = 0.5;

/// What was measured between two planes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// From places in the earlier frame to places in the later one, in frame pixels (centres at +0.5).
    pub map: Affine,
    /// The share of the blocks with something to hold on to that agree with the map, 0 to 1.
    pub quality: f32,
    /// The mean difference that the map leaves, as a share of the picture's own contrast (the mean difference of its cells
    /// from their mean).
    pub left: f32,
}

/// Measures motion, with memory that is used again.
#[derive(Debug, Default)]
pub struct Meter {
    forward: Field,
    backward: Field,
    vectors: Vec<Vector>,
}

/// A motion to be measured.
struct Measuring<'a> {
    meter: &'a mut Meter,
    then: &'a Luma,
    now: &'a Luma,
}

impl Work for Measuring<'_> {
    type Output = Result<Measured, Lost>;

    #[inline(always)]
    fn run(self) -> Self::Output {
        self.meter.measured(self.then, self.now)
    }
}

impl Meter {
    /// The motion from `then` to `now`.
    ///
    /// # Errors
    /// [`Lost`], which says why the one is not known to go over into the other by a motion.
    pub fn measure(&mut self, then: &Luma, now: &Luma) -> Result<Measured, Lost> {
        widest(Measuring { meter: self, then, now })
    }

    #[inline(always)]
    fn measured(&mut self, then: &Luma, now: &Luma) -> Result<Measured, Lost> {
        let unit = then.to_frame().filter(|_| then.source() == now.source()).ok_or(Lost::Region)?;
        self.forward.search(then, now);
        self.backward.search(now, then);
        let blocks = self.find(then, now);
        if blocks < LEAST_BLOCKS {
            return Err(Lost::Featureless { blocks });
        }
        let inconsistent = |consistent| Lost::Inconsistent { consistent, blocks };
        let fit = fit(&self.vectors).ok_or(inconsistent(0))?;
        let quality = fit.consistent as f32 / blocks as f32;
        if quality < LEAST_QUALITY || fit.consistent < LEAST_BLOCKS {
            return Err(inconsistent(fit.consistent));
        }
        if !plausible(&fit.map, then.size()) {
            return Err(Lost::Implausible);
        }
        let left = left(then, now, &fit.map);
        if left > LEFT {
            return Err(Lost::Cut { left });
        }
        let map = fit.map.in_unit(&unit).ok_or(Lost::Implausible)?;
        Ok(Measured { map, quality, left })
    }

    /// Fills `vectors` with the blocks whose way there and back ends where it began, and gives the number of blocks that
    /// could have been found.
    #[inline(always)]
    fn find(&mut self, then: &Luma, now: &Luma) -> usize {
        let Self { forward, backward, vectors, .. } = self;
        vectors.clear();
        let layout = forward.layout();
        let (columns, rows) = layout.blocks();
        let mut blocks = 0;
        for (column, row) in (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row))) {
            let Some(step) = forward.step(column, row) else { continue };
            let (x, y) = layout.place(column, row);
            let to = (x as i32 + i32::from(step[0]), y as i32 + i32::from(step[1]));
            // Blocks that leave the plane are no fault of the motion.
            let Some((to_column, to_row)) = layout.nearest(to.0, to.1) else { continue };
            blocks += 1;
            let Some(back) = backward.step(to_column, to_row) else { continue };
            if (step[0] + back[0]).abs() > BACK || (step[1] + back[1]).abs() > BACK {
                continue;
            }
            let texture = then.texture(column, row);
            if let Some(moved) = refine(then.full(), (x, y), &texture, now.full(), step) {
                let half = BLOCK as f32 / 2.0;
                vectors.push(Vector { at: [x as f32 + half, y as f32 + half], moved });
            }
        }
        blocks
    }
}

/// Whether an endoscope can have moved so between two frames of a plane of so many cells.
fn plausible(map: &Affine, (width, height): (usize, usize)) -> bool {
    let (width, height) = (width as f32, height as f32);
    let furthest = FURTHEST * width.max(height);
    let corners = [[0.0, 0.0], [width, 0.0], [0.0, height], [width, height], [width / 2.0, height / 2.0]];
    let [[a, b], [c, d]] = map.matrix;
    corners.iter().all(|at| {
        let to = map.apply(*at);
        (to[0] - at[0]).hypot(to[1] - at[1]) < furthest
    }) && [a - 1.0, b, c, d - 1.0].iter().all(|value| value.abs() < STRETCH)
}

/// The mean difference at half size that `map` leaves, brightness evened out, as a share of the plane's contrast.
#[inline(always)]
fn left(then: &Luma, now: &Luma, map: &Affine) -> f32 {
    let (of, within) = (then.half(), now.half());
    let half = Affine::scaled([0.5, 0.5], [0.0, 0.0]);
    let Some(map) = map.in_unit(&half) else { return f32::INFINITY };
    // The nearest cell will do at half size; every other cell of every other row too.
    let pairs = || {
        (0..of.height).step_by(2).flat_map(move |y| (0..of.width).step_by(2).map(move |x| (x, y))).filter_map(
            move |(x, y)| {
                let [to_x, to_y] = map.apply([x as f32 + 0.5, y as f32 + 0.5]);
                if to_x < 0.0 || to_y < 0.0 || to_x as usize >= within.width {
                    return None;
                }
                let seen = within.values.get(to_y as usize * within.width + to_x as usize)?;
                Some((f32::from(*of.values.get(y * of.width + x)?), f32::from(*seen)))
            },
        )
    };
    let (mut sums, mut count) = ([0.0; 2], 0.0_f32);
    for (a, b) in pairs() {
        sums = [sums[0] + a, sums[1] + b];
        count += 1.0;
    }
    let means = sums.map(|sum| sum / count.max(1.0));
    let (mut left, mut contrast) = (0.0, 0.0);
    for (a, b) in pairs() {
        let (a, b) = (a - means[0], b - means[1]);
        left += (a - b).abs();
        contrast += a.abs() + b.abs();
    }
    2.0 * left / f32::max(contrast, 1.0)
}
