//! How good masks are: Dice and IoU, per picture and pooled, and the calibration error, at the picture's own
//! size.
//!
//! With `P` the pixels whose probability is at least the threshold and `T` the true ones:
//!
//! ```text
//! Dice = 2 |P and T| / (|P| + |T|)        IoU = |P and T| / |P or T|
//! ```
//!
//! **Pictures without a polyp:** where both `P` and `T` are empty, Dice and IoU are 1 (nothing was there and nothing was
//! claimed); where only `T` is empty they are 0 by the formula. Both kinds count in the means over pictures. In the
//! pooled figures an empty truth adds its false pixels, if any. It has no box, so it adds nothing to `ece_box`.
//!
//! **Calibration error** (ECE): pixels are sorted into 15 equal bins by their probability of polyp; in each bin the
//! mean probability is compared with the share of true pixels; the absolute differences are averaged with the bins'
//! pixel counts as weights. This is of the probability of *polyp*, not of the winning class: a bin near 0 that is
//! wrong shows. Most pixels of a picture are certain mucosa, which makes `ece_image` small for any network;
//! `ece_box` looks only where there is something to doubt: inside the true pixels' bounding box, grown on each side by
//! a quarter of its width or height and clipped to the picture.
//!
//! Not here: decoding logits ([`crate::decode`]), and the loss that a network learns by.

use serde::Serialize;

use crate::frame::{Rect, Size};
use crate::segmentation::Segmentation;

/// Why a picture can not be scored.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// The probabilities or the truth are not as many as the picture has pixels.
    #[error(
        "picture of {size}: expected {expected} values, found {probability} probabilities and {truth} truths"
    )]
    Length {
        /// The picture's size.
        size: Size,
        /// Its pixels.
        expected: usize,
        /// Probabilities given.
        probability: usize,
        /// Truth values given.
        truth: usize,
    },
    /// A probability is not one.
    #[error("probability {index}: expected a number from 0 to 1, found {found}")]
    Probability {
        /// Its place in the picture, row by row.
        index: usize,
        /// What it is.
        found: f32,
    },
}

/// What a [`Score`] comes to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Mean over pictures of each picture's Dice, 0 to 1.
    pub dice_per_image: f64,
    /// Dice of all pictures' pixels taken together, 0 to 1.
    pub dice_pooled: f64,
    /// Mean over pictures of each picture's intersection over union, 0 to 1.
    pub iou_per_image: f64,
    /// Intersection over union of all pictures' pixels taken together, 0 to 1.
    pub iou_pooled: f64,
    /// Expected calibration error over all pixels, 0 to 1.
    pub ece_image: f64,
    /// Expected calibration error over the pixels in and around the polyps' boxes, 0 to 1.
    pub ece_box: f64,
    /// Pictures.
    pub count: usize,
    /// Dice and intersection over union of every picture, in the order in which they were added.
    pub per_image: Vec<(f64, f64)>,
}

/// Bins of the calibration error.
const BINS: usize = 15;

/// Pixels sorted by their probability.
#[derive(Clone, Debug, Default)]
struct Reliability {
    bins: [Bin; BINS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    pixels: u64,
    probability: f64,
    truth: u64,
}

impl Reliability {
    fn add(&mut self, probability: f32, truth: bool) {
        let bin = ((probability * BINS as f32) as usize).min(BINS - 1);
        if let Some(bin) = self.bins.get_mut(bin) {
            bin.pixels += 1;
            bin.probability += f64::from(probability);
            bin.truth += u64::from(truth);
        }
    }

    /// The calibration error; 0 where there are no pixels.
    fn error(&self) -> f64 {
        let pixels: u64 = self.bins.iter().map(|bin| bin.pixels).sum();
        let off: f64 = self.bins.iter().map(|bin| (bin.probability - bin.truth as f64).abs()).sum();
        off / pixels.max(1) as f64
    }
}

/// Pixels that are claimed, true, and both.
#[derive(Clone, Copy, Debug, Default)]
struct Overlap {
    claimed: u64,
    truth: u64,
    both: u64,
}

impl Overlap {
    /// Dice and IoU; 1 where nothing is claimed and nothing true.
    fn ratios(self) -> (f64, f64) {
        let sum = self.claimed + self.truth;
        if sum == 0 {
            return (1.0, 1.0);
        }
        let both = self.both as f64;
        (2.0 * both / sum as f64, both / (sum - self.both) as f64)
    }
}

/// A running score of pictures.
#[derive(Clone, Debug)]
pub struct Score {
    threshold: f32,
    pooled: Overlap,
    image: Reliability,
    boxed: Reliability,
    per_image: Vec<(f64, f64)>,
}

impl Default for Score {
    fn default() -> Self {
        Self::new()
    }
}

impl Score {
    /// A score of no pictures, of masks at the probability 0.5.
    pub fn new() -> Self {
        Self::at(0.5)
    }

    /// A score of no pictures, of masks at the probability `threshold`.
    pub fn at(threshold: f32) -> Self {
        let (image, boxed) = (Reliability::default(), Reliability::default());
        Self { threshold, pooled: Overlap::default(), image, boxed, per_image: Vec::new() }
    }

    /// Adds one picture of `size`: its probabilities (0 to 1) and its truth, row by row. A refused picture leaves the score as
    /// it was.
    ///
    /// # Errors
    /// [`MetricError`] when the lengths do not fit the size or a probability is not from 0 to 1.
    pub fn add(&mut self, probability: &[f32], truth: &[bool], size: Size) -> Result<(), MetricError> {
        let expected = size.area();
        if probability.len() != expected || truth.len() != expected {
            let (probability, truth) = (probability.len(), truth.len());
            return Err(MetricError::Length { size, expected, probability, truth });
        }
        if let Some((index, &found)) =
            probability.iter().enumerate().find(|(_, probability)| !(0.0..=1.0).contains(*probability))
        {
            return Err(MetricError::Probability { index, found });
        }
        let around = bounds(truth, size).map(|bounds| grown(bounds, size));
        let width = (size.width as usize).max(1);
        let mut overlap = Overlap::default();
        for (y, (row, truths)) in (0_u32..).zip(probability.chunks(width).zip(truth.chunks(width))) {
            for (x, (&probability, &truth)) in (0_u32..).zip(row.iter().zip(truths)) {
                let claimed = probability >= self.threshold;
                overlap.claimed += u64::from(claimed);
                overlap.truth += u64::from(truth);
                overlap.both += u64::from(claimed && truth);
                self.image.add(probability, truth);
                if around.is_some_and(|rect| holds(rect, x, y)) {
                    self.boxed.add(probability, truth);
                }
            }
        }
        self.pooled.claimed += overlap.claimed;
        self.pooled.truth += overlap.truth;
        self.pooled.both += overlap.both;
        self.per_image.push(overlap.ratios());
        Ok(())
    }

    /// What the pictures so far come to. All zero when there are none.
    pub fn finish(&self) -> Summary {
        let count = self.per_image.len();
        if count == 0 {
            return Summary::default();
        }
        let mean = |pick: fn(&(f64, f64)) -> f64| self.per_image.iter().map(pick).sum::<f64>() / count as f64;
        let (dice_pooled, iou_pooled) = self.pooled.ratios();
        Summary {
            dice_per_image: mean(|ratios| ratios.0),
            dice_pooled,
            iou_per_image: mean(|ratios| ratios.1),
            iou_pooled,
            ece_image: self.image.error(),
            ece_box: self.boxed.error(),
            count,
            per_image: self.per_image.clone(),
        }
    }
}

fn holds(rect: Rect, x: u32, y: u32) -> bool {
    (rect.x..rect.x + rect.width).contains(&x) && (rect.y..rect.y + rect.height).contains(&y)
}

/// The smallest rectangle around the true pixels, if there are any.
fn bounds(truth: &[bool], size: Size) -> Option<Rect> {
    let mut found: Option<(u32, u32, u32, u32)> = None;
    for (y, row) in (0_u32..).zip(truth.chunks((size.width as usize).max(1))) {
        let (first, last) = (row.iter().position(|t| *t), row.iter().rposition(|t| *t));
        let (Some(first), Some(last)) = (first, last) else { continue };
        let (first, last) = (first as u32, last as u32);
        let (left, right, top, _) = found.unwrap_or((first, last, y, y));
        found = Some((left.min(first), right.max(last), top, y));
    }
    found.map(|(left, right, top, bottom)| Rect {
        x: left,
        y: top,
        width: right - left + 1,
        height: bottom - top + 1,
    })
}

/// `rect`, grown on each side by a quarter of its width or height (rounded up) and clipped to `size`.
fn grown(rect: Rect, size: Size) -> Rect {
    let (by_x, by_y) = (rect.width.div_ceil(4), rect.height.div_ceil(4));
    let (x, y) = (rect.x.saturating_sub(by_x), rect.y.saturating_sub(by_y));
    let right = (rect.x + rect.width + by_x).min(size.width);
    let bottom = (rect.y + rect.height + by_y).min(size.height);
    Rect { x, y, width: right - x, height: bottom - y }
}

/// The segmentation's probability (0 to 1) at the centre of every pixel of a frame of `size`, row by row:
/// bilinear between the cells' centres, and 0 outside of the part of the frame that was segmented.
pub fn to_picture(segmentation: &Segmentation, size: Size) -> Vec<f32> {
    let mut picture = vec![0.0; size.area()];
    let placement = segmentation.placement;
    let (source, target, side) = (placement.source, placement.target, segmentation.side());
    // The two cells between which a place lies, and how far it is from the first; never outside of `target`.
    let between = |place: f32, first: u32, length: u32| {
        let last = first + length.max(1) - 1;
        let place = (place - 0.5).clamp(first as f32, last as f32);
        (place as usize, (place as usize + 1).min(last as usize), place.fract())
    };
    let columns: Vec<_> = (source.x..(source.x + source.width).min(size.width))
        .map(|x| between(placement.to_input(x as f32 + 0.5, 0.0).0, target.x, target.width))
        .collect();
    let width = (size.width as usize).max(1);
    let inside = |y: &u32| (source.y..source.y + source.height).contains(y);
    for (y, row) in (0_u32..).zip(picture.chunks_mut(width)).filter(|(y, _)| inside(y)) {
        let (above, below, down) =
            between(placement.to_input(0.0, y as f32 + 0.5).1, target.y, target.height);
        let cell = |row: usize, column: usize| {
            f32::from(segmentation.probability.get(row * side + column).copied().unwrap_or(0)) / 255.0
        };
        for (pixel, (left, right, across)) in row.iter_mut().skip(source.x as usize).zip(&columns) {
            let upper = cell(above, *left) * (1.0 - across) + cell(above, *right) * across;
            let lower = cell(below, *left) * (1.0 - across) + cell(below, *right) * across;
            *pixel = upper * (1.0 - down) + lower * down;
        }
    }
    picture
}

#[cfg(test)]
mod tests;
