//! A buffer as a frame: what its caps say, where its planes lie, and views of its bytes.
//!
//! Planes are cut out of the mapped buffer here, with the strides and offsets of its `GstVideoMeta` or else of
//! its caps. `GstVideoFrame`'s bindings were the other road: their planes are as long as stride times rows,
//! which reaches past the end of a buffer whose last row is not padded.
//!
//! Not here: reading or painting pixels (`polyp`).

use polyp::frame::{
    Canvas, Colorimetry, FrameError, FrameView, MAX_SIDE_PX, Matrix, PixelFormat, Plane, PlaneMut, Range,
    Size,
};
use polyp_engine::cuda::arguments::DevicePlane;

use crate::card;

/// Why a stream or one of its buffers is no frame for us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// The caps are not raw video of a known format.
    #[error("caps {caps}: expected video/x-raw in one of the formats {}", formats())]
    Caps {
        /// The refused caps.
        caps: String,
    },
    /// The fields of a frame lie in one picture.
    #[error(
        "caps field interlace-mode: expected progressive, found {found}; put `deinterlace` before this element"
    )]
    Interlaced {
        /// The refused mode.
        found: String,
    },
    /// The buffer's `GstVideoMeta` contradicts the caps.
    #[error("GstVideoMeta, field {field}: expected {expected}, found {found}")]
    Meta {
        /// The field.
        field: &'static str,
        /// What the caps say.
        expected: String,
        /// What the meta says.
        found: String,
    },
    /// The planes of a buffer that is to be painted share bytes.
    #[error("{format} buffer: expected planes apart from each other, found plane {plane} inside another")]
    Overlap {
        /// The format.
        format: PixelFormat,
        /// Which plane.
        plane: usize,
    },
    /// The buffer is not in a card's memory, as its caps promise.
    #[error("caps feature {}: expected {expected}, found {found}", card::FEATURE)]
    Memory {
        /// What such a buffer has.
        expected: String,
        /// What this one has.
        found: String,
    },
    /// GStreamer can not map the buffer.
    #[error("buffer of {bytes} bytes: {message}")]
    Map {
        /// Its size.
        bytes: usize,
        /// What GStreamer says.
        message: String,
    },
    /// The planes are no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

fn formats() -> String {
    PixelFormat::ALL.map(PixelFormat::name).join(", ")
}

/// The caps of every stream that the elements take: raw video in system memory, and after it the same in a card's.
/// Interlaced video is refused later, with a sentence: a template could only say that nothing fits.
pub fn caps() -> gst::Caps {
    let mut caps = caps_in(gst_video::VideoCapsBuilder::new());
    caps.merge(caps_in(gst_video::VideoCapsBuilder::new().features([card::FEATURE])));
    caps
}

fn caps_in<T>(memory: gst_video::VideoCapsBuilder<T>) -> gst::Caps {
    memory
        .format_list(PixelFormat::ALL.map(|format| gst_video::VideoFormat::from_string(format.name())))
        .width_range(1..=MAX_SIDE_PX.cast_signed())
        .height_range(1..=MAX_SIDE_PX.cast_signed())
        .build()
}

/// The pads of a filter for [`caps`].
///
/// # Errors
/// When GStreamer refuses the template.
pub fn pad_templates() -> Result<Vec<gst::PadTemplate>, gst::glib::BoolError> {
    let template =
        |name, direction| gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps());
    Ok(vec![template("sink", gst::PadDirection::Sink)?, template("src", gst::PadDirection::Src)?])
}

/// What a stream's caps say of its frames.
#[derive(Clone, Debug)]
pub struct Picture {
    info: gst_video::VideoInfo,
    format: PixelFormat,
    size: Size,
    colorimetry: Colorimetry,
    is_on_card: bool,
}

/// Where the planes of one buffer begin, and how far apart their rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    offset: [usize; 3],
    stride: [usize; 3],
}

impl Picture {
    /// What `caps` say.
    ///
    /// # Errors
    /// [`PictureError`] when the format is unknown or the video interlaced.
    pub fn from_caps(caps: &gst::CapsRef) -> Result<Self, PictureError> {
        let refused = || PictureError::Caps { caps: caps.to_string() };
        let info = gst_video::VideoInfo::from_caps(caps).map_err(|_no_video| refused())?;
        let format = PixelFormat::from_name(info.format().to_str()).ok_or_else(refused)?;
        if info.interlace_mode() != gst_video::VideoInterlaceMode::Progressive {
            return Err(PictureError::Interlaced { found: info.interlace_mode().to_str().to_string() });
        }
        let size = Size::new(info.width(), info.height());
        let colorimetry = colorimetry(&info, format);
        let is_on_card = caps.features(0).is_some_and(|features| features.contains(card::FEATURE));
        Ok(Self { info, format, size, colorimetry, is_on_card })
    }

    /// Whether the frames lie in a card's memory, where the CPU can not look at them.
    pub fn is_on_card(&self) -> bool {
        self.is_on_card
    }

    /// The frames' format, size and colorimetry.
    pub fn kind(&self) -> (PixelFormat, Size, Colorimetry) {
        (self.format, self.size, self.colorimetry)
    }

    /// The frames' size.
    pub fn size(&self) -> Size {
        self.size
    }

    /// What the frames' numbers mean.
    pub fn colorimetry(&self) -> Colorimetry {
        self.colorimetry
    }

    /// One frame's duration, if the frame rate is known.
    pub fn frame_duration(&self) -> Option<std::time::Duration> {
        let (rate, scale) = (self.info.fps().numer(), self.info.fps().denom());
        let (rate, scale) = (u64::try_from(rate).ok()?, u64::try_from(scale).ok()?);
        Some(std::time::Duration::from_nanos(scale.checked_mul(1_000_000_000)?.checked_div(rate)?))
    }

    /// Calls `read` with a view of `buffer`, which is mapped and not copied.
    ///
    /// # Errors
    /// [`PictureError`] when the buffer is not what the caps promise.
    pub fn view<T>(
        &self,
        buffer: &gst::BufferRef,
        read: impl FnOnce(&FrameView<'_>) -> T,
    ) -> Result<T, PictureError> {
        let layout = self.layout(buffer)?;
        let map = buffer.map_readable().map_err(|error| map_error(buffer, &error))?;
        Ok(read(&self.frame(map.as_slice(), layout)?))
    }

    /// Calls `paint` with a canvas over `buffer`, which is mapped and not copied unless its memory is shared
    /// with another buffer.
    ///
    /// # Errors
    /// [`PictureError`] when the buffer is not what the caps promise.
    pub fn canvas<T>(
        &self,
        buffer: &mut gst::BufferRef,
        paint: impl FnOnce(&mut Canvas<'_>) -> T,
    ) -> Result<T, PictureError> {
        let layout = self.layout(buffer)?;
        let bytes = buffer.size();
        let mut map = buffer
            .map_writable()
            .map_err(|error| PictureError::Map { bytes, message: error.message.to_string() })?;
        let planes = split(map.as_mut_slice(), layout, self.format)?;
        Ok(paint(&mut Canvas::new(self.format, self.size, self.colorimetry, planes)?))
    }

    /// The planes of `buffer`, whose map is `bytes` bytes from `start` on, wherever that is. Each reaches to where the next
    /// begins.
    ///
    /// # Errors
    /// [`PictureError`] when the buffer is not what the caps promise.
    pub fn places(
        &self,
        buffer: &gst::BufferRef,
        start: u64,
        bytes: usize,
    ) -> Result<Vec<DevicePlane>, PictureError> {
        let Layout { offset, stride } = self.layout(buffer)?;
        let (format, count) = (self.format, self.format.planes());
        let others = |plane: usize| offset.iter().take(count).enumerate().filter(move |(i, _)| *i != plane);
        let place = |(plane, (at, stride)): (usize, (&usize, &usize))| {
            if others(plane).any(|(_, other)| other == at) {
                return Err(PictureError::Overlap { format, plane });
            }
            let next = others(plane).map(|(_, other)| *other).filter(|other| other > at).min();
            let length = next.unwrap_or(bytes).min(bytes).saturating_sub(*at);
            Ok(DevicePlane { address: start + *at as u64, bytes: length, stride: *stride })
        };
        offset.iter().zip(&stride).take(count).enumerate().map(place).collect()
    }

    fn frame<'a>(&self, bytes: &'a [u8], layout: Layout) -> Result<FrameView<'a>, FrameError> {
        let plane =
            |(offset, stride): (usize, usize)| Plane { bytes: bytes.get(offset..).unwrap_or(&[]), stride };
        let planes: [Plane<'a>; 3] = [0, 1, 2].map(|i| plane((layout.offset[i], layout.stride[i])));
        FrameView::new(self.format, self.size, self.colorimetry, &planes[..self.format.planes()])
    }

    fn layout(&self, buffer: &gst::BufferRef) -> Result<Layout, PictureError> {
        match buffer.meta::<gst_video::VideoMeta>() {
            None => layout_of(self.format, self.info.offset(), self.info.stride()),
            Some(meta) => {
                let wrong = |field, expected: String, found: String| {
                    Err(PictureError::Meta { field, expected, found })
                };
                if meta.format() != self.info.format() {
                    return wrong("format", self.format.to_string(), meta.format().to_str().to_string());
                }
                let found = Size::new(meta.width(), meta.height());
                if found.width < self.size.width || found.height < self.size.height {
                    return wrong("size", format!("at least {}", self.size), found.to_string());
                }
                layout_of(self.format, meta.offset(), meta.stride())
            }
        }
    }
}

fn map_error(buffer: &gst::BufferRef, error: &gst::glib::BoolError) -> PictureError {
    PictureError::Map { bytes: buffer.size(), message: error.message.to_string() }
}

/// Matrix and range from the caps. What they leave open (only `colorimetry=0:0:…` can) is what GStreamer takes
/// for a picture of that size, never a constant of ours.
fn colorimetry(info: &gst_video::VideoInfo, format: PixelFormat) -> Colorimetry {
    if !format.is_yuv() {
        return Colorimetry::RGB;
    }
    let by_size = gst_video::VideoInfo::builder(info.format(), info.width(), info.height()).build().ok();
    let by_size = by_size.map(|info| info.colorimetry());
    let said = info.colorimetry();
    let matrix = |of: gst_video::VideoColorMatrix| Matrix::from_iso(of.to_iso());
    let known = matrix(said.matrix()).or_else(|| matrix(by_size.as_ref()?.matrix()));
    let range = range(said.range()).or_else(|| range(by_size.as_ref()?.range()));
    // GStreamer's own default is always one of ours; what stands here is only what its type allows.
    Colorimetry { matrix: known.unwrap_or(Matrix::Bt601), range: range.unwrap_or(Range::Limited) }
}

fn range(range: gst_video::VideoColorRange) -> Option<Range> {
    match range {
        gst_video::VideoColorRange::Range0_255 => Some(Range::Full),
        gst_video::VideoColorRange::Range16_235 => Some(Range::Limited),
        _ => None,
    }
}

fn layout_of(format: PixelFormat, offset: &[usize], stride: &[i32]) -> Result<Layout, PictureError> {
    let mut layout = Layout { offset: [0; 3], stride: [0; 3] };
    for plane in 0..format.planes() {
        let (offset, stride) = (offset.get(plane).copied(), stride.get(plane).copied());
        let (Some(offset), Some(stride)) = (offset, stride) else {
            return Err(FrameError::PlaneCount { format, expected: format.planes(), found: plane }.into());
        };
        let Ok(positive) = usize::try_from(stride) else {
            let (expected, found) = ("rows from the top down".to_owned(), stride.to_string());
            return Err(PictureError::Meta { field: "stride", expected, found });
        };
        layout.offset[plane] = offset;
        layout.stride[plane] = positive;
    }
    Ok(layout)
}

/// Cuts `bytes` into the planes to paint: each reaches to where the next begins.
fn split(
    bytes: &mut [u8],
    layout: Layout,
    format: PixelFormat,
) -> Result<impl Iterator<Item = PlaneMut<'_>>, PictureError> {
    let count = format.planes();
    let mut order = [0, 1, 2];
    let order = &mut order[..count];
    order.sort_by_key(|&plane| layout.offset[plane]);
    let mut parts: [&mut [u8]; 3] = [&mut [], &mut [], &mut []];
    let mut rest = bytes;
    // From the back: what is cut off the end is the plane, what stays holds the ones before it.
    for (place, &plane) in order.iter().enumerate().rev() {
        if place > 0 && layout.offset[order[place - 1]] == layout.offset[plane] {
            return Err(PictureError::Overlap { format, plane });
        }
        let (before, this) = rest.split_at_mut(layout.offset[plane].min(rest.len()));
        parts[plane] = this;
        rest = before;
    }
    let planes = parts.into_iter().zip(layout.stride).take(count);
    Ok(planes.map(|(bytes, stride)| PlaneMut { bytes, stride }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(caps: &str) -> Result<Picture, PictureError> {
        gst::init().unwrap();
        Picture::from_caps(&caps.parse::<gst::Caps>().unwrap())
    }

    #[test]
    fn matrix_and_range_come_from_the_caps() {
        let of = |rest: &str| {
            let caps = format!("video/x-raw,format=NV12,framerate=25/1,{rest}");
            let found = picture(&caps).unwrap().colorimetry();
            (found.matrix, found.range)
        };
        assert_eq!(of("width=64,height=64,colorimetry=bt709"), (Matrix::Bt709, Range::Limited));
        assert_eq!(of("width=64,height=64,colorimetry=bt2020"), (Matrix::Bt2020, Range::Limited));
        assert_eq!(of("width=64,height=64,colorimetry=1:4:0:0"), (Matrix::Bt601, Range::Full));
        // Left open: as GStreamer decides by size.
        assert_eq!(of("width=640,height=480").0, Matrix::Bt601);
        assert_eq!(of("width=1920,height=1080").0, Matrix::Bt709);
        assert_eq!(of("width=1920,height=1080,colorimetry=0:0:0:0"), (Matrix::Bt709, Range::Limited));
        let rgb = picture("video/x-raw,format=BGRx,width=64,height=64,colorimetry=bt709").unwrap();
        assert_eq!(rgb.colorimetry(), Colorimetry::RGB);
    }

    #[test]
    fn interlaced_and_unknown_caps_are_refused_with_a_sentence() {
        let caps = "video/x-raw,format=NV12,width=64,height=64,interlace-mode=";
        for mode in ["interleaved", "mixed"] {
            let error = picture(&format!("{caps}{mode}")).unwrap_err().to_string();
            assert!(error.contains(mode) && error.contains("`deinterlace`"), "{error}");
        }
        let error = picture("video/x-raw,format=P010_10LE,width=64,height=64").unwrap_err().to_string();
        assert!(error.contains("P010_10LE") && error.contains("NV12, I420"), "{error}");
    }

    #[test]
    fn planes_are_cut_where_the_meta_says() {
        let picture = picture("video/x-raw,format=I420,width=4,height=2").unwrap();
        // V before U, rows padded to 8 bytes, the last row of V not padded.
        let layout = Layout { offset: [0, 24, 16], stride: [8, 8, 8] };
        let mut bytes: Vec<u8> = (0..26).collect();
        let firsts: Vec<u8> = {
            let view = picture.frame(&bytes, layout).unwrap();
            view.planes().iter().map(|plane| plane.bytes[0]).collect()
        };
        assert_eq!(firsts, [0, 24, 16]);
        let planes: Vec<_> = split(&mut bytes, layout, PixelFormat::I420).unwrap().collect();
        let found: Vec<(u8, usize)> =
            planes.iter().map(|plane| (plane.bytes[0], plane.bytes.len())).collect();
        assert_eq!(found, [(0, 16), (24, 2), (16, 8)]);
    }

    #[test]
    fn a_buffer_that_is_too_short_is_an_error_and_not_a_crash() {
        let picture = picture("video/x-raw,format=NV12,width=64,height=64").unwrap();
        for bytes in [0, 1, 64 * 64, 64 * 64 * 3 / 2 - 1] {
            let mut buffer = gst::Buffer::with_size(bytes).unwrap();
            assert!(picture.view(&buffer, |_| ()).is_err(), "{bytes}");
            assert!(picture.canvas(buffer.get_mut().unwrap(), |_| ()).is_err(), "{bytes}");
        }
        let mut buffer = gst::Buffer::with_size(64 * 64 * 3 / 2).unwrap();
        assert!(picture.view(&buffer, |_| ()).is_ok());
        assert!(picture.canvas(buffer.get_mut().unwrap(), |_| ()).is_ok());
    }

    #[test]
    fn planes_in_the_same_place_can_not_be_painted() {
        let layout = Layout { offset: [0, 16, 16], stride: [4, 2, 2] };
        let error = split(&mut [0; 24], layout, PixelFormat::I420).err().unwrap();
        assert!(error.to_string().contains("inside another"), "{error}");
    }
}
