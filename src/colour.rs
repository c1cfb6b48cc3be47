//! Luma and chroma to red, green and blue, and back, as a frame's [`Colorimetry`] says.
//!
//! With `Kr`, `Kb` from [`Matrix::kr_kb`](crate::frame::Matrix::kr_kb) and `Kg = 1 - Kr - Kb`, on 8-bit samples:
//!
//! ```text
//! full range:     y = Y / 255          u = (U - 128) / 255     v = (V - 128) / 255
//! limited range:  y = (Y - 16) / 219   u = (U - 128) / 224     v = (V - 128) / 224
//!
//! R = 255 (y + 2 (1 - Kr) v)
//! G = 255 (y - 2 (1 - Kb) Kb / Kg u - 2 (1 - Kr) Kr / Kg v)
//! B = 255 (y + 2 (1 - Kb) u)
//! ```
//!
//! [`to_rgb_exact`] and [`to_yuv`] are that, in f32, and are the specification. [`ToRgb`] is the same in 16-bit
//! integers for whole rows, at most one grey level away (tested for every combination of a fine lattice).
//!
//! Not here: resizing or subsampling chroma ([`crate::preprocess`], [`crate::overlay`]).

use crate::frame::{Colorimetry, Range};

/// The numbers of the formulas above, for one colorimetry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// Luma's black, in samples.
    pub offset: f32,
    /// Luma steps from black to white.
    pub luma_steps: f32,
    /// Chroma steps from end to end.
    pub chroma_steps: f32,
    /// How strongly V moves red.
    pub red_v: f32,
    /// How strongly U moves green, downwards.
    pub green_u: f32,
    /// How strongly V moves green, downwards.
    pub green_v: f32,
    /// How strongly U moves blue.
    pub blue_u: f32,
}

impl Coefficients {
    /// Those of a colorimetry.
    pub fn new(colorimetry: Colorimetry) -> Self {
        let (offset, luma_steps, chroma_steps) = match colorimetry.range {
            Range::Full => (0.0, 255.0, 255.0),
            Range::Limited => (16.0, 219.0, 224.0),
        };
        let (kr, kb) = colorimetry.matrix.kr_kb();
        let kg = 1.0 - kr - kb;
        let (red_v, blue_u) = (2.0 * (1.0 - kr), 2.0 * (1.0 - kb));
        let (green_u, green_v) = (blue_u * kb / kg, red_v * kr / kg);
        Self { offset, luma_steps, chroma_steps, red_v, green_u, green_v, blue_u }
    }
}

/// Red, green and blue (0 to 255, not rounded and not clipped) of one luma and chroma sample (0 to 255).
pub fn to_rgb_exact([luma, u, v]: [f32; 3], colorimetry: Colorimetry) -> [f32; 3] {
    let w = Coefficients::new(colorimetry);
    let y = (luma - w.offset) / w.luma_steps;
    let (u, v) = ((u - 128.0) / w.chroma_steps, (v - 128.0) / w.chroma_steps);
    [255.0 * (y + w.red_v * v), 255.0 * (y - w.green_u * u - w.green_v * v), 255.0 * (y + w.blue_u * u)]
}

/// Luma and chroma of one red, green and blue (0 to 255), rounded to the samples that a frame of that
/// colorimetry holds.
pub fn to_yuv(rgb: [u8; 3], colorimetry: Colorimetry) -> [u8; 3] {
    let (kr, kb) = colorimetry.matrix.kr_kb();
    let w = Coefficients::new(colorimetry);
    let [r, g, b] = rgb.map(|sample| f32::from(sample) / 255.0);
    let y = kr * r + (1.0 - kr - kb) * g + kb * b;
    let (u, v) = ((b - y) / w.blue_u, (r - y) / w.red_v);
    // `as` clips to 0 and 255.
    [y * w.luma_steps + w.offset, u * w.chroma_steps + 128.0, v * w.chroma_steps + 128.0]
        .map(|sample| sample.round() as u8)
}

/// Converts rows of luma and chroma to red, green and blue in integers.
#[derive(Clone, Copy, Debug)]
pub struct ToRgb {
    offset: i16,
    luma: i16,
    red_v: i16,
    green_u: i16,
    green_v: i16,
    blue_u: i16,
}

/// Samples are shifted up by this much and factors by [`FACTOR_BITS`], so that the upper halves of their
/// products carry [`FRACTION_BITS`] below the point.
const SAMPLE_BITS: u32 = 7;
const FACTOR_BITS: u32 = 13;
const FRACTION_BITS: u32 = SAMPLE_BITS + FACTOR_BITS - 16;
/// Half a grey level, and the mean of what three products lose by being cut off.
const ROUNDING: i16 = (1 << (FRACTION_BITS - 1)) + 1;

impl ToRgb {
    /// A converter for frames of that colorimetry.
    pub fn new(colorimetry: Colorimetry) -> Self {
        let w = Coefficients::new(colorimetry);
        // The largest factor, 2 (1 - Kb) 255 / 224, is 2.15: it stays under 4 = 2^15 / 2^13.
        let factor =
            |f: f32, steps: f32| (f * 255.0 / steps * f32::from(1_u16 << FACTOR_BITS)).round() as i16;
        Self {
            offset: w.offset as i16,
            luma: factor(1.0, w.luma_steps),
            red_v: factor(w.red_v, w.chroma_steps),
            green_u: factor(w.green_u, w.chroma_steps),
            green_v: factor(w.green_v, w.chroma_steps),
            blue_u: factor(w.blue_u, w.chroma_steps),
        }
    }

    /// One pixel.
    #[inline]
    pub fn pixel(&self, luma: u8, u: u8, v: u8) -> [u8; 3] {
        // The upper half of a 16-bit product is one instruction on every vector unit.
        let upper = |a: i16, b: i16| ((i32::from(a) * i32::from(b)) >> 16) as i16;
        let sample = |s: u8, offset: i16| (i16::from(s) - offset) << SAMPLE_BITS;
        let y = upper(sample(luma, self.offset), self.luma) + ROUNDING;
        let (u, v) = (sample(u, 128), sample(v, 128));
        let cut = |s: i16| (s >> FRACTION_BITS).clamp(0, 255) as u8;
        [
            cut(y + upper(v, self.red_v)),
            cut(y - upper(u, self.green_u) - upper(v, self.green_v)),
            cut(y + upper(u, self.blue_u)),
        ]
    }

    /// A row: as many pixels as the shortest of the slices has, into planes of red, green and blue.
    #[inline]
    pub fn row(&self, luma: &[u8], u: &[u8], v: &[u8], [red, green, blue]: [&mut [u8]; 3]) {
        let samples = luma.iter().zip(u).zip(v);
        for (((&luma, &u), &v), ((red, green), blue)) in samples.zip(red.iter_mut().zip(green).zip(blue)) {
            [*red, *green, *blue] = self.pixel(luma, u, v);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Matrix;

    fn every_colorimetry() -> impl Iterator<Item = Colorimetry> {
        [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020].into_iter().flat_map(|matrix| {
            [Range::Full, Range::Limited].into_iter().map(move |range| Colorimetry { matrix, range })
        })
    }

    #[test]
    fn white_and_black_are_where_the_standards_put_them() {
        let limited = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };
        assert_eq!(to_yuv([255, 255, 255], limited), [235, 128, 128]);
        assert_eq!(to_yuv([0, 0, 0], limited), [16, 128, 128]);
        // BT.709 colour bars, 100 %.
        assert_eq!(to_yuv([255, 0, 0], limited), [63, 102, 240]);
        assert_eq!(to_yuv([0, 255, 0], limited), [173, 42, 26]);
        assert_eq!(to_yuv([0, 0, 255], limited), [32, 240, 118]);
    }

    #[test]
    fn integers_stay_within_one_level_of_the_formula() {
        for colorimetry in every_colorimetry() {
            let fast = ToRgb::new(colorimetry);
            for y in 0..=255_u8 {
                for u in (0..=255_u8).step_by(3) {
                    for v in (0..=255_u8).step_by(5) {
                        let exact = to_rgb_exact([y, u, v].map(f32::from), colorimetry);
                        for (fast, exact) in fast.pixel(y, u, v).into_iter().zip(exact) {
                            let off = f32::from(fast) - exact.clamp(0.0, 255.0);
                            assert!(off.abs() <= 1.0, "{colorimetry:?} {y} {u} {v}: {fast} for {exact}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn there_and_back_is_the_same_colour() {
        for colorimetry in every_colorimetry() {
            let fast = ToRgb::new(colorimetry);
            for r in (0..=255_u8).step_by(17) {
                for g in (0..=255_u8).step_by(17) {
                    for b in (0..=255_u8).step_by(17) {
                        let [y, u, v] = to_yuv([r, g, b], colorimetry);
                        for (back, sent) in fast.pixel(y, u, v).into_iter().zip([r, g, b]) {
                            // Half a chroma step is worth up to 2.15 / 2 levels, luma half a level more.
                            assert!(back.abs_diff(sent) <= 3, "{colorimetry:?} {r} {g} {b}: {back}");
                        }
                    }
                }
            }
        }
    }
}
