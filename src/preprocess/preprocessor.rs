//! The whole way, with the memory that it needs.

use fast_image_resize::pixels::{U8, U8x2, U8x3, U8x4};

use super::PreprocessError;
use super::normalise::normalise_planes;
use super::resize::{Part, Shrinker};
use crate::colour::ToRgb;
use crate::frame::{FrameView, PixelFormat, Plane, Rect, Size};
use crate::input::{InputSpec, Placement};

/// Makes inputs of frames, with memory of its own that is used again for every frame.
#[derive(Debug)]
pub struct Preprocessor {
    spec: InputSpec,
    shrinker: Shrinker,
    /// The small picture's planes, as they came.
    small: [Vec<u8>; 3],
    /// The small picture, `[3, side_px, side_px]`; black outside of the placement's target.
    rgb: Vec<u8>,
    /// The part of `rgb` that is filled.
    filled: Option<Rect>,
}

impl Preprocessor {
    /// A preprocessor for the inputs of `spec`.
    pub fn new(spec: InputSpec) -> Self {
        let side = spec.side_px as usize;
        Self {
            spec,
            shrinker: Shrinker::default(),
            small: [const { Vec::new() }; 3],
            rgb: vec![0; 3 * side * side],
            filled: None,
        }
    }

    /// What it makes.
    pub fn spec(&self) -> &InputSpec {
        &self.spec
    }

    /// Reads the part `source` of `frame` and writes the input, `[3, side_px, side_px]` in the order red,
    /// green, blue, to `out`. Gives back where the input lies in the frame.
    ///
    /// # Errors
    /// [`PreprocessError`] when `out` has the wrong length or `source` is not inside the frame.
    pub fn run(
        &mut self,
        frame: &FrameView<'_>,
        source: Rect,
        out: &mut [f32],
    ) -> Result<Placement, PreprocessError> {
        self.check_length(out.len())?;
        let placement = self.read(frame, source)?;
        normalise_planes(&self.rgb, &self.spec, placement.target, out);
        Ok(placement)
    }

    /// Reads the part `source` of `frame` and writes the 8-bit picture before normalisation,
    /// `[side_px, side_px, 3]`, to `out`. [`Self::run`] is this and [`super::normalise`].
    ///
    /// # Errors
    /// [`PreprocessError`] when `out` has the wrong length or `source` is not inside the frame.
    pub fn resize_rgb(
        &mut self,
        frame: &FrameView<'_>,
        source: Rect,
        out: &mut [u8],
    ) -> Result<Placement, PreprocessError> {
        self.check_length(out.len())?;
        let placement = self.read(frame, source)?;
        let area = (self.rgb.len() / 3).max(1);
        for (index, plane) in self.rgb.chunks_exact(area).enumerate() {
            for (out, sample) in out.iter_mut().skip(index).step_by(3).zip(plane) {
                *out = *sample;
            }
        }
        Ok(placement)
    }

    fn check_length(&self, found: usize) -> Result<(), PreprocessError> {
        let expected = self.rgb.len();
        if found != expected {
            return Err(PreprocessError::Length { side_px: self.spec.side_px, expected, found });
        }
        Ok(())
    }

    /// Fills `self.rgb`.
    fn read(&mut self, frame: &FrameView<'_>, source: Rect) -> Result<Placement, PreprocessError> {
        if !source.fits(frame.size()) {
            return Err(PreprocessError::Source { rect: source, size: frame.size() });
        }
        let placement = self.spec.place(source);
        let target = placement.target;
        if self.filled.is_some_and(|filled| filled != target) {
            self.rgb.fill(0);
        }
        self.filled = Some(target);
        self.shrink(frame, source, Size::new(target.width, target.height))?;
        self.convert(frame, target);
        Ok(placement)
    }

    /// Makes the frame's planes small, into `self.small`.
    fn shrink(&mut self, frame: &FrameView<'_>, source: Rect, size: Size) -> Result<(), PreprocessError> {
        let Self { shrinker, small: [first, second, third], .. } = self;
        let mut planes = frame.planes().iter().copied();
        let mut next = || planes.next().unwrap_or(Plane { bytes: &[], stride: 0 });
        let (full, half) = (Part::of(source, 0, 0), Part::of(source, 1, 1));
        match frame.format() {
            PixelFormat::I420 => {
                shrinker.shrink::<U8>("Y", next(), full, size, first)?;
                shrinker.shrink::<U8>("U", next(), half, size, second)?;
                shrinker.shrink::<U8>("V", next(), half, size, third)
            }
            PixelFormat::Nv12 => {
                shrinker.shrink::<U8>("Y", next(), full, size, first)?;
                shrinker.shrink::<U8x2>("UV", next(), half, size, second)
            }
            PixelFormat::Yuy2 | PixelFormat::Uyvy => {
                // Two readings of the same bytes: pairs, one of each is luma, and fours, with U and V in them.
                let packed = next();
                shrinker.shrink::<U8x2>("Y of pairs", packed, full, size, first)?;
                shrinker.shrink::<U8x4>("UV of fours", packed, Part::of(source, 1, 0), size, second)
            }
            PixelFormat::Bgrx | PixelFormat::Bgra | PixelFormat::Rgba => {
                shrinker.shrink::<U8x4>("RGB", next(), full, size, first)
            }
            PixelFormat::Rgb => shrinker.shrink::<U8x3>("RGB", next(), full, size, first),
        }
    }

    /// Converts `self.small` to the part `target` of `self.rgb`.
    fn convert(&mut self, frame: &FrameView<'_>, target: Rect) {
        let side = self.spec.side_px as usize;
        let width = target.width as usize;
        let [first, second, third] = &self.small;
        let area = side * side;
        let mut planes = self.rgb.chunks_exact_mut(area.max(1));
        let (Some(red), Some(green), Some(blue)) = (planes.next(), planes.next(), planes.next()) else {
            return;
        };
        let to_rgb = ToRgb::new(frame.colorimetry());
        for y in 0..target.height as usize {
            let from = (y + target.y as usize) * side + target.x as usize;
            let (Some(red), Some(green), Some(blue)) = (
                red.get_mut(from..from + width),
                green.get_mut(from..from + width),
                blue.get_mut(from..from + width),
            ) else {
                continue;
            };
            let out = [red, green, blue];
            match frame.format() {
                PixelFormat::I420 => {
                    to_rgb.row(row(first, y, width), row(second, y, width), row(third, y, width), out);
                }
                PixelFormat::Nv12 => {
                    yuv_row::<1, 2>(
                        &to_rgb,
                        [row(first, y, width), row(second, y, 2 * width)],
                        [0, 0, 1],
                        out,
                    );
                }
                PixelFormat::Yuy2 => {
                    yuv_row::<2, 4>(
                        &to_rgb,
                        [row(first, y, 2 * width), row(second, y, 4 * width)],
                        [0, 1, 3],
                        out,
                    );
                }
                PixelFormat::Uyvy => {
                    yuv_row::<2, 4>(
                        &to_rgb,
                        [row(first, y, 2 * width), row(second, y, 4 * width)],
                        [1, 0, 2],
                        out,
                    );
                }
                PixelFormat::Bgrx | PixelFormat::Bgra => {
                    rgb_row::<4>(row(first, y, 4 * width), [2, 1, 0], out)
                }
                PixelFormat::Rgba => rgb_row::<4>(row(first, y, 4 * width), [0, 1, 2], out),
                PixelFormat::Rgb => rgb_row::<3>(row(first, y, 3 * width), [0, 1, 2], out),
            }
        }
    }
}

/// Row `y` of rows of `bytes` bytes.
fn row(plane: &[u8], y: usize, bytes: usize) -> &[u8] {
    plane.get(y * bytes..(y + 1) * bytes).unwrap_or(&[])
}

/// One row whose luma is `at[0]` of each `LUMA` bytes, and U and V `at[1]` and `at[2]` of each `CHROMA` bytes.
fn yuv_row<const LUMA: usize, const CHROMA: usize>(
    to_rgb: &ToRgb,
    [luma, chroma]: [&[u8]; 2],
    at: [usize; 3],
    [red, green, blue]: [&mut [u8]; 3],
) {
    let (luma, _) = luma.as_chunks::<LUMA>();
    let (chroma, _) = chroma.as_chunks::<CHROMA>();
    let [luma_at, u_at, v_at] = [at[0].min(LUMA - 1), at[1].min(CHROMA - 1), at[2].min(CHROMA - 1)];
    for ((luma, chroma), ((red, green), blue)) in
        luma.iter().zip(chroma).zip(red.iter_mut().zip(green).zip(blue))
    {
        [*red, *green, *blue] = to_rgb.pixel(luma[luma_at], chroma[u_at], chroma[v_at]);
    }
}

/// One row of pixels of `STEP` bytes, whose red, green and blue are at `at`.
fn rgb_row<const STEP: usize>(pixels: &[u8], at: [usize; 3], [red, green, blue]: [&mut [u8]; 3]) {
    let (pixels, _) = pixels.as_chunks::<STEP>();
    let at = at.map(|place| place.min(STEP - 1));
    for (pixel, ((red, green), blue)) in pixels.iter().zip(red.iter_mut().zip(green).zip(blue)) {
        [*red, *green, *blue] = at.map(|place| pixel[place]);
    }
}
