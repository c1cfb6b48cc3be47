//! Pictures for tests: owned frames of every format, made from RGB.
//!
//! Not here: anything that ships.

use crate::colour::to_yuv;
use crate::frame::{Colorimetry, FrameView, PixelFormat, Plane, Size};

/// What stands between rows: whoever reads or writes it is caught.
pub(crate) const PADDING: u8 = 0xA5;

/// A frame with its bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Owned {
    format: PixelFormat,
    size: Size,
    colorimetry: Colorimetry,
    planes: Vec<(Vec<u8>, usize)>,
}

impl Owned {
    /// The picture `rgb` (`[height, width, 3]`) in another format, with `padding` bytes after every row.
    /// Halved chroma is the mean of the pixels that share it.
    pub(crate) fn of_rgb(
        rgb: &[u8],
        size: Size,
        format: PixelFormat,
        colorimetry: Colorimetry,
        padding: usize,
    ) -> Self {
        let mut planes: Vec<(Vec<u8>, usize)> = (0..format.planes())
            .map(|plane| {
                let (row_bytes, rows) = format.plane_extent(plane, size);
                let stride = row_bytes + padding;
                (vec![PADDING; stride * rows], stride)
            })
            .collect();
        let (width, height) = (size.width as usize, size.height as usize);
        let pixel = |x: usize, y: usize| {
            let at = 3 * (y.min(height - 1) * width + x.min(width - 1));
            [rgb[at], rgb[at + 1], rgb[at + 2]]
        };
        let chroma = |x: usize, y: usize, w: usize, h: usize| {
            let samples: Vec<[u8; 3]> = (y..(y + h).min(height))
                .flat_map(|y| (x..(x + w).min(width)).map(move |x| (x, y)))
                .map(|(x, y)| to_yuv(pixel(x, y), colorimetry))
                .collect();
            let mean = |channel: usize| {
                let sum: usize = samples.iter().map(|s| usize::from(s[channel])).sum();
                ((sum + samples.len() / 2) / samples.len()) as u8
            };
            (mean(1), mean(2))
        };
        let mut put = |plane: usize, y: usize, x: usize, value: u8| {
            let (bytes, stride) = &mut planes[plane];
            bytes[y * *stride + x] = value;
        };
        for y in 0..height {
            for x in 0..width {
                let [r, g, b] = pixel(x, y);
                let luma = to_yuv([r, g, b], colorimetry)[0];
                match format {
                    PixelFormat::I420 | PixelFormat::Nv12 => put(0, y, x, luma),
                    PixelFormat::Yuy2 => put(0, y, 2 * x, luma),
                    PixelFormat::Uyvy => put(0, y, 2 * x + 1, luma),
                    PixelFormat::Bgrx | PixelFormat::Bgra => {
                        [b, g, r, (x * 7 + y) as u8]
                            .into_iter()
                            .enumerate()
                            .for_each(|(i, s)| put(0, y, 4 * x + i, s));
                    }
                    PixelFormat::Rgba => {
                        [r, g, b, (x * 7 + y) as u8]
                            .into_iter()
                            .enumerate()
                            .for_each(|(i, s)| put(0, y, 4 * x + i, s));
                    }
                    PixelFormat::Rgb => {
                        [r, g, b].into_iter().enumerate().for_each(|(i, s)| put(0, y, 3 * x + i, s))
                    }
                }
            }
        }
        for y in 0..height {
            for x in (0..width).step_by(2) {
                match format {
                    PixelFormat::I420 if y % 2 == 0 => {
                        let (u, v) = chroma(x, y, 2, 2);
                        put(1, y / 2, x / 2, u);
                        put(2, y / 2, x / 2, v);
                    }
                    PixelFormat::Nv12 if y % 2 == 0 => {
                        let (u, v) = chroma(x, y, 2, 2);
                        put(1, y / 2, x, u);
                        put(1, y / 2, x + 1, v);
                    }
                    PixelFormat::Yuy2 => {
                        let (u, v) = chroma(x, y, 2, 1);
                        put(0, y, 2 * x + 1, u);
                        put(0, y, 2 * x + 3, v);
                    }
                    PixelFormat::Uyvy => {
                        let (u, v) = chroma(x, y, 2, 1);
                        put(0, y, 2 * x, u);
                        put(0, y, 2 * x + 2, v);
                    }
                    _ => {}
                }
            }
        }
        Self { format, size, colorimetry, planes }
    }

    /// To read.
    pub(crate) fn view(&self) -> FrameView<'_> {
        let planes: Vec<Plane<'_>> =
            self.planes.iter().map(|(bytes, stride)| Plane { bytes, stride: *stride }).collect();
        FrameView::new(self.format, self.size, self.colorimetry, &planes).unwrap()
    }
}

/// A picture without hard edges, in the colours of mucosa, `[height, width, 3]`.
pub(crate) fn smooth(size: Size) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(3 * size.area());
    for y in 0..size.height {
        for x in 0..size.width {
            let (x, y) = (x as f32, y as f32);
            let wave = (x * 0.05).sin() + (y * 0.043 + x * 0.01).cos();
            rgb.extend(
                [
                    170.0 + 35.0 * wave,
                    90.0 + 25.0 * (wave + (y * 0.06).sin()),
                    80.0 + 20.0 * (x * 0.04).cos(),
                ]
                .map(|sample| sample as u8),
            );
        }
    }
    rgb
}
