//! `polyp_shrink` in Rust, operation by operation, so that its bytes must be the same; and a plain formula in f64, which
//! says that both are right.

use polyp::colour::{Coefficients, to_rgb_exact};
use polyp::frame::{Colorimetry, PixelFormat, Rect, Size};
use polyp::input::Placement;
use polyp_engine::cuda::arguments::SourceFormat;

/// A frame of random bytes.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) format: SourceFormat,
    pub(crate) size: Size,
    pub(crate) colorimetry: Colorimetry,
    /// Bytes and stride.
    pub(crate) planes: Vec<(Vec<u8>, usize)>,
}

impl Frame {
    /// Sample (x, y) of a component, 0 to 255; the plane's own coordinates.
    fn at(&self, component: usize, x: usize, y: usize) -> f32 {
        let byte = |plane: usize, place: usize| {
            let (bytes, stride) = &self.planes[plane];
            f32::from(bytes[y * stride + place])
        };
        match self.format {
            SourceFormat::Frame(PixelFormat::I420) => byte(component, x),
            SourceFormat::Frame(PixelFormat::Nv12) => match component {
                0 => byte(0, x),
                _ => byte(1, 2 * x + component - 1),
            },
            SourceFormat::Frame(PixelFormat::Yuy2) => byte(0, [2 * x, 4 * x + 1, 4 * x + 3][component]),
            SourceFormat::Frame(PixelFormat::Uyvy) => byte(0, [2 * x + 1, 4 * x, 4 * x + 2][component]),
            SourceFormat::Frame(PixelFormat::Bgrx | PixelFormat::Bgra) => byte(0, 4 * x + 2 - component),
            SourceFormat::Frame(PixelFormat::Rgba) => byte(0, 4 * x + component),
            SourceFormat::Frame(PixelFormat::Rgb) => byte(0, 3 * x + component),
            SourceFormat::V210 => {
                // U Y V Y, one after another, three to a word.
                let index = [2 * x + 1, 4 * x, 4 * x + 2][component];
                let word: Vec<u8> = (0..4).map(|i| byte(0, index / 3 * 4 + i) as u8).collect();
                let word = u32::from_le_bytes(word.try_into().unwrap());
                ((word >> (10 * (index % 3))) & 1023) as f32 * 0.25
            }
        }
    }

    fn is_yuv(&self) -> bool {
        matches!(self.format, SourceFormat::V210)
            || matches!(self.format, SourceFormat::Frame(f) if f.is_yuv())
    }

    /// How far a component is halved across and down, as shifts.
    fn shifts(&self, component: usize) -> (u32, u32) {
        match (component, self.format) {
            (0, _) => (0, 0),
            (_, SourceFormat::Frame(PixelFormat::I420 | PixelFormat::Nv12)) => (1, 1),
            _ if self.is_yuv() => (1, 0),
            _ => (0, 0),
        }
    }
}

/// One axis of a component: first sample, samples there are, start and length of what is meant.
fn span(start: u32, length: u32, shift: u32) -> (usize, usize, f32, f32) {
    let (first, scale) = (start >> shift, (1_u32 << shift) as f32);
    let end = (start + length).div_ceil(1 << shift);
    (first as usize, (end - first) as usize, start as f32 / scale - first as f32, length as f32 / scale)
}

/// The samples that count at an output place, with their weights.
fn taps((_, read, start, length): (usize, usize, f32, f32), place: u32, places: u32) -> Vec<(usize, f32)> {
    let scale = length / places as f32;
    let radius = if scale > 1.0 { scale } else { 1.0 };
    let centre = start + (place as f32 + 0.5) * scale;
    let (from, to) = ((centre - radius) as i32, (centre + radius) as i32);
    (from.max(0)..=to.min(read as i32 - 1))
        .map(|sample| {
            let weight = 1.0 - (sample as f32 + 0.5 - centre).abs() / radius;
            (sample as usize, if weight > 0.0 { weight } else { 0.0 })
        })
        .collect()
}

fn shrunk(frame: &Frame, source: Rect, target: Size, component: usize, column: u32, row: u32) -> f32 {
    let (shift_x, shift_y) = frame.shifts(component);
    let (across, down) = (span(source.x, source.width, shift_x), span(source.y, source.height, shift_y));
    let (fx, fy) = (taps(across, column, target.width), taps(down, row, target.height));
    let (mut total, mut weights) = (0.0_f32, 0.0_f32);
    for (y, wy) in fy {
        let (mut along, mut along_weights) = (0.0_f32, 0.0_f32);
        for (x, wx) in &fx {
            along += wx * frame.at(component, across.0 + x, down.0 + y);
            along_weights += wx;
        }
        total += wy * (along / along_weights);
        weights += wy;
    }
    total / weights
}

/// The small picture `[3, side, side]`, black outside of the target.
pub(crate) fn shrink(frame: &Frame, placement: Placement) -> Vec<u8> {
    let (target, side) = (placement.target, placement.side_px as usize);
    let mut rgb = vec![0; 3 * side * side];
    let size = Size::new(target.width, target.height);
    let c = Coefficients::new(frame.colorimetry);
    for row in 0..target.height {
        for column in 0..target.width {
            let [a, b, d] = [0, 1, 2].map(|i| shrunk(frame, placement.source, size, i, column, row));
            let values = if frame.is_yuv() {
                let luma = (a - c.offset) / c.luma_steps;
                let (u, v) = ((b - 128.0) / c.chroma_steps, (d - 128.0) / c.chroma_steps);
                [
                    255.0 * (luma + c.red_v * v),
                    255.0 * (luma - c.green_u * u - c.green_v * v),
                    255.0 * (luma + c.blue_u * u),
                ]
            } else {
                [a, b, d]
            };
            let place = (target.y + row) as usize * side + (target.x + column) as usize;
            for (channel, value) in values.into_iter().enumerate() {
                rgb[channel * side * side + place] = (value.clamp(0.0, 255.0) + 0.5) as u8;
            }
        }
    }
    rgb
}

/// The same by the formula, in f64 and not rounded, at one place of the target.
pub(crate) fn formula(frame: &Frame, placement: Placement, column: u32, row: u32) -> [f64; 3] {
    let source = placement.source;
    let axis = |start: u32, length: u32, shift: u32, place: u32, places: u32| -> Vec<(usize, f64)> {
        let scale = f64::from(1_u32 << shift);
        let (from, length) = (f64::from(start) / scale, f64::from(length) / scale);
        let step = length / f64::from(places);
        let centre = from + (f64::from(place) + 0.5) * step;
        let samples = (start >> shift)..(start + (length * scale) as u32).div_ceil(1 << shift);
        let raw: Vec<(usize, f64)> = samples
            .map(|sample| {
                let away = (f64::from(sample) + 0.5 - centre).abs();
                (sample as usize, (1.0 - away / step.max(1.0)).max(0.0))
            })
            .collect();
        let sum: f64 = raw.iter().map(|(_, weight)| weight).sum();
        raw.into_iter().map(|(sample, weight)| (sample, weight / sum)).collect()
    };
    let values = [0, 1, 2].map(|component| {
        let (shift_x, shift_y) = frame.shifts(component);
        let across = axis(source.x, source.width, shift_x, column, placement.target.width);
        let down = axis(source.y, source.height, shift_y, row, placement.target.height);
        let mut sum = 0.0;
        for (y, wy) in &down {
            for (x, wx) in across.iter().filter(|(_, weight)| *weight > 0.0) {
                sum += if *wy > 0.0 { wx * wy * f64::from(frame.at(component, *x, *y)) } else { 0.0 };
            }
        }
        sum
    });
    let rgb = if frame.is_yuv() {
        to_rgb_exact(values.map(|value| value as f32), frame.colorimetry).map(f64::from)
    } else {
        values
    };
    rgb.map(|value| value.clamp(0.0, 255.0))
}
