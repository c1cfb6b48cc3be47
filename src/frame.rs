//! A picture in the pixel format in which it arrived: borrowed planes, their strides, and what their
//! numbers mean (matrix and range).
//!
//! Not here: owning or moving frames (GStreamer does, but for [`FrameCopy`]), and resizing them ([`crate::preprocess`]).

mod copy;
mod format;

use std::fmt;

pub use copy::FrameCopy;
pub use format::{Colorimetry, Matrix, PixelFormat, Range};

/// The largest width or height that is accepted, in pixels (8K UHD is 7680 x 4320; this leaves room for
/// panels beside it).
pub const MAX_SIDE_PX: u32 = 8192;

/// Width and height, in pixels or cells. The default is no pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// A size of `width` columns and `height` rows.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// The number of pixels.
    pub const fn area(self) -> usize {
        self.width as usize * self.height as usize
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A rectangle of whole pixels inside a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rect {
    /// Left edge, in pixels from the frame's left.
    pub x: u32,
    /// Top edge, in pixels from the frame's top.
    pub y: u32,
    /// Width in pixels, at least 1.
    pub width: u32,
    /// Height in pixels, at least 1.
    pub height: u32,
}

impl Rect {
    /// The rectangle that covers a whole frame of `size`.
    pub const fn whole(size: Size) -> Self {
        Self { x: 0, y: 0, width: size.width, height: size.height }
    }

    /// Whether it is not empty and lies inside a frame of `size`.
    pub fn fits(&self, size: Size) -> bool {
        self.width > 0
            && self.height > 0
            && self.x.checked_add(self.width).is_some_and(|right| right <= size.width)
            && self.y.checked_add(self.height).is_some_and(|bottom| bottom <= size.height)
    }
}

impl fmt::Display for Rect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}+{}+{}", self.width, self.height, self.x, self.y)
    }
}

/// Why planes do not make a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A side is 0 or above [`MAX_SIDE_PX`].
    #[error("frame size {size}: expected each side from 1 to {MAX_SIDE_PX} px")]
    Size {
        /// The refused size.
        size: Size,
    },
    /// The number of planes does not fit the format.
    #[error("{format} frame: expected {expected} planes, found {found}")]
    PlaneCount {
        /// The format.
        format: PixelFormat,
        /// Planes it has.
        expected: usize,
        /// Planes given.
        found: usize,
    },
    /// A plane is too short, or its rows are.
    #[error(
        "{format} frame {size}, plane {plane}: expected rows of at least {row_bytes} bytes and {expected} bytes in all, found a stride of {stride} and {found} bytes"
    )]
    PlaneExtent {
        /// The format.
        format: PixelFormat,
        /// The frame's size.
        size: Size,
        /// Which plane, from 0.
        plane: usize,
        /// Bytes a row needs.
        row_bytes: usize,
        /// Bytes from one row's start to the next, as given.
        stride: usize,
        /// Bytes the plane needs with that stride.
        expected: usize,
        /// Bytes it has.
        found: usize,
    },
}

/// One plane of a frame: bytes and the distance between rows' starts.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// The rows, the last of which may end where its picture ends.
    pub bytes: &'a [u8],
    /// Bytes from one row's start to the next.
    pub stride: usize,
}

/// One plane of a frame that may be painted.
#[derive(Debug)]
pub struct PlaneMut<'a> {
    /// The rows, the last of which may end where its picture ends.
    pub bytes: &'a mut [u8],
    /// Bytes from one row's start to the next.
    pub stride: usize,
}

/// A borrowed frame. Making one checks every length, so that what reads it need not.
#[derive(Clone, Debug)]
pub struct FrameView<'a> {
    format: PixelFormat,
    size: Size,
    colorimetry: Colorimetry,
    planes: [Plane<'a>; 3],
}

impl<'a> FrameView<'a> {
    /// A frame over `planes` (as many as the format has).
    ///
    /// # Errors
    /// [`FrameError`] when the size is out of bounds or a plane is missing or too short.
    pub fn new(
        format: PixelFormat,
        size: Size,
        colorimetry: Colorimetry,
        planes: &[Plane<'a>],
    ) -> Result<Self, FrameError> {
        check_planes(format, size, planes.len(), |i| planes.get(i).map(|p| (p.bytes.len(), p.stride)))?;
        let at = |i: usize| planes.get(i).copied().unwrap_or(Plane { bytes: &[], stride: 0 });
        Ok(Self { format, size, colorimetry, planes: [at(0), at(1), at(2)] })
    }

    /// The pixel format.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Width and height in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// What the numbers mean.
    pub fn colorimetry(&self) -> Colorimetry {
        self.colorimetry
    }

    /// The planes that the format has.
    pub fn planes(&self) -> &[Plane<'a>] {
        self.planes.get(..self.format.planes()).unwrap_or(&self.planes)
    }
}

/// A borrowed frame to paint on.
#[derive(Debug)]
pub struct Canvas<'a> {
    format: PixelFormat,
    size: Size,
    colorimetry: Colorimetry,
    planes: [PlaneMut<'a>; 3],
}

impl<'a> Canvas<'a> {
    /// A canvas over `planes` (as many as the format has).
    ///
    /// # Errors
    /// [`FrameError`] when the size is out of bounds or a plane is missing or too short.
    pub fn new(
        format: PixelFormat,
        size: Size,
        colorimetry: Colorimetry,
        planes: impl IntoIterator<Item = PlaneMut<'a>>,
    ) -> Result<Self, FrameError> {
        let mut given = planes.into_iter();
        let mut count = 0;
        let planes: [PlaneMut<'a>; 3] = std::array::from_fn(|_| {
            let plane = given.next();
            count += usize::from(plane.is_some());
            plane.unwrap_or(PlaneMut { bytes: &mut [], stride: 0 })
        });
        count += given.count();
        let extent = |plane: &PlaneMut<'_>| (plane.bytes.len(), plane.stride);
        check_planes(format, size, count, |i| planes.get(i).map(extent))?;
        Ok(Self { format, size, colorimetry, planes })
    }

    /// The pixel format.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Width and height in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// What the numbers mean.
    pub fn colorimetry(&self) -> Colorimetry {
        self.colorimetry
    }

    /// The planes, to paint.
    pub fn planes_mut(&mut self) -> &mut [PlaneMut<'a>] {
        let count = self.format.planes().min(self.planes.len());
        &mut self.planes[..count]
    }
}

fn check_planes(
    format: PixelFormat,
    size: Size,
    count: usize,
    plane: impl Fn(usize) -> Option<(usize, usize)>,
) -> Result<(), FrameError> {
    let side = 1..=MAX_SIDE_PX;
    if !side.contains(&size.width) || !side.contains(&size.height) {
        return Err(FrameError::Size { size });
    }
    if count != format.planes() {
        return Err(FrameError::PlaneCount { format, expected: format.planes(), found: count });
    }
    for index in 0..count {
        let (found, stride) = plane(index).unwrap_or((0, 0));
        let (row_bytes, rows) = format.plane_extent(index, size);
        // A row whose stride is shorter than the row would overlap the next.
        let expected = stride.saturating_mul(rows - 1).saturating_add(row_bytes);
        if stride < row_bytes || found < expected {
            return Err(FrameError::PlaneExtent {
                format,
                size,
                plane: index,
                row_bytes,
                stride,
                expected,
                found,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_plane_is_named() {
        let bytes = [0_u8; 11];
        let plane = Plane { bytes: &bytes, stride: 6 };
        let made = FrameView::new(PixelFormat::Rgb, Size::new(2, 2), Colorimetry::RGB, &[plane]);
        assert_eq!(
            made.err(),
            Some(FrameError::PlaneExtent {
                format: PixelFormat::Rgb,
                size: Size::new(2, 2),
                plane: 0,
                row_bytes: 6,
                stride: 6,
                expected: 12,
                found: 11,
            })
        );
    }

    #[test]
    fn the_last_row_may_end_with_its_picture() {
        let bytes = [0_u8; 8 + 6];
        let plane = Plane { bytes: &bytes, stride: 8 };
        assert!(FrameView::new(PixelFormat::Rgb, Size::new(2, 2), Colorimetry::RGB, &[plane]).is_ok());
    }

    #[test]
    fn sizes_out_of_bounds_are_refused() {
        for size in [Size::new(0, 4), Size::new(4, 0), Size::new(MAX_SIDE_PX + 1, 1)] {
            let made = FrameView::new(PixelFormat::Rgb, size, Colorimetry::RGB, &[]);
            assert_eq!(made.err(), Some(FrameError::Size { size }));
        }
    }
}
