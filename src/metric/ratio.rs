//! The parts that measures are made of: shares, overlaps and sorted probabilities. Each can be added up over
//! pictures.
//!
//! Not here: which pixels are counted ([`super::Sums`]).

/// So much of so much: a share of pixels, or a sum of figures and how many they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Ratio {
    pub(super) part: f64,
    pub(super) whole: f64,
}

impl Ratio {
    /// One figure.
    pub(super) fn one(value: f64) -> Self {
        Self { part: value, whole: 1.0 }
    }

    /// Counts of pixels.
    pub(super) fn of(part: u64, whole: u64) -> Self {
        Self { part: part as f64, whole: whole as f64 }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.part += other.part;
        self.whole += other.whole;
    }

    /// Part by whole; none where there is no whole.
    pub(super) fn value(self) -> Option<f64> {
        (self.whole > 0.0).then(|| self.part / self.whole)
    }
}

/// Pixels that are claimed, true, and both.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Overlap {
    pub(super) claimed: u64,
    pub(super) truth: u64,
    pub(super) both: u64,
}

impl Overlap {
    pub(super) fn count(&mut self, claimed: bool, truth: bool) {
        self.claimed += u64::from(claimed);
        self.truth += u64::from(truth);
        self.both += u64::from(claimed && truth);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.claimed += other.claimed;
        self.truth += other.truth;
        self.both += other.both;
    }

    /// Dice and IoU; 1 where nothing is claimed and nothing true.
    pub(super) fn ratios(self) -> (f64, f64) {
        let sum = self.claimed + self.truth;
        if sum == 0 {
            return (1.0, 1.0);
        }
        let both = self.both as f64;
        (2.0 * both / sum as f64, both / (sum - self.both) as f64)
    }
}

/// Bins of the calibration error.
pub const BINS: usize = 15;

/// Pixels sorted by their probability of polyp into [`BINS`] equal bins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reliability {
    bins: [Bin; BINS],
}

/// The pixels of one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// How many.
    pub pixels: u64,
    /// The sum of their probabilities.
    pub probability: f64,
    /// How many of them are polyp.
    pub truth: u64,
}

impl Bin {
    /// Their mean probability and the share that is polyp; none where there are no pixels.
    pub fn point(&self) -> Option<(f64, f64)> {
        let pixels = self.pixels as f64;
        (self.pixels > 0).then(|| (self.probability / pixels, self.truth as f64 / pixels))
    }
}

impl Reliability {
    pub(super) fn count(&mut self, probability: f32, truth: bool) {
        let bin = ((probability * BINS as f32) as usize).min(BINS - 1);
        if let Some(bin) = self.bins.get_mut(bin) {
            bin.pixels += 1;
            bin.probability += f64::from(probability);
            bin.truth += u64::from(truth);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.pixels += other.pixels;
            bin.probability += other.probability;
            bin.truth += other.truth;
        }
    }

    /// The bins, from the least probable.
    pub fn bins(&self) -> &[Bin; BINS] {
        &self.bins
    }

    /// The calibration error; none where there are no pixels.
    pub fn error(&self) -> Option<f64> {
        let pixels: u64 = self.bins.iter().map(|bin| bin.pixels).sum();
        let off: f64 = self.bins.iter().map(|bin| (bin.probability - bin.truth as f64).abs()).sum();
        (pixels > 0).then(|| off / pixels as f64)
    }
}
