//! A small copy of the luma of a part of a frame, at three sizes, with what its texture is worth.
//!
//! A cell is the mean of a square box of whole pixels, so that cells are evenly spaced and as wide as they are high. Of
//! a box's rows at most [`ROWS`] are read, evenly spread: of 1080 lines a third.

use super::Lost;
use super::affine::Affine;
use super::texture::{Texture, Tiles};
use crate::colour::Coefficients;
use crate::frame::{FrameView, PixelFormat, Rect};
use crate::simd::{Work, widest};

/// Cells along the longer side, about: boxes are of whole pixels.
const LONGER: u32 = 160;
/// The shorter side has at least so many cells; with fewer there are too few blocks to agree on a motion.
const SHORTEST: u32 = 48;
/// Rows of a box that are read, at most.
const ROWS: usize = 4;

/// A small luma plane. Reading a frame into it uses its memory again.
#[derive(Clone, Debug, Default)]
pub struct Luma {
    source: Option<Rect>,
    box_px: u32,
    /// Full, half and quarter size.
    levels: [Level; 3],
    tiles: Tiles,
    /// Sums of the rows of one row of boxes, for every column of the source.
    sums: Vec<u16>,
}

/// Luma at one size: 0 is black and 255 white, whatever the frame's range.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Level {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Row by row, without gaps.
    pub(super) values: Vec<u8>,
}

impl Luma {
    /// Reads the part `source` of `frame`. Of RGB formats, green stands in for luma: it is most of it, and red is near
    /// its end nearly everywhere in mucosa. What is left of the source at the right and below, less than a box, is
    /// left out.
    ///
    /// # Errors
    /// [`Lost::Region`] when `source` is not inside the frame, or is so small or so narrow that its shorter side
    /// comes to less than 48 cells. What was read before is forgotten then.
    pub fn read(&mut self, frame: &FrameView<'_>, source: Rect) -> Result<(), Lost> {
        self.source = None;
        let side = ((source.width.max(source.height) + LONGER / 2) / LONGER).max(1);
        let (width, height) = (source.width / side, source.height / side);
        if !source.fits(frame.size()) || width.min(height) < SHORTEST {
            return Err(Lost::Region);
        }
        let Self { levels: [full, half, quarter], sums, tiles, .. } = self;
        full.resize(width as usize, height as usize);
        widest(Reading { frame, source, side: side as usize, levels: [full, half, quarter], sums, tiles });
        (self.source, self.box_px) = (Some(source), side);
        Ok(())
    }

    /// The part of the frame that was read, in frame pixels; `None` before the first reading.
    pub fn source(&self) -> Option<Rect> {
        self.source
    }

    /// Columns and rows, in cells.
    pub fn size(&self) -> (usize, usize) {
        (self.full().width, self.full().height)
    }

    /// Luma of the cells, row by row: 0 is black and 255 white.
    pub fn values(&self) -> &[u8] {
        &self.full().values
    }

    /// The way from places in cells (centres at +0.5) to places in frame pixels (same convention).
    pub(super) fn to_frame(&self) -> Option<Affine> {
        let (source, side) = (self.source?, self.box_px as f32);
        Some(Affine::scaled([side, side], [source.x as f32, source.y as f32]))
    }

    pub(super) fn full(&self) -> &Level {
        &self.levels[0]
    }

    pub(super) fn half(&self) -> &Level {
        &self.levels[1]
    }

    pub(super) fn quarter(&self) -> &Level {
        &self.levels[2]
    }

    /// The texture of a block of the grid that [`super::texture`] describes.
    pub(super) fn texture(&self, column: usize, row: usize) -> Texture {
        self.tiles.block(column, row)
    }
}

impl Level {
    pub(super) fn resize(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        self.values.resize(width * height, 0);
    }

    /// Means of two by two cells. An odd last column or row is left out.
    #[inline(always)]
    fn halve(&self, out: &mut Self) {
        out.resize(self.width / 2, self.height / 2);
        let mut rows = self.values.chunks_exact(self.width.max(1));
        for out in out.values.chunks_exact_mut((self.width / 2).max(1)) {
            let (Some(upper), Some(lower)) = (rows.next(), rows.next()) else { return };
            for ((out, a), b) in out.iter_mut().zip(upper.as_chunks::<2>().0).zip(lower.as_chunks::<2>().0) {
                let sum = u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]);
                *out = ((sum + 2) / 4) as u8;
            }
        }
    }
}

/// A plane to be made small: `levels` are filled with the means of boxes of `side` pixels of `source`, which lies in the frame.
struct Reading<'a, 'f> {
    frame: &'a FrameView<'f>,
    source: Rect,
    side: usize,
    levels: [&'a mut Level; 3],
    sums: &'a mut Vec<u16>,
    tiles: &'a mut Tiles,
}

impl Work for Reading<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        // Bytes of a pixel, and the one of them that counts.
        match self.frame.format() {
            PixelFormat::I420 | PixelFormat::Nv12 => self.shrink::<1, 0>(),
            PixelFormat::Yuy2 => self.shrink::<2, 0>(),
            PixelFormat::Uyvy => self.shrink::<2, 1>(),
            PixelFormat::Bgrx | PixelFormat::Bgra | PixelFormat::Rgba => self.shrink::<4, 1>(),
            PixelFormat::Rgb => self.shrink::<3, 1>(),
        }
        let [full, half, quarter] = self.levels;
        full.halve(half);
        half.halve(quarter);
        self.tiles.read(full);
    }
}

impl Reading<'_, '_> {
    #[inline(always)]
    fn shrink<const BYTES: usize, const WHICH: usize>(&mut self) {
        let Self { frame, source, side, levels: [out, ..], sums, .. } = self;
        let (side, Some(plane)) = (*side, frame.planes().first()) else { return };
        let rows = side.min(ROWS);
        let range = Coefficients::new(frame.colorimetry());
        let offset = if frame.format().is_yuv() { range.offset } else { 0.0 };
        let steps = if frame.format().is_yuv() { range.luma_steps } else { 255.0 };
        let scale = 255.0 / (steps * (rows * side) as f32);
        let offset = 0.5 - offset * 255.0 / steps;
        let columns = out.width * side;
        sums.resize(columns, 0);
        let (left, top) = (source.x as usize * BYTES, source.y as usize);
        for (row, out) in out.values.chunks_exact_mut(out.width.max(1)).enumerate() {
            sums.fill(0);
            for read in 0..rows {
                let line = top + row * side + (2 * read + 1) * side / (2 * rows);
                let start = line * plane.stride + left;
                add::<BYTES, WHICH>(sums, plane.bytes.get(start..start + columns * BYTES).unwrap_or(&[]));
            }
            for (out, sums) in out.iter_mut().zip(sums.chunks_exact(side)) {
                let sum: u32 = sums.iter().map(|sum| u32::from(*sum)).sum();
                // `as` clips to 0 and 255.
                *out = (sum as f32 * scale + offset) as u8;
            }
        }
    }
}

/// Adds byte `WHICH` of every `BYTES` to the sums.
#[inline(always)]
fn add<const BYTES: usize, const WHICH: usize>(sums: &mut [u16], pixels: &[u8]) {
    for (sum, pixel) in sums.iter_mut().zip(pixels.as_chunks::<BYTES>().0) {
        *sum += u16::from(pixel[WHICH]);
    }
}
