//! Which parts of a frame are lit: a coarse grid of cells, and the largest patch of lit ones.
//!
//! Letters are lit too, and thin: a cell counts only as part of a 3 x 3 block of lit cells (a morphological opening),
//! which letters do not fill. Folds and the dark of the lumen make holes in the patch, not in its bounding box.

use crate::frame::{FrameView, PixelFormat, Plane, Range, Rect, Size};

/// Cells across the longer side of a frame.
const CELLS: u32 = 120;
/// Samples per cell and axis.
const SAMPLES: usize = 4;
/// A cell is lit from this mean brightness on, 0 (black) to 255 (white): above what capture cards make of black, below
/// what mucosa is in the shade.
const LIT: u32 = 20;

/// Brightness of cells, and what follows from it. Its memory is used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    frame: Size,
    columns: usize,
    rows: usize,
    /// Side of a cell in pixels.
    side: usize,
    /// The brightest that each cell was since [`Cells::clear`].
    brightness: Vec<u8>,
    lit: Vec<bool>,
    /// Middles of whole 3 x 3 blocks of lit cells.
    cores: Vec<bool>,
    /// Lit cells of such blocks.
    opened: Vec<bool>,
    waiting: Vec<usize>,
}

impl Cells {
    /// Forgets what was seen, and turns to frames of `size`.
    pub(super) fn clear(&mut self, size: Size) {
        let side = size.width.max(size.height).div_ceil(CELLS).max(1);
        let (columns, rows) = (size.width.div_ceil(side) as usize, size.height.div_ceil(side) as usize);
        *self = Self { frame: size, columns, rows, side: side as usize, ..std::mem::take(self) };
        let count = columns * rows;
        self.brightness.clear();
        self.brightness.resize(count, 0);
        for cells in [&mut self.lit, &mut self.cores, &mut self.opened] {
            cells.clear();
            cells.resize(count, false);
        }
    }

    /// Adds what `frame`, of the size given to [`Self::clear`], shows.
    pub(super) fn see(&mut self, frame: &FrameView<'_>) {
        let Some(plane) = frame.planes().first() else { return };
        let Size { width, height } = frame.size();
        let step = (self.side / SAMPLES).max(1);
        for (row, cells) in self.brightness.chunks_mut(self.columns.max(1)).enumerate() {
            let lines = (row * self.side..((row + 1) * self.side).min(height as usize)).step_by(step);
            for (column, cell) in cells.iter_mut().enumerate() {
                let pixels =
                    (column * self.side..((column + 1) * self.side).min(width as usize)).step_by(step);
                let (mut sum, mut count) = (0, 0);
                for y in lines.clone() {
                    for x in pixels.clone() {
                        sum += brightness(frame, plane, x, y);
                        count += 1;
                    }
                }
                *cell = (*cell).max((sum / count.max(1)).min(255) as u8);
            }
        }
    }

    /// The bounding box, in frame pixels, of the largest patch of lit cells that touch; `None` when no block of them
    /// is lit. With it, the patch's share of the box.
    pub(super) fn largest(&mut self) -> Option<(Rect, f32)> {
        let Self { columns, rows, .. } = *self;
        for (lit, brightness) in self.lit.iter_mut().zip(&self.brightness) {
            *lit = u32::from(*brightness) >= LIT;
        }
        let lit = &self.lit;
        let is = |cells: &[bool], x: usize, y: usize| cells.get(y * columns + x).copied().unwrap_or(false);
        let around = |x: usize, y: usize| {
            let (xs, ys) =
                (x.saturating_sub(1)..(x + 2).min(columns), y.saturating_sub(1)..(y + 2).min(rows));
            ys.flat_map(move |y| xs.clone().map(move |x| (x, y)))
        };
        for (place, core) in self.cores.iter_mut().enumerate() {
            let (x, y) = (place % columns, place / columns);
            *core = around(x, y).all(|(x, y)| is(lit, x, y));
        }
        let cores = &self.cores;
        for (place, opened) in self.opened.iter_mut().enumerate() {
            let (x, y) = (place % columns, place / columns);
            *opened = around(x, y).any(|(x, y)| is(cores, x, y));
        }
        let mut best: Option<(usize, [usize; 4])> = None;
        for start in 0..self.opened.len() {
            if let Some(patch) = self.patch(start)
                && best.is_none_or(|(count, _)| patch.0 > count)
            {
                best = Some(patch);
            }
        }
        let (count, [left, top, right, bottom]) = best?;
        let share = count as f32 / ((right - left + 1) * (bottom - top + 1)) as f32;
        let pixel = |cell: usize, end: u32| u32::try_from(cell * self.side).unwrap_or(end).min(end);
        let Size { width, height } = self.frame;
        let (x, y) = (pixel(left, width), pixel(top, height));
        let rect = Rect { x, y, width: pixel(right + 1, width) - x, height: pixel(bottom + 1, height) - y };
        Some((rect, share))
    }

    /// Takes the patch that cell `start` belongs to out of the opened cells: how many there are, and the box
    /// around them (left, top, right, bottom).
    fn patch(&mut self, start: usize) -> Option<(usize, [usize; 4])> {
        let Self { columns, rows, ref mut opened, ref mut waiting, .. } = *self;
        let take = |opened: &mut Vec<bool>, place: usize| {
            opened.get_mut(place).is_some_and(|cell| std::mem::replace(cell, false))
        };
        if !take(opened, start) {
            return None;
        }
        waiting.clear();
        waiting.push(start);
        let (mut count, mut around) = (0, [usize::MAX, usize::MAX, 0, 0]);
        while let Some(place) = waiting.pop() {
            let (x, y) = (place % columns, place / columns);
            count += 1;
            let [left, top, right, bottom] = around;
            around = [left.min(x), top.min(y), right.max(x), bottom.max(y)];
            let neighbours = [
                (x > 0).then(|| place - 1),
                (x + 1 < columns).then_some(place + 1),
                (y > 0).then(|| place - columns),
                (y + 1 < rows).then_some(place + columns),
            ];
            for next in neighbours.into_iter().flatten() {
                if take(opened, next) {
                    waiting.push(next);
                }
            }
        }
        Some((count, around))
    }

    /// The side of a cell in pixels.
    pub(super) fn side(&self) -> u32 {
        self.side as u32
    }
}

/// Brightness of a pixel of the first plane, 0 to 255: luma, or the mean of red, green (twice) and blue.
fn brightness(frame: &FrameView<'_>, plane: &Plane<'_>, x: usize, y: usize) -> u32 {
    let at = |offset: usize| u32::from(plane.bytes.get(y * plane.stride + offset).copied().unwrap_or(0));
    let luma = |sample: u32| match frame.colorimetry().range {
        Range::Full => sample,
        Range::Limited => sample.saturating_sub(16) * 255 / 219,
    };
    let rgb = |first: usize| (at(first) + 2 * at(first + 1) + at(first + 2)) / 4;
    match frame.format() {
        PixelFormat::I420 | PixelFormat::Nv12 => luma(at(x)),
        PixelFormat::Yuy2 => luma(at(2 * x)),
        PixelFormat::Uyvy => luma(at(2 * x + 1)),
        PixelFormat::Bgrx | PixelFormat::Bgra | PixelFormat::Rgba => rgb(4 * x),
        PixelFormat::Rgb => rgb(3 * x),
    }
}
