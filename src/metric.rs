//! How good masks are, at the picture's own size: how they overlap with the truth, where their edges lie, which
//! lesions they find, what they claim where nothing is, and how far stated probabilities can be believed.
//!
//! With `P` the pixels whose probability is at least the threshold and `T` the true ones:
//!
//! | measure | what |
//! |---|---|
//! | `dice`, `iou` | `2 \|P and T\| / (\|P\| + \|T\|)` and `\|P and T\| / \|P or T\|`; the mean over pictures, or of all pixels together |
//! | `boundary_f` | the harmonic mean of the share of `P`'s boundary near `T`'s and of `T`'s near `P`'s; near is at most 0.75 % of the picture's diagonal, rounded up to whole pixels (after Perazzi et al., CVPR 2016, who take 0.8 %) |
//! | `sensitivity` | the share of lesions of whose pixels at least 30 % are in `P`. A lesion is a connected part of `T` (corners connect) of at least 0.02 % of the picture; smaller ones are specks of the drawing |
//! | `false_area` | the share of `P` in what is no lesion's surroundings. These reach a tenth of the lesion's box beyond it, across and down |
//! | `false_area_empty` | the same, of pictures without a lesion alone |
//! | `false_alarms` | the share of the pictures without a lesion in which `P` takes 0.1 % of the picture or more |
//! | `ece_image`, `ece_box` | the calibration error of all pixels, and of those in and around the lesions' box |
//! | `coverage_95` | the share of `T` inside the fitted 0.95 contour, which held 95 % on validation. Aim: 0.95 |
//! | `coverage_p05` | the share of `T` with a probability of 0.05 or more: inside a contour at that probability |
//! | `precision_p95` | the share of `T` in the pixels with a probability of 0.95 or more; of a calibrated network at least 0.95 |
//!
//! **Pictures without a lesion:** where both `P` and `T` are empty, Dice, IoU and boundary F are 1 (nothing was there
//! and nothing was claimed); where only `T` is empty they are 0. Both kinds count in the means over pictures. In the
//! pooled figures an empty truth adds its false pixels, if any. It has no box, so it adds nothing to `ece_box`.
//!
//! **Calibration error** (ECE): pixels are sorted into 15 equal bins by their probability of polyp; in each bin the
//! mean probability is compared with the share of true pixels; the absolute differences are averaged with the bins'
//! pixel counts as weights. This is of the probability of *polyp*, not of the winning class: a bin near 0 that is
//! wrong shows. Most pixels of a picture are certain mucosa, which makes `ece_image` small for any network;
//! `ece_box` looks only where there is something to doubt: inside the true pixels' bounding box, grown on each side by
//! a quarter of its width or height (rounded up) and clipped to the picture.
//!
//! **Coverage** has two readings, because a calibrated probability makes no promise of coverage: `coverage_p05` reads
//! the probability as it is, `coverage_95` takes a level that was fitted for it ([`LesionLevels`]).
//!
//! Not here: decoding logits ([`crate::decode`]), and the loss that a network learns by.

mod bootstrap;
mod contour;
mod measure;
mod place;
mod ratio;
mod shape;
mod sums;

use serde::Serialize;

use crate::frame::Size;

pub use bootstrap::{DRAWS, Interval, by_group, difference, differences, intervals, mean_interval};
pub use contour::LesionLevels;
pub use measure::{Aim, MEASURES, Measure, rounded};
pub use place::{to_grid, to_picture};
pub use ratio::{BINS, Bin, Reliability};
pub use shape::{Part, boundary, bounds, grown, parts};
pub use sums::{ALARM_SHARE, BOUNDARY_TOLERANCE, CONTOURS, FOUND_SHARE, Rules, SPECK_SHARE, Sums};

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

/// What a [`Score`] comes to, without intervals; [`MEASURES`] has the rest.
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

/// A running score of pictures.
#[derive(Clone, Debug, Default)]
pub struct Score {
    rules: Rules,
    pictures: Vec<Sums>,
}

impl Score {
    /// A score of no pictures, of masks at the probability 0.5.
    pub fn new() -> Self {
        Self::default()
    }

    /// A score of no pictures, by these rules.
    pub fn by(rules: Rules) -> Self {
        Self { rules, pictures: Vec::new() }
    }

    /// Adds one picture of `size`: its probabilities (0 to 1) and its truth, row by row. A refused picture leaves the score as
    /// it was.
    ///
    /// # Errors
    /// [`MetricError`] when the lengths do not fit the size or a probability is not from 0 to 1.
    pub fn add(&mut self, probability: &[f32], truth: &[bool], size: Size) -> Result<(), MetricError> {
        check(probability, truth, size)?;
        self.pictures.push(Sums::of(probability, truth, size, self.rules));
        Ok(())
    }

    /// The sums of every picture, in the order in which they were added.
    pub fn pictures(&self) -> &[Sums] {
        &self.pictures
    }

    /// What the pictures so far come to. All zero when there are none.
    pub fn finish(&self) -> Summary {
        let total = Sums::total(&self.pictures);
        let value = |name: &str, per: &str| {
            Measure::named(name, per).and_then(|measure| measure.of(&total)).unwrap_or_default()
        };
        Summary {
            dice_per_image: value("dice", "image"),
            dice_pooled: value("dice", "pooled"),
            iou_per_image: value("iou", "image"),
            iou_pooled: value("iou", "pooled"),
            ece_image: value("ece_image", "pooled"),
            ece_box: value("ece_box", "pooled"),
            count: self.pictures.len(),
            per_image: self.pictures.iter().filter_map(Sums::per_image).collect(),
        }
    }
}

/// The Dice of one picture at the probability 0.5, and nothing else: for those who have many frames to judge.
///
/// # Errors
/// As [`Score::add`].
pub fn dice(probability: &[f32], truth: &[bool], size: Size) -> Result<f64, MetricError> {
    check(probability, truth, size)?;
    let mut overlap = ratio::Overlap::default();
    for (probability, truth) in probability.iter().zip(truth) {
        overlap.count(*probability >= Rules::default().threshold, *truth);
    }
    Ok(overlap.ratios().0)
}

fn check(probability: &[f32], truth: &[bool], size: Size) -> Result<(), MetricError> {
    let expected = size.area();
    if probability.len() != expected || truth.len() != expected {
        let (probability, truth) = (probability.len(), truth.len());
        return Err(MetricError::Length { size, expected, probability, truth });
    }
    let wrong = |(_, probability): &(usize, &f32)| !(0.0..=1.0).contains(*probability);
    match probability.iter().enumerate().find(wrong) {
        Some((index, &found)) => Err(MetricError::Probability { index, found }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
