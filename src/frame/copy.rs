//! A copy of a part of a frame, for whoever reads it later than its owner can wait.

use super::{Colorimetry, FrameView, PixelFormat, Plane, Rect, Size};

/// A part of a frame, in the frame's own format. Its memory is used again for the next frame.
///
/// What is made of [`Self::source`] of the copy is what would be made of that part of the frame itself, to the bit:
/// subsampled chroma at the part's edges is copied whole.
#[derive(Clone, Debug)]
pub struct FrameCopy {
    format: PixelFormat,
    size: Size,
    colorimetry: Colorimetry,
    source: Rect,
    /// All planes, one after the other, rows without gaps.
    bytes: Vec<u8>,
}

impl Default for FrameCopy {
    fn default() -> Self {
        let one = Size::new(1, 1);
        let (format, colorimetry) = (PixelFormat::Rgb, Colorimetry::RGB);
        Self { format, size: one, colorimetry, source: Rect::whole(one), bytes: vec![0; 3] }
    }
}

impl FrameCopy {
    /// Copies the part `source` of `frame`. What does not lie in the frame is left out.
    pub fn take(&mut self, frame: &FrameView<'_>, source: Rect) {
        let whole = frame.size();
        let clip = |start: u32, length: u32, side: u32| {
            let start = start.min(side.saturating_sub(1));
            (start, start.saturating_add(length.max(1)).min(side))
        };
        let (left, right) = clip(source.x, source.width, whole.width);
        let (top, bottom) = clip(source.y, source.height, whole.height);
        // From an even place to an even place, or to the frame's edge: no chroma sample is cut.
        let (x, y) = (left & !1, top & !1);
        let size = Size::new(
            right.next_multiple_of(2).min(whole.width) - x,
            bottom.next_multiple_of(2).min(whole.height) - y,
        );
        (self.format, self.size, self.colorimetry) = (frame.format(), size, frame.colorimetry());
        self.source = Rect { x: left - x, y: top - y, width: right - left, height: bottom - top };
        self.bytes.clear();
        for (index, plane) in frame.planes().iter().enumerate() {
            let (row_bytes, rows) = self.format.plane_extent(index, size);
            let (first_byte, first_row) = self.format.plane_extent(index, Size::new(x, y));
            for row in first_row..first_row + rows {
                let start = row * plane.stride + first_byte;
                self.bytes.extend_from_slice(plane.bytes.get(start..start + row_bytes).unwrap_or_default());
            }
        }
    }

    /// The part that was copied, in the copy's own pixels.
    pub fn source(&self) -> Rect {
        self.source
    }

    /// To read.
    pub fn view(&self) -> FrameView<'_> {
        let mut rest = self.bytes.as_slice();
        let planes = [0, 1, 2].map(|index| {
            if index >= self.format.planes() {
                return Plane { bytes: &[], stride: 0 };
            }
            let (row_bytes, rows) = self.format.plane_extent(index, self.size);
            let (plane, after) = rest.split_at(rest.len().min(row_bytes * rows));
            rest = after;
            Plane { bytes: plane, stride: row_bytes }
        });
        FrameView { format: self.format, size: self.size, colorimetry: self.colorimetry, planes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Matrix, Range};
    use crate::input::{Fit, InputSpec, Normalisation};
    use crate::picture::{Owned, smooth};
    use crate::preprocess::Preprocessor;

    #[test]
    fn an_input_made_of_a_copy_is_the_frames_own_in_every_format() {
        let size = Size::new(67, 45);
        let rgb = smooth(size);
        let spec = InputSpec { side_px: 16, fit: Fit::Squash, normalisation: Normalisation::ZScorePerImage };
        let colorimetry = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };
        let [mut of_frame, mut of_copy] = [Preprocessor::new(spec), Preprocessor::new(spec)];
        let [mut expected, mut found] = [vec![0.0; 3 * 16 * 16], vec![0.0; 3 * 16 * 16]];
        // One after the other in the same memory, so that a smaller part follows a larger one.
        let mut copy = FrameCopy::default();
        for format in PixelFormat::ALL {
            let frame = Owned::of_rgb(&rgb, size, format, colorimetry, 5);
            for (x, y, width, height) in [(0, 0, 67, 45), (3, 5, 50, 31), (4, 2, 20, 20), (66, 44, 1, 1)] {
                let part = Rect { x, y, width, height };
                copy.take(&frame.view(), part);
                let view = copy.view();
                let planes = view.planes().to_vec();
                assert!(
                    FrameView::new(format, view.size(), view.colorimetry(), &planes).is_ok(),
                    "{format} {part}"
                );
                of_frame.run(&frame.view(), part, &mut expected).unwrap();
                of_copy.run(&view, copy.source(), &mut found).unwrap();
                assert_eq!(expected, found, "{format} {part}");
            }
        }
    }

    #[test]
    fn what_lies_outside_is_left_out() {
        let size = Size::new(8, 6);
        let frame = Owned::of_rgb(&smooth(size), size, PixelFormat::Nv12, Colorimetry::RGB, 0);
        let mut copy = FrameCopy::default();
        copy.take(&frame.view(), Rect { x: 6, y: 20, width: 90, height: 7 });
        assert_eq!(copy.source(), Rect { x: 0, y: 1, width: 2, height: 1 });
        assert_eq!(copy.view().size(), Size::new(2, 2));
    }
}
