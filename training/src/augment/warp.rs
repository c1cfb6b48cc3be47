//! One affine resample of a picture and its mask.
//!
//! The picture is first squashed to the scale that it will have (`polyp::preprocess`, antialiased), then
//! sampled bilinearly at about one pixel per pixel; the mask is sampled from its own pixels, bilinear above
//! one half.

use polyp::frame::Size;

use super::Sample;
use crate::TrainingError;
use crate::data::{Picture, Squash};

/// From a place in the sample to the place in the picture that is seen there; both axes from -1 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Map {
    /// Row by row: x' = m[0] x + m[1] y + m[2], y' = m[3] x + m[4] y + m[5].
    m: [f32; 6],
    /// How much larger than squashed things are in the sample.
    pub(super) zoom: f32,
}

impl Map {
    pub(super) const IDENTITY: Self = Self { m: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], zoom: 1.0 };

    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        let [a, b, c, d, e, f] = self.m;
        (a * x + b * y + c, d * x + e * y + f)
    }

    pub(super) fn then_scale(self, x: f32, y: f32) -> Self {
        let [a, b, c, d, e, f] = self.m;
        Self { m: [x * a, x * b, x * c, y * d, y * e, y * f], ..self }
    }

    pub(super) fn then_shear(self, tangent: f32) -> Self {
        let [a, b, c, d, e, f] = self.m;
        Self { m: [a + tangent * d, b + tangent * e, c + tangent * f, d, e, f], ..self }
    }

    pub(super) fn then_rotate(self, angle: f32) -> Self {
        let ([a, b, c, d, e, f], (sin, cos)) = (self.m, angle.sin_cos());
        Self {
            m: [
                cos * a - sin * d,
                cos * b - sin * e,
                cos * c - sin * f,
                sin * a + cos * d,
                sin * b + cos * e,
                sin * c + cos * f,
            ],
            ..self
        }
    }

    pub(super) fn then_shift(self, x: f32, y: f32) -> Self {
        let [a, b, c, d, e, f] = self.m;
        Self { m: [a, b, c + x, d, e, f + y], ..self }
    }

    /// Whether that place of the picture lies in the sample.
    pub(super) fn shows(&self, (x, y): (f32, f32)) -> bool {
        let [a, b, c, d, e, f] = self.m;
        let determinant = a * e - b * d;
        let (x, y) = (x - c, y - f);
        let (u, v) = ((e * x - b * y) / determinant, (a * y - d * x) / determinant);
        u.abs() < 1.0 && v.abs() < 1.0
    }
}

/// What is seen where there is no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Border {
    /// Nothing.
    Black,
    /// The picture reflected, and its mask with it.
    Reflect,
}

/// Writes what `map` shows of `picture` to `sample`.
pub(super) fn warp(
    picture: &Picture,
    map: &Map,
    border: Border,
    sample: &mut Sample<'_>,
) -> Result<(), TrainingError> {
    if *map == Map::IDENTITY {
        return Squash::new(sample.side).run(picture, sample.rgb, sample.mask);
    }
    // Enlarging is left to the sampling: twice bilinear would be softer than any endoscope.
    let longest = picture.size.width.max(picture.size.height) as usize;
    let small = ((sample.side as f32 * map.zoom).round() as usize).min(longest.max(sample.side)).max(8);
    let mut rgb = vec![0; 3 * small * small];
    Squash::new(small).picture(picture, &mut rgb)?;
    let side = u32::try_from(small).unwrap_or(u32::MAX);
    let scaled = Grid { values: &rgb, size: Size::new(side, side), border };
    let mask = Grid { values: &picture.mask, size: picture.size, border };
    let step = 2.0 / sample.side as f32;
    let rows = sample.rgb.chunks_exact_mut(3 * sample.side).zip(sample.mask.chunks_exact_mut(sample.side));
    for (row, (rgb_row, mask_row)) in rows.enumerate() {
        let v = (row as f32 + 0.5) * step - 1.0;
        let (pixels, _) = rgb_row.as_chunks_mut::<3>();
        for (column, (pixel, mask_value)) in pixels.iter_mut().zip(mask_row).enumerate() {
            let (x, y) = map.at((column as f32 + 0.5) * step - 1.0, v);
            *pixel = scaled.at::<3>(x, y).map(|value| (value + 0.5) as u8);
            let [value] = mask.at::<1>(x, y);
            *mask_value = u8::from(value > 0.5);
        }
    }
    Ok(())
}

/// Samples on a grid, seen at places from -1 to 1.
struct Grid<'a> {
    values: &'a [u8],
    size: Size,
    border: Border,
}

impl Grid<'_> {
    fn at<const N: usize>(&self, x: f32, y: f32) -> [f32; N] {
        let (width, height) = (self.size.width as i32, self.size.height as i32);
        let x = (x + 1.0) * 0.5 * width as f32 - 0.5;
        let y = (y + 1.0) * 0.5 * height as f32 - 0.5;
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let (left, top) = (left as i32, top as i32);
        let weights = [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy];
        let mut sum = [0.0; N];
        if left >= 0 && top >= 0 && left + 1 < width && top + 1 < height {
            let first = N * (top * width + left) as usize;
            let second = first + N * width as usize;
            let (Some(upper), Some(lower)) =
                (self.values.get(first..first + 2 * N), self.values.get(second..second + 2 * N))
            else {
                return sum;
            };
            for (channel, sum) in sum.iter_mut().enumerate() {
                let value = |row: &[u8], place: usize| f32::from(row[channel + place]);
                *sum = weights[0] * value(upper, 0)
                    + weights[1] * value(upper, N)
                    + weights[2] * value(lower, 0)
                    + weights[3] * value(lower, N);
            }
            return sum;
        }
        for (corner, weight) in weights.into_iter().enumerate() {
            let (column, row) = (left + (corner as i32 & 1), top + (corner as i32 >> 1));
            let (Some(column), Some(row)) = (self.place(column, width), self.place(row, height)) else {
                continue;
            };
            let first = N * (row * width + column) as usize;
            for (sum, value) in sum.iter_mut().zip(self.values.get(first..first + N).unwrap_or(&[])) {
                *sum += weight * f32::from(*value);
            }
        }
        sum
    }

    /// Where on an axis of that length a place is taken from.
    fn place(&self, place: i32, length: i32) -> Option<i32> {
        match self.border {
            _ if (0..length).contains(&place) => Some(place),
            Border::Black => None,
            Border::Reflect => {
                let place = place.rem_euclid(2 * length);
                Some(place.min(2 * length - 1 - place))
            }
        }
    }
}
