//! What is kept of a picture: sums from which every measure follows, so that measures of any set of pictures are
//! had by adding.
//!
//! Not here: the measures' names ([`super::MEASURES`]).

use super::ratio::{Overlap, Ratio, Reliability};
use super::shape::{Part, boundary, bounds, grown, holds, near, parts, surroundings};
use crate::frame::Size;

/// The distance that boundaries may be apart, as a share of the picture's diagonal.
pub const BOUNDARY_TOLERANCE: f64 = 0.0075;
/// The share of a lesion's pixels that a mask has to cover for the lesion to be found.
pub const FOUND_SHARE: f64 = 0.3;
/// Parts of the truth that are smaller than this share of the picture are specks of its drawing, not lesions.
pub const SPECK_SHARE: f64 = 0.0002;
/// The share of a picture without a polyp that a mask has to cover for it to be a false alarm.
pub const ALARM_SHARE: f64 = 0.001;
/// The outermost and the innermost contour: the probabilities at which they lie.
pub const CONTOURS: [f32; 2] = [0.05, 0.95];

/// How pictures are judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// A pixel belongs to the mask from this probability on.
    pub threshold: f32,
    /// The fitted 0.95 contour: the probability from which on 95 % of the lesions' pixels lay on validation, if it was
    /// fitted.
    pub contour_95: Option<f32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { threshold: 0.5, contour_95: None }
    }
}

/// The sums of one picture or of many. Their meaning stands with [`super::MEASURES`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    pub(super) pictures: u64,
    pub(super) overlap: Overlap,
    pub(super) image: Reliability,
    pub(super) boxed: Reliability,
    pub(super) dice: Ratio,
    pub(super) iou: Ratio,
    pub(super) boundary: Ratio,
    pub(super) lesions: Ratio,
    pub(super) false_area: Ratio,
    pub(super) false_area_empty: Ratio,
    pub(super) false_alarms: Ratio,
    pub(super) fitted: Ratio,
    pub(super) outer: Ratio,
    pub(super) inner: Ratio,
}

impl Sums {
    /// The sums of one picture, whose values are as many as `size` says and from 0 to 1.
    pub(super) fn of(probability: &[f32], truth: &[bool], size: Size, rules: Rules) -> Self {
        let lesions = parts(truth, size);
        let mask: Vec<bool> = probability.iter().map(|probability| *probability >= rules.threshold).collect();
        let mut sums = Self::default();
        sums.pixels(probability, &mask, truth, &surroundings(truth, &lesions, size), size, rules);
        let (dice, iou) = sums.overlap.ratios();
        (sums.pictures, sums.dice, sums.iou) = (1, Ratio::one(dice), Ratio::one(iou));
        sums.boundary = Ratio::one(boundary_f(&mask, truth, size));
        sums.lesions = found(&mask, &lesions, size);
        if lesions.is_empty() {
            let area = size.area() as f64;
            let alarm = sums.overlap.claimed > 0 && sums.overlap.claimed as f64 >= ALARM_SHARE * area;
            sums.false_alarms = Ratio::one(f64::from(u8::from(alarm)));
            sums.false_area_empty = sums.false_area;
        }
        sums
    }

    fn pixels(
        &mut self,
        probability: &[f32],
        mask: &[bool],
        truth: &[bool],
        around: &[bool],
        size: Size,
        rules: Rules,
    ) {
        let boxed = bounds(truth, size)
            .map(|rect| grown(rect, (rect.width.div_ceil(4), rect.height.div_ceil(4)), size));
        let width = (size.width as usize).max(1);
        let [outermost, innermost] = CONTOURS;
        let (mut free, mut wrong) = (0, 0);
        let (mut fitted, mut outer, mut inner, mut sure) = (0, 0, 0, 0);
        let pixels = probability.iter().zip(mask).zip(truth).zip(around).enumerate();
        for (place, (((&probability, &claimed), &truth), &around)) in pixels {
            self.overlap.count(claimed, truth);
            self.image.count(probability, truth);
            if boxed.is_some_and(|rect| holds(rect, (place % width) as u32, (place / width) as u32)) {
                self.boxed.count(probability, truth);
            }
            free += u64::from(!around);
            wrong += u64::from(!around && claimed);
            sure += u64::from(probability >= innermost);
            inner += u64::from(truth && probability >= innermost);
            outer += u64::from(truth && probability >= outermost);
            fitted += u64::from(truth && rules.contour_95.is_some_and(|from| probability >= from));
        }
        self.false_area = Ratio::of(wrong, free);
        self.inner = Ratio::of(inner, sure);
        self.outer = Ratio::of(outer, self.overlap.truth);
        if rules.contour_95.is_some() {
            self.fitted = Ratio::of(fitted, self.overlap.truth);
        }
    }

    /// Adds another picture's sums, or other pictures'.
    pub fn add(&mut self, other: &Self) {
        self.pictures += other.pictures;
        self.overlap.add(other.overlap);
        self.image.add(&other.image);
        self.boxed.add(&other.boxed);
        for (ratio, other) in [
            (&mut self.dice, other.dice),
            (&mut self.iou, other.iou),
            (&mut self.boundary, other.boundary),
            (&mut self.lesions, other.lesions),
            (&mut self.false_area, other.false_area),
            (&mut self.false_area_empty, other.false_area_empty),
            (&mut self.false_alarms, other.false_alarms),
            (&mut self.fitted, other.fitted),
            (&mut self.outer, other.outer),
            (&mut self.inner, other.inner),
        ] {
            ratio.add(other);
        }
    }

    /// The sums of all of these.
    pub fn total<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut total = Self::default();
        for sums in all {
            total.add(sums);
        }
        total
    }

    /// Pictures.
    pub fn pictures(&self) -> u64 {
        self.pictures
    }

    /// Mean over pictures of Dice and of IoU; none without pictures.
    pub fn per_image(&self) -> Option<(f64, f64)> {
        Some((self.dice.value()?, self.iou.value()?))
    }

    /// All pixels, sorted by their probability.
    pub fn image(&self) -> &Reliability {
        &self.image
    }

    /// Those in the lesions' box, grown by a quarter on each side.
    pub fn boxed(&self) -> &Reliability {
        &self.boxed
    }

    /// True pixels as a share of all; none without pixels.
    pub fn lesion_share(&self) -> Option<f64> {
        let pixels = self.image.bins().iter().map(|bin| bin.pixels).sum();
        Ratio::of(self.overlap.truth, pixels).value()
    }
}

/// How far boundaries may be apart in pictures of `size`, in whole pixels, rounded up.
fn tolerance_px(size: Size) -> u32 {
    (BOUNDARY_TOLERANCE * f64::from(size.width).hypot(f64::from(size.height))).ceil() as u32
}

/// The boundary F of one picture.
fn boundary_f(mask: &[bool], truth: &[bool], size: Size) -> f64 {
    let (mask, truth) = (boundary(mask, size), boundary(truth, size));
    if mask.is_empty() || truth.is_empty() {
        return if mask.is_empty() && truth.is_empty() { 1.0 } else { 0.0 };
    }
    let width = size.width as usize;
    let share = |points: &[(u32, u32)], of: &[(u32, u32)]| {
        let near = near(of, tolerance_px(size), size);
        let is = |&&(x, y): &&(u32, u32)| near.get(y as usize * width + x as usize) == Some(&true);
        points.iter().filter(is).count() as f64 / points.len() as f64
    };
    let (precision, recall) = (share(&mask, &truth), share(&truth, &mask));
    if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}

/// Lesions that are found, of those that are no specks.
fn found(mask: &[bool], lesions: &[Part], size: Size) -> Ratio {
    let smallest = SPECK_SHARE * size.area() as f64;
    let mut found = Ratio::default();
    for lesion in lesions.iter().filter(|lesion| lesion.pixels.len() as f64 >= smallest) {
        let covered = lesion.pixels.iter().filter(|place| mask.get(**place) == Some(&true)).count();
        let enough = covered as f64 >= FOUND_SHARE * lesion.pixels.len() as f64;
        found.add(Ratio::one(f64::from(u8::from(enough))));
    }
    found
}
