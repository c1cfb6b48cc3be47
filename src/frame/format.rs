//! Pixel formats: how samples lie in planes, and what their numbers mean.

use std::fmt;

use super::Size;

/// The pixel formats that can be read and painted. Names are GStreamer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Planar Y, U, V; chroma halved both ways.
    I420,
    /// Planar Y, then interleaved U and V; chroma halved both ways.
    Nv12,
    /// Packed Y0 U Y1 V; chroma halved in width.
    Yuy2,
    /// Packed U Y0 V Y1; chroma halved in width.
    Uyvy,
    /// Packed blue, green, red, unused.
    Bgrx,
    /// Packed blue, green, red, alpha (not premultiplied).
    Bgra,
    /// Packed red, green, blue, alpha (not premultiplied).
    Rgba,
    /// Packed red, green, blue.
    Rgb,
}

impl PixelFormat {
    /// Every format, in the order in which the elements offer them.
    pub const ALL: [Self; 8] =
        [Self::Nv12, Self::I420, Self::Yuy2, Self::Uyvy, Self::Bgrx, Self::Bgra, Self::Rgba, Self::Rgb];

    /// GStreamer's name for it, as in caps.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I420 => "I420",
            Self::Nv12 => "NV12",
            Self::Yuy2 => "YUY2",
            Self::Uyvy => "UYVY",
            Self::Bgrx => "BGRx",
            Self::Bgra => "BGRA",
            Self::Rgba => "RGBA",
            Self::Rgb => "RGB",
        }
    }

    /// The format of that GStreamer name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether the samples are luma and chroma rather than red, green and blue.
    pub const fn is_yuv(self) -> bool {
        matches!(self, Self::I420 | Self::Nv12 | Self::Yuy2 | Self::Uyvy)
    }

    /// How many planes a frame has: 3, 2 or 1.
    pub const fn planes(self) -> usize {
        match self {
            Self::I420 => 3,
            Self::Nv12 => 2,
            _ => 1,
        }
    }

    /// Bytes that matter in one row of `plane` of a frame `width` pixels wide, and the plane's rows for a
    /// frame `height` high. Odd sizes round the chroma up, as GStreamer does.
    pub const fn plane_extent(self, plane: usize, size: Size) -> (usize, usize) {
        let (w, h) = (size.width as usize, size.height as usize);
        match self {
            Self::I420 if plane == 0 => (w, h),
            Self::I420 => (w.div_ceil(2), h.div_ceil(2)),
            Self::Nv12 if plane == 0 => (w, h),
            Self::Nv12 => (w.div_ceil(2) * 2, h.div_ceil(2)),
            Self::Yuy2 | Self::Uyvy => (w.div_ceil(2) * 4, h),
            Self::Rgb => (w * 3, h),
            Self::Bgrx | Self::Bgra | Self::Rgba => (w * 4, h),
        }
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How luma and chroma were made from red, green and blue. Without meaning for RGB formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601 (standard definition): Kr 0.299, Kb 0.114.
    Bt601,
    /// ITU-R BT.709 (high definition): Kr 0.2126, Kb 0.0722.
    Bt709,
    /// ITU-R BT.2020 (non-constant luminance): Kr 0.2627, Kb 0.0593.
    Bt2020,
}

impl Matrix {
    /// The matrix of that code point of ISO/IEC 23091-2 (ITU-T H.273), if it is one that is known here.
    pub const fn from_iso(code: u32) -> Option<Self> {
        match code {
            // FCC's weights (4) are 0.30 and 0.11: BT.601 rounded.
            4..=6 => Some(Self::Bt601),
            // SMPTE 240M's (7) are 0.212 and 0.087: BT.709's ancestors.
            1 | 7 => Some(Self::Bt709),
            9 => Some(Self::Bt2020),
            _ => None,
        }
    }

    /// The weights of red and blue in luma.
    pub const fn kr_kb(self) -> (f32, f32) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Bt2020 => (0.2627, 0.0593),
        }
    }
}

/// Which numbers are black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// 0 to 255.
    Full,
    /// Luma 16 to 235, chroma 16 to 240.
    Limited,
}

/// What a frame's numbers mean; taken from the caps, never assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colorimetry {
    /// The luma and chroma matrix.
    pub matrix: Matrix,
    /// Black and white.
    pub range: Range,
}

impl Colorimetry {
    /// Full-range RGB, where no matrix applies.
    pub const RGB: Self = Self { matrix: Matrix::Bt601, range: Range::Full };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_found_by_its_name() {
        for format in PixelFormat::ALL {
            assert_eq!(PixelFormat::from_name(format.name()), Some(format));
        }
        assert_eq!(PixelFormat::from_name("P010_10LE"), None);
    }

    #[test]
    fn odd_sizes_round_chroma_up() {
        let size = Size::new(5, 3);
        assert_eq!(PixelFormat::I420.plane_extent(1, size), (3, 2));
        assert_eq!(PixelFormat::Nv12.plane_extent(1, size), (6, 2));
        assert_eq!(PixelFormat::Uyvy.plane_extent(0, size), (12, 3));
    }
}
