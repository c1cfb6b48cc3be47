//! One plane, or the packed picture, made small as it came.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use super::PreprocessError;
use crate::frame::{Plane, Rect, Size};

/// The part of a plane to take, in the plane's own pixels: whole ones that may be read, and the finer part of
/// them that is meant. They differ only where a subsampled chroma sample lies half in the frame's part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
    read: Rect,
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Part {
    /// `source` (frame pixels) in a plane whose pixels are `1 << shift_x` frame pixels wide and
    /// `1 << shift_y` high.
    pub(super) fn of(source: Rect, shift_x: u32, shift_y: u32) -> Self {
        let span = |start: u32, length: u32, shift: u32| {
            let (first, end) = (start >> shift, (start + length).div_ceil(1 << shift));
            let scale = f64::from(1_u32 << shift);
            (first, end - first, f64::from(start) / scale - f64::from(first), f64::from(length) / scale)
        };
        let (x, read_width, left, width) = span(source.x, source.width, shift_x);
        let (y, read_height, top, height) = span(source.y, source.height, shift_y);
        Self { read: Rect { x, y, width: read_width, height: read_height }, left, top, width, height }
    }
}

/// Makes planes small, with memory that is used again.
#[derive(Debug, Default)]
pub(super) struct Shrinker {
    resizer: Resizer,
    tight: Vec<u8>,
}

impl Shrinker {
    /// Resizes `part` of `plane`, whose pixels are `P`, to `size` in `out` (which is made to fit). `step`
    /// names the plane in errors.
    pub(super) fn shrink<P: PixelTrait>(
        &mut self,
        step: &'static str,
        plane: Plane<'_>,
        part: Part,
        size: Size,
        out: &mut Vec<u8>,
    ) -> Result<(), PreprocessError> {
        let failed = |message: String| PreprocessError::Resize { step, message };
        let pixel = P::size();
        out.resize(size.area() * pixel, 0);
        let mut small = TypedImage::<P>::from_buffer(size.width, size.height, out)
            .map_err(|error| failed(error.to_string()))?;

        let bottom = part.read.y as usize + part.read.height as usize;
        // Rows that are whole pixels apart make an image as wide as the stride; others are copied first.
        let in_place = plane.stride.is_multiple_of(pixel) && plane.bytes.len() >= plane.stride * bottom;
        let (bytes, stride, read) = if in_place {
            (plane.bytes, plane.stride, part.read)
        } else {
            let row_bytes = part.read.width as usize * pixel;
            self.tight.clear();
            for row in plane.bytes.chunks(plane.stride.max(1)).take(bottom).skip(part.read.y as usize) {
                let left = part.read.x as usize * pixel;
                self.tight.extend_from_slice(row.get(left..left + row_bytes).unwrap_or(&[]));
            }
            (self.tight.as_slice(), row_bytes, Rect { x: 0, y: 0, ..part.read })
        };
        let width = u32::try_from(stride / pixel).unwrap_or(u32::MAX);
        let whole = TypedImageRef::<P>::from_buffer(width, read.y + read.height, bytes)
            .map_err(|error| failed(error.to_string()))?;
        // The resizer's own crop box bounds the filter's centres only; this bounds what it reads, so that
        // neither a row's padding nor what is outside of the part leaks in.
        let view = TypedCroppedImage::from_ref(&whole, read.x, read.y, read.width, read.height)
            .map_err(|error| failed(error.to_string()))?;
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .crop(part.left, part.top, part.width, part.height)
            .use_alpha(false);
        self.resizer.resize_typed(&view, &mut small, &options).map_err(|error| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_source_takes_half_of_a_chroma_sample() {
        let part = Part::of(Rect { x: 3, y: 2, width: 4, height: 3 }, 1, 1);
        let read = Rect { x: 1, y: 1, width: 3, height: 2 };
        assert_eq!(part, Part { read, left: 0.5, top: 0.0, width: 2.0, height: 1.5 });
    }
}
