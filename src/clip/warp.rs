//! A plane of a still, seen through a moving window: bilinear between pixels, by fixed-point steps along a row.

use super::motion::Motion;
use crate::frame::Size;

/// One plane of samples, row by row without gaps.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    /// Columns and rows; at least 2 each.
    pub(super) size: Size,
    /// `size.area()` of them.
    pub(super) values: Vec<u8>,
}

/// Places are counted in this many parts of a pixel.
const ONE: f32 = 65536.0;

/// A row of a window over a plane: where it begins and how it goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    x: i64,
    y: i64,
    step_x: i64,
    step_y: i64,
}

impl Row {
    /// Row `row` of a window of `window` pixels, from its column `first`, over a plane of `plane` samples which is
    /// `scale` times smaller than the still that `motion` is about (2 for halved chroma), as is the window.
    pub(super) fn new(motion: &Motion, window: Size, plane: Size, scale: f32, row: u32, first: u32) -> Self {
        let centred = |at: u32, length: u32| (at as f32 + 0.5 - length as f32 / 2.0) * scale;
        let (x, y) = motion.apply(centred(first, window.width), centred(row, window.height));
        // Samples lie at whole numbers here, and half a pixel further in the still.
        let place = |at: f32, length: u32| ((at / scale + length as f32 / 2.0 - 0.5) * ONE) as i64;
        Self {
            x: place(x, plane.width),
            y: place(y, plane.height),
            step_x: (motion.matrix[0][0] * ONE) as i64,
            step_y: (motion.matrix[1][0] * ONE) as i64,
        }
    }
}

impl Samples {
    /// Writes what `row` sees to every `step`th value of `out`, from the first; `outside` where the still ends.
    pub(super) fn sample(&self, row: Row, outside: u8, out: &mut [u8], step: usize) {
        let stride = self.size.width as usize;
        let (last_x, last_y) = (i64::from(self.size.width) - 2, i64::from(self.size.height) - 2);
        let Row { mut x, mut y, step_x, step_y } = row;
        for out in out.iter_mut().step_by(step) {
            let (column, line) = (x >> 16, y >> 16);
            let inside = column >= 0 && line >= 0 && column <= last_x && line <= last_y;
            let corner = if inside { line as usize * stride + column as usize } else { usize::MAX };
            let square = self.values.get(corner..).and_then(|rest| rest.get(..stride + 2));
            *out = match square {
                None => outside,
                Some(square) => {
                    let (right, down) = (((x >> 8) & 255) as i32, ((y >> 8) & 255) as i32);
                    let at = |i: usize| i32::from(square.get(i).copied().unwrap_or(outside));
                    let top = (at(0) << 8) + (at(1) - at(0)) * right;
                    let bottom = (at(stride) << 8) + (at(stride + 1) - at(stride)) * right;
                    (((top << 8) + (bottom - top) * down + (1 << 15)) >> 16) as u8
                }
            };
            x += step_x;
            y += step_y;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL: Motion = Motion { matrix: [[1.0, 0.0], [0.0, 1.0]], offset: [0.0, 0.0] };

    fn ramp(size: Size) -> Samples {
        let value = |i: usize| (i % size.width as usize * 4 + i / size.width as usize * 2) as u8;
        Samples { size, values: (0..size.area()).map(value).collect() }
    }

    fn row(samples: &Samples, row: Row, count: usize) -> Vec<u8> {
        let mut out = vec![0; count];
        samples.sample(row, 7, &mut out, 1);
        out
    }

    #[test]
    fn a_still_that_does_not_move_is_itself() {
        let size = Size::new(32, 16);
        let samples = ramp(size);
        let seen = row(&samples, Row::new(&STILL, size, size, 1.0, 5, 0), 31);
        assert_eq!(seen, samples.values[5 * 32..5 * 32 + 31]);
    }

    #[test]
    fn half_a_pixel_is_the_mean() {
        let size = Size::new(32, 16);
        let moved = Motion { offset: [0.5, 0.5], ..STILL };
        let seen = row(&ramp(size), Row::new(&moved, size, size, 1.0, 5, 0), 4);
        // 4 per column and 2 per row: half of both is 3 more.
        assert_eq!(seen, [13, 17, 21, 25]);
    }

    #[test]
    fn outside_is_outside() {
        let size = Size::new(8, 8);
        let far = Motion { offset: [-4.0, 0.0], ..STILL };
        assert_eq!(row(&ramp(size), Row::new(&far, size, size, 1.0, 0, 0), 6), [7, 7, 7, 7, 0, 4]);
    }

    #[test]
    fn halved_chroma_moves_half_as_far() {
        let (luma, chroma) = (Size::new(32, 32), Size::new(16, 16));
        let moved = Motion { offset: [4.0, 0.0], ..STILL };
        let seen = row(&ramp(chroma), Row::new(&moved, chroma, chroma, 2.0, 0, 0), 3);
        assert_eq!(seen, [8, 12, 16], "of a still of {luma}");
    }
}
