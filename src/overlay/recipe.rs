//! A style in numbers: which levels get a line, and which areas a tint. Styles are recipes; [`super::drawing`]
//! follows them, and so can whoever paints frames that are not in this machine's memory.

use super::Style;
use super::field::Sample;
use super::grid::Kind;
use super::measures::from_middle;
use super::pen::{Pen, samples};
use super::settings::{Settings, scaled};
use super::sheet::LAYERS;
use crate::frame::{Colorimetry, PixelFormat, Size};
use crate::segmentation::Shown;
use crate::simd::LANES;

/// A line along one level of probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    /// The probability, 0 to 1.
    pub level: f32,
    /// Half of its width, in frame pixels.
    pub half_px: f32,
    /// How firmly it is drawn, 0 to 1.
    pub strength: f32,
}

/// An area that is tinted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Tint {
    /// None.
    #[default]
    None,
    /// Where the probability is at least `level`.
    Inside {
        /// The probability, 0 to 1.
        level: f32,
        /// How firmly, 0 to 1.
        strength: f32,
    },
    /// Where the probability lies between two levels: hatched, the more firmly the more doubt there is (binary
    /// entropy).
    Doubt {
        /// The lower probability, 0 to 1.
        low: f32,
        /// The higher one.
        high: f32,
        /// How firmly at full doubt, 0 to 1.
        strength: f32,
    },
}

/// What a style paints on one frame, in three layers: the tint, on it the seam, on that the lines. Of lines of one
/// layer the firmest counts at every pixel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recipe {
    /// Lines, in any order.
    pub strokes: Vec<Stroke>,
    /// The dark seam under one of them.
    pub seam: Option<Stroke>,
    /// The area under the lines.
    pub tint: Tint,
    /// The probabilities, as bytes, at which something changes: rising. [`Recipe::renew`] works them out.
    pub stops: Vec<u8>,
}

/// No line is thinner than this, in frame pixels.
const LEAST_LINE_PX: f32 = 1.2;
/// How far the seam goes beyond the line on either side, in pixels of a frame 1080 pixels high, and how firm it
/// is.
const SEAM_PX: f32 = 1.2;
const SEAM_STRENGTH: f32 = 0.6;

/// How far from a level any style paints anything, in frame pixels: the main line with its seam, of which no other line is wider.
pub(super) fn furthest_px(settings: &Settings, size: Size) -> f32 {
    edge_px(settings, size) + seam_px(size) + 0.5
}

/// Half of the main line's width, in frame pixels.
fn edge_px(settings: &Settings, size: Size) -> f32 {
    scaled(settings.line_px, size).max(LEAST_LINE_PX) / 2.0
}

fn seam_px(size: Size) -> f32 {
    scaled(SEAM_PX, size).max(0.5)
}

/// How firmly a mask of that age is drawn, 0 to 1: still readable at its limit, and less than any fresh one.
pub(super) fn firmness(shown: &Shown<'_>) -> f32 {
    0.5 + 0.5 * shown.freshness()
}

impl Recipe {
    /// Makes it what `style` paints for `shown` on a frame of `size`; its memory is used again.
    pub fn renew(&mut self, style: &dyn Style, shown: &Shown<'_>, settings: &Settings, size: Size) {
        self.strokes.clear();
        self.seam = None;
        self.tint = Tint::None;
        style.describe(shown, settings, size, self);
        self.finish();
    }

    /// Adds the main line: the mask's edge with its seam.
    pub(super) fn edge(&mut self, shown: &Shown<'_>, settings: &Settings, size: Size) {
        let (level, strength) = (settings.threshold, firmness(shown));
        let half_px = edge_px(settings, size);
        self.strokes.push(Stroke { level, half_px, strength });
        let strength = strength * SEAM_STRENGTH;
        self.seam = Some(Stroke { level, half_px: half_px + seam_px(size), strength });
    }

    /// Works out the stops.
    fn finish(&mut self) {
        let Self { strokes, seam, tint, stops } = self;
        stops.clear();
        stops.extend(strokes.iter().chain(seam.iter()).map(|stroke| stop(stroke.level)));
        match tint {
            Tint::None => {}
            Tint::Inside { level, .. } => stops.push(stop(*level)),
            Tint::Doubt { low, high, .. } => stops.extend([stop(*low), stop(*high)]),
        }
        stops.sort_unstable();
        stops.dedup();
    }

    /// What is painted where `passed` stops are passed, away from any of them.
    pub fn between(&self, passed: u8) -> Kind {
        let up_to = |level: f32| self.stops.iter().filter(|s| **s <= stop(level)).count();
        let passed = usize::from(passed);
        match self.tint {
            Tint::Inside { level, .. } if passed >= up_to(level) => Kind::Solid,
            Tint::Doubt { low, high, .. } if passed >= up_to(low) && passed < up_to(high) => Kind::Field,
            _ => Kind::Empty,
        }
    }

    /// How far from its level anything is painted, in frame pixels.
    pub(super) fn reach_px(&self) -> f32 {
        self.strokes.iter().chain(&self.seam).map(|stroke| stroke.half_px).fold(0.0, f32::max) + 0.5
    }

    /// The pens of the layers that are used: tint, seam, lines.
    pub(super) fn pens(&self) -> [Option<Pen>; LAYERS] {
        let tint = match self.tint {
            Tint::None => None,
            Tint::Inside { .. } => Some(Pen::AREA),
            Tint::Doubt { .. } => Some(Pen::DOUBT),
        };
        [tint, self.seam.map(|_| Pen::SEAM), (!self.strokes.is_empty()).then_some(Pen::LINE)]
    }

    /// The layers' colours as a frame of that format and colorimetry holds them: Y, U, V or red, green, blue. A layer
    /// without anything has no colour.
    pub fn colours(&self, format: PixelFormat, colorimetry: Colorimetry) -> [Option<[u8; 3]>; LAYERS] {
        samples(self.pens(), format, colorimetry)
    }

    /// The tint's coverage, 0 to 255, where it is the same all over ([`Kind::Solid`]).
    pub fn solid(&self) -> u8 {
        match self.tint {
            Tint::Inside { strength, .. } => byte(strength * 255.0),
            _ => 0,
        }
    }

    /// Works out how much of the pixels of `sample` the layers cover; `stripes` are the hatching there.
    #[inline(always)]
    pub(super) fn shade(
        &self,
        sample: &Sample,
        stripes: &[f32; LANES],
        [tint, seam, line]: [&mut [u8; LANES]; LAYERS],
    ) {
        let pixels = sample.p.iter().zip(&sample.run);
        match self.tint {
            Tint::None => {}
            Tint::Inside { level, strength } => {
                for (out, (p, run)) in tint.iter_mut().zip(pixels) {
                    *out = byte(unit((p - level) * run + 0.5) * strength * 255.0);
                }
            }
            Tint::Doubt { low, high, strength } => {
                for ((out, stripe), (p, run)) in tint.iter_mut().zip(stripes).zip(pixels) {
                    let inside = unit((p - low) * run + 0.5) * unit((high - p) * run + 0.5);
                    *out = byte(inside * doubt(*p) * stripe * strength * 255.0);
                }
            }
        }
        if let Some(stroke) = self.seam {
            trace(stroke, sample, seam);
        }
        for stroke in &self.strokes {
            trace(*stroke, sample, line);
        }
    }
}

/// Adds a line to a layer.
#[inline(always)]
fn trace(stroke: Stroke, sample: &Sample, out: &mut [u8; LANES]) {
    let (edge, full) = (stroke.half_px + 0.5, stroke.strength * 255.0);
    let pixels = sample.p.iter().zip(&sample.run).zip(&sample.weight);
    for (out, ((p, run), weight)) in out.iter_mut().zip(pixels) {
        let distance = (p - stroke.level).abs() * run;
        *out = (*out).max(byte(unit(edge - distance) * weight * full));
    }
}

/// The stripes of doubt, worked out once for all frames of a size.
#[derive(Debug, Default)]
pub(super) struct Hatching {
    /// One row, longer than the frame is wide by its period and [`LANES`].
    stripes: Vec<f32>,
    period: u32,
}

impl Hatching {
    /// Makes it fit rows of `width` pixels, with that period in pixels.
    pub(super) fn fit(&mut self, width: u32, period: u32) {
        if self.period == period && self.stripes.len() == (width + period) as usize + LANES {
            return;
        }
        self.period = period;
        self.stripes.clear();
        // A faint ground, so that the band is one area, and firm stripes with soft edges.
        self.stripes.extend(
            (0..width + period + LANES as u32)
                .map(|x| 0.35 + 0.65 * unit(period as f32 / 4.0 - from_middle(x, period) + 0.5)),
        );
    }

    /// Row `y` from column `x` on.
    pub(super) fn row(&self, x: usize, y: usize) -> &[[f32; LANES]] {
        self.stripes.get(x + y % (self.period.max(1) as usize)..).unwrap_or_default().as_chunks().0
    }
}

/// Binary entropy in bits, to within 0.01 (tested against [`crate::decode::uncertainty`]), without a logarithm or a root:
/// (4 p (1 - p)) ^ 3/4, as x times x ^ -1/4.
#[inline(always)]
fn doubt(p: f32) -> f32 {
    let x = 4.0 * p * (1.0 - p);
    // A quarter of the exponent, turned round, is near; one step of Newton's method brings it to within 0.5 %.
    let near = f32::from_bits(0x4F58_CAE5_u32.wrapping_sub(x.to_bits() >> 2));
    let square = near * near;
    x * near * (1.25 - 0.25 * x * square * square)
}

/// One divided by the root of `x`, which is above 0, to within 5 millionths: roots and divisions take many times as long
/// as the two steps of Newton's method here.
#[inline(always)]
pub(super) fn inverse_root(x: f32) -> f32 {
    // Half of the exponent, turned round, is near.
    let near = f32::from_bits(0x5F37_59DF_u32.wrapping_sub(x.to_bits() >> 1));
    let half = 0.5 * x;
    let nearer = near * (1.5 - half * near * near);
    nearer * (1.5 - half * nearer * nearer)
}

/// The smallest byte that is at least the probability `level`.
pub(super) fn stop(level: f32) -> u8 {
    (level * 255.0).ceil() as u8
}

/// Clipped to 0 to 1; written so that it is two vector instructions.
#[inline(always)]
pub(super) fn unit(x: f32) -> f32 {
    let x = if x > 0.0 { x } else { 0.0 };
    if x < 1.0 { x } else { 1.0 }
}

/// The byte nearest to a number from 0 to 255: adding 2^23 leaves it in the lowest bits.
#[inline(always)]
fn byte(x: f32) -> u8 {
    (x + 8_388_608.0).to_bits() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_rounded() {
        for i in 0..=25_500 {
            let x = i as f32 / 100.0;
            assert!((f32::from(byte(x)) - x).abs() <= 0.500_01, "{x}");
        }
        assert_eq!((unit(-1.0), unit(0.25), unit(7.0), unit(f32::NAN)), (0.0, 0.25, 1.0, 0.0));
    }

    #[test]
    fn inverse_roots_are_near_enough() {
        for exponent in -60..=20 {
            for step in 0..64 {
                let x = (1.0 + step as f32 / 64.0) * 2_f32.powi(exponent);
                let off = (inverse_root(x) * x.sqrt() - 1.0).abs();
                assert!(off < 6e-6, "{x}: {off}");
            }
        }
    }

    #[test]
    fn doubt_is_the_entropy() {
        for p in 0..=255_u8 {
            let off = doubt(f32::from(p) / 255.0) - crate::decode::uncertainty(p);
            assert!(off.abs() < 0.01, "{p}: {off}");
        }
    }

    #[test]
    fn only_gaps_with_something_to_paint_are_visited() {
        let stroke = |level| Stroke { level, half_px: 1.0, strength: 1.0 };
        let mut recipe = Recipe { strokes: vec![stroke(0.5)], ..Recipe::default() };
        recipe.finish();
        assert_eq!(recipe.stops, [128]);
        assert_eq!([0, 1].map(|passed| recipe.between(passed)), [Kind::Empty, Kind::Empty]);
        recipe.tint = Tint::Inside { level: 0.5, strength: 0.3 };
        assert_eq!([0, 1].map(|passed| recipe.between(passed)), [Kind::Empty, Kind::Solid]);
        recipe.tint = Tint::Doubt { low: 0.25, high: 0.95, strength: 0.3 };
        recipe.finish();
        assert_eq!(recipe.stops, [64, 128, 243]);
        let kinds = [0, 1, 2, 3].map(|passed| recipe.between(passed));
        assert_eq!(kinds, [Kind::Empty, Kind::Field, Kind::Field, Kind::Empty]);
    }
}
