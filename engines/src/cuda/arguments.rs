//! The kernels' arguments, laid out as the card reads them.
//!
//! Not here: what the kernels do with them (`kernels.cu`), and what painting takes besides ([`super::paint`]).

use polyp::colour::Coefficients;
use polyp::frame::{Colorimetry, MAX_SIDE_PX, PixelFormat, Rect, Size};
use polyp::input::Placement;

use crate::error::EngineError;

/// A pixel format that the kernels read: those of frames, and what capture cards deliver besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceFormat {
    /// A frame's format.
    Frame(PixelFormat),
    /// Packed 10-bit U, Y, V, chroma halved in width: six pixels in 16 bytes (SMPTE and QuickTime call it v210).
    V210,
}

impl SourceFormat {
    /// Every format.
    pub const ALL: [Self; 9] = [
        Self::Frame(PixelFormat::I420),
        Self::Frame(PixelFormat::Nv12),
        Self::Frame(PixelFormat::Yuy2),
        Self::Frame(PixelFormat::Uyvy),
        Self::Frame(PixelFormat::Bgrx),
        Self::Frame(PixelFormat::Bgra),
        Self::Frame(PixelFormat::Rgba),
        Self::Frame(PixelFormat::Rgb),
        Self::V210,
    ];

    /// Its number in `kernels.cu`.
    pub(super) fn code(self) -> u32 {
        match self {
            Self::Frame(PixelFormat::I420) => 0,
            Self::Frame(PixelFormat::Nv12) => 1,
            Self::Frame(PixelFormat::Yuy2) => 2,
            Self::Frame(PixelFormat::Uyvy) => 3,
            Self::Frame(PixelFormat::Bgrx | PixelFormat::Bgra) => 4,
            Self::Frame(PixelFormat::Rgba) => 5,
            Self::Frame(PixelFormat::Rgb) => 6,
            Self::V210 => 7,
        }
    }

    /// How many planes a frame has.
    pub fn planes(self) -> usize {
        match self {
            Self::Frame(format) => format.planes(),
            Self::V210 => 1,
        }
    }

    /// Bytes that matter in one row of `plane` of a frame of `size`, and the plane's rows.
    pub fn plane_extent(self, plane: usize, size: Size) -> (usize, usize) {
        match self {
            Self::Frame(format) => format.plane_extent(plane, size),
            Self::V210 => ((size.width as usize).div_ceil(6) * 16, size.height as usize),
        }
    }
}

/// A plane in memory that the kernels can reach: its address there, its length and its rows' distance in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevicePlane {
    /// The address.
    pub address: u64,
    /// Bytes from there on.
    pub bytes: usize,
    /// Bytes from one row's start to the next.
    pub stride: usize,
}

/// A frame in memory that the kernels can read, and the part of it that is meant: `struct Picture`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Picture {
    planes: [u64; 3],
    strides: [u32; 3],
    format: u32,
    source: [u32; 4],
    coefficients: [f32; 7],
    padding: u32,
}

impl Picture {
    /// The part `source` of a frame of `size` in `planes`.
    ///
    /// # Errors
    /// [`EngineError::Input`] when a plane is missing or too short, or the part is not inside the frame.
    pub fn new(
        format: SourceFormat,
        size: Size,
        colorimetry: Colorimetry,
        planes: &[DevicePlane],
        source: Rect,
    ) -> Result<Self, EngineError> {
        let (addresses, strides) = fitting(format, size, planes)?;
        if !source.fits(size) {
            return Err(refused(
                "source",
                format!("a part of the frame, which is {size}"),
                source.to_string(),
            ));
        }
        let c = Coefficients::new(colorimetry);
        Ok(Self {
            planes: addresses,
            strides,
            format: format.code(),
            source: [source.x, source.y, source.width, source.height],
            coefficients: [c.offset, c.luma_steps, c.chroma_steps, c.red_v, c.green_u, c.green_v, c.blue_u],
            padding: 0,
        })
    }
}

impl Picture {
    /// Its bytes, as the card reads them.
    pub fn to_bytes(&self) -> [u8; size_of::<Self>()] {
        // SAFETY: plain numbers, and `padding` is one of them: every byte is initialised.
        unsafe { std::mem::transmute(*self) }
    }
}

impl Target {
    /// Its bytes, as the card reads them.
    pub fn to_bytes(&self) -> [u8; size_of::<Self>()] {
        // SAFETY: five whole numbers of four bytes, without padding.
        unsafe { std::mem::transmute(*self) }
    }
}

/// The addresses and strides of the planes of a frame.
///
/// # Errors
/// [`EngineError::Input`] when the size is out of bounds, or a plane is missing or too short.
pub(super) fn fitting(
    format: SourceFormat,
    size: Size,
    planes: &[DevicePlane],
) -> Result<([u64; 3], [u32; 3]), EngineError> {
    let side = 1..=MAX_SIDE_PX;
    if !side.contains(&size.width) || !side.contains(&size.height) {
        return Err(refused("size", format!("each side from 1 to {MAX_SIDE_PX} px"), size.to_string()));
    }
    if planes.len() != format.planes() {
        return Err(refused("planes", format.planes().to_string(), planes.len().to_string()));
    }
    let (mut addresses, mut strides) = ([0; 3], [0; 3]);
    let places = addresses.iter_mut().zip(&mut strides);
    for (index, (plane, (address_at, stride_at))) in planes.iter().zip(places).enumerate() {
        let (row_bytes, rows) = format.plane_extent(index, size);
        let least = plane.stride.saturating_mul(rows - 1).saturating_add(row_bytes);
        let stride = u32::try_from(plane.stride).ok().filter(|_| plane.stride >= row_bytes);
        let Some(stride) = stride.filter(|_| plane.bytes >= least) else {
            let found = format!("a stride of {} and {} bytes", plane.stride, plane.bytes);
            let expected = format!("rows of at least {row_bytes} bytes and {least} bytes in all");
            return Err(refused(&format!("plane {index}"), expected, found));
        };
        (*address_at, *stride_at) = (plane.address, stride);
    }
    Ok((addresses, strides))
}

/// An input that does not fit.
pub(super) fn refused(what: &str, expected: String, found: String) -> EngineError {
    EngineError::Input { what: what.to_owned(), expected, found }
}

/// Where the picture goes: `struct Target`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The square's side, in pixels.
    pub side: u32,
    /// The filled part: left, top, width and height in pixels.
    pub filled: [u32; 4],
}

impl From<Placement> for Target {
    fn from(placement: Placement) -> Self {
        let Rect { x, y, width, height } = placement.target;
        Self { side: placement.side_px, filled: [x, y, width, height] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_kernels() {
        assert_eq!((size_of::<Picture>(), align_of::<Picture>()), (24 + 12 + 4 + 16 + 28 + 4, 8));
        assert_eq!(size_of::<Target>(), 20);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let (size, rgb) = (Size::new(4, 2), SourceFormat::Frame(PixelFormat::Rgb));
        let plane = DevicePlane { address: 64, bytes: 24, stride: 12 };
        let make = |planes: &[DevicePlane], source| {
            Picture::new(rgb, size, Colorimetry::RGB, planes, source).map_err(|error| error.to_string())
        };
        assert!(make(&[plane], Rect::whole(size)).is_ok());
        assert_eq!(make(&[], Rect::whole(size)).unwrap_err(), "input planes: expected 1, found 0");
        assert_eq!(
            make(&[DevicePlane { bytes: 23, ..plane }], Rect::whole(size)).unwrap_err(),
            "input plane 0: expected rows of at least 12 bytes and 24 bytes in all, found a stride of 12 and 23 bytes"
        );
        let empty = Picture::new(rgb, Size::new(0, 2), Colorimetry::RGB, &[plane], Rect::whole(size));
        let said = empty.unwrap_err().to_string();
        assert_eq!(said, "input size: expected each side from 1 to 8192 px, found 0x2");
        let beyond = make(&[plane], Rect { x: 1, ..Rect::whole(size) }).unwrap_err();
        assert_eq!(beyond, "input source: expected a part of the frame, which is 4x2, found 4x2+1+0");
    }

    #[test]
    fn v210_rows_are_whole_groups() {
        assert_eq!(SourceFormat::V210.plane_extent(0, Size::new(1920, 1080)), (5120, 1080));
        assert_eq!(SourceFormat::V210.plane_extent(0, Size::new(7, 3)), (32, 3));
    }
}
