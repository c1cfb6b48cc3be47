//! The frames of a session with their own masks, in red, green and blue where that is asked for.

use std::path::Path;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::prelude::*;
use image::RgbImage;
use polyp::frame::{Colorimetry, FrameView, Matrix, PixelFormat, Plane, Range, Rect, Size};
use polyp::preprocess::Preprocessor;
use polyp::segmentation::Segmentation;
use polyp::session::agreement;

use super::failure::Failure;
use super::reading::Reading;
use super::{bus, plugin};

/// How long a frame may take before something is wrong.
const FRAME_LIMIT: gst::ClockTime = gst::ClockTime::from_seconds(30);
/// How often it is said how far the export is.
const SAY: Duration = Duration::from_secs(5);

/// A frame.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    sample: gst::Sample,
    /// What the network said of it, where it was asked.
    pub(super) mask: Option<Segmentation>,
    /// The frame's number when it was recorded.
    pub(super) sequence: u64,
    /// Its time, the first frame's being 0.
    pub(super) time: Duration,
}

impl Frame {
    /// Frames per second by its caps; 0/1 where it varies.
    pub(super) fn framerate(&self) -> gst::Fraction {
        let caps = self.sample.caps().and_then(|caps| caps.structure(0));
        caps.and_then(|caps| caps.get("framerate").ok()).unwrap_or(gst::Fraction::new(0, 1))
    }
}

/// Plays a session as fast as frames are taken.
pub(super) struct Frames {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    converter: Option<(gst::Caps, gst_video::VideoInfo, gst_video::VideoInfo, gst_video::VideoConverter)>,
}

impl Frames {
    pub(super) fn open(session: &Path) -> Result<Self, Failure> {
        let source = plugin::make("polypsessionsrc")?;
        plugin::set(&source, "session", session.to_string_lossy().as_ref())?;
        plugin::set_named(&source, "masks", "own")?;
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(4).build();
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([&source, sink.upcast_ref()]).map_err(Failure::build)?;
        source.link(&sink).map_err(Failure::build)?;
        let frames = Self { pipeline, sink, converter: None };
        if frames.pipeline.set_state(gst::State::Playing).is_err() {
            return Err(frames.failure().unwrap_or_else(|| Failure::build("the source refused to start")));
        }
        Ok(frames)
    }

    /// The next of them; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Failure> {
        let Some(sample) = self.sink.try_pull_sample(FRAME_LIMIT) else {
            return match self.failure() {
                Some(failure) => Err(failure),
                None if self.sink.is_eos() => Ok(None),
                None => Err(Failure::Stream(format!("no frame came within {FRAME_LIMIT}"))),
            };
        };
        let reading = sample.buffer().and_then(Reading::of);
        let Reading { mask, sequence, .. } =
            reading.ok_or_else(|| Failure::Stream("a frame came on which nothing hangs".to_owned()))?;
        let time = sample.buffer().and_then(|buffer| buffer.pts()).map(Duration::from).unwrap_or_default();
        Ok(Some(Frame { sample, mask: mask.map(|(mask, _)| mask), sequence, time }))
    }

    /// The frame in red, green and blue.
    pub(super) fn picture(&mut self, frame: &Frame) -> Result<RgbImage, Failure> {
        let sample = &frame.sample;
        let failed = |what: &str| Failure::Stream(format!("a frame can not be made RGB: {what}"));
        let caps = sample.caps_owned().ok_or_else(|| failed("it has no caps"))?;
        if self.converter.as_ref().is_none_or(|(known, ..)| *known != caps) {
            let from = gst_video::VideoInfo::from_caps(&caps).map_err(|error| failed(&error.message))?;
            let to = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, from.width(), from.height())
                .fps(from.fps())
                .build()
                .map_err(|error| failed(&error.message))?;
            let converter = gst_video::VideoConverter::new(&from, &to, None);
            let converter = converter.map_err(|error| failed(&error.message))?;
            self.converter = Some((caps, from, to, converter));
        }
        let Some((_, from, to, converter)) = &self.converter else {
            return Err(failed("there is no converter"));
        };
        let buffer = sample.buffer().ok_or_else(|| failed("it is empty"))?;
        let input = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, from);
        let input = input.map_err(|error| failed(&error.message))?;
        let output = gst::Buffer::with_size(to.size()).map_err(|error| failed(&error.message))?;
        let output = gst_video::VideoFrame::from_buffer_writable(output, to);
        let mut output = output.map_err(|_buffer| failed("its memory can not be written"))?;
        {
            let mut output = output.as_mut_video_frame_ref();
            converter.frame_ref(&input, &mut output);
        }
        let (width, height) = (to.width() as usize, to.height() as usize);
        let stride =
            to.stride().first().and_then(|stride| usize::try_from(*stride).ok()).unwrap_or(width * 3);
        let buffer = output.into_buffer();
        let bytes = buffer.map_readable().map_err(|error| failed(&error.message))?;
        let rows =
            bytes.chunks(stride.max(1)).take(height).flat_map(|row| row.iter().take(width * 3).copied());
        RgbImage::from_raw(to.width(), to.height(), rows.collect()).ok_or_else(|| failed("it is too short"))
    }

    /// The part `region` of the frame as `preprocessor` makes it small: red, green and blue, `[side, side, 3]`.
    pub(super) fn small(
        frame: &Frame,
        region: Rect,
        preprocessor: &mut Preprocessor,
    ) -> Result<Vec<u8>, Failure> {
        let failed =
            |what: &dyn std::fmt::Display| Failure::Stream(format!("a frame can not be made small: {what}"));
        let sample = &frame.sample;
        let (Some(caps), Some(buffer)) = (sample.caps(), sample.buffer()) else {
            return Err(failed(&"it is empty"));
        };
        let info = gst_video::VideoInfo::from_caps(caps).map_err(|error| failed(&error))?;
        let name = info.format().to_str();
        let format = PixelFormat::from_name(name).ok_or_else(|| failed(&format!("format {name}")))?;
        let colorimetry = if format.is_yuv() { yuv(&info.colorimetry()) } else { Colorimetry::RGB };
        let mapped = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info);
        let mapped = mapped.map_err(|error| failed(&error))?;
        let plane = |index: usize| {
            let bytes = mapped.plane_data(u32::try_from(index).ok()?).ok()?;
            let stride = mapped.plane_stride().get(index).and_then(|stride| usize::try_from(*stride).ok())?;
            Some(Plane { bytes, stride })
        };
        let planes: Vec<Plane<'_>> = (0..format.planes()).map_while(plane).collect();
        let size = Size::new(info.width(), info.height());
        let view = FrameView::new(format, size, colorimetry, &planes).map_err(|error| failed(&error))?;
        let side = preprocessor.spec().side_px as usize;
        let mut rgb = vec![0; 3 * side * side];
        preprocessor.resize_rgb(&view, region, &mut rgb).map_err(|error| failed(&error))?;
        Ok(rgb)
    }

    fn failure(&self) -> Option<Failure> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        Some(bus::failed(&message))
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        // Nothing can be done about a pipeline that does not stop.
        let _failed = self.pipeline.set_state(gst::State::Null);
    }
}

/// What a session's frames say of their numbers; the recorder writes it of every file.
fn yuv(said: &gst_video::VideoColorimetry) -> Colorimetry {
    let full = said.range() == gst_video::VideoColorRange::Range0_255;
    Colorimetry {
        matrix: Matrix::from_iso(said.matrix().to_iso()).unwrap_or(Matrix::Bt709),
        range: if full { Range::Full } else { Range::Limited },
    }
}

/// Says now and then how far an export is.
pub(super) struct Progress {
    length: Duration,
    begun: Instant,
    said: Instant,
}

impl Progress {
    /// Of the session in `folder`, in which everything has to agree.
    pub(super) fn new(folder: &Path) -> Result<Self, Failure> {
        let found = agreement(folder)?;
        if let Some(wrong) = found.wrong.first() {
            return Err(Failure::Stream(format!("{}: {wrong}", folder.display())));
        }
        let now = Instant::now();
        Ok(Self { length: Duration::from_nanos(found.length_ns), begun: now, said: now })
    }

    /// The frame of that time is at hand.
    pub(super) fn at(&mut self, time: Duration) {
        if self.said.elapsed() < SAY {
            return;
        }
        self.said = Instant::now();
        let done = time.as_secs_f64() / self.length.as_secs_f64().max(f64::MIN_POSITIVE);
        let speed = time.as_secs_f64() / self.begun.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
        eprintln!(
            "polyp: {:.0} % of {:.0} s, {speed:.1} times as fast as it was recorded",
            done * 100.0,
            self.length.as_secs_f64()
        );
    }
}
