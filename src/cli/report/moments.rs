//! The pictures of a report: moments that were marked, and those that the network was least sure of.

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, RgbImage};
use polyp::frame::{Canvas, Colorimetry, PixelFormat, PlaneMut, Size};
use polyp::overlay::{STYLES, Scratch, Settings};
use polyp::session::doubt;

use crate::cli::failure::Failure;
use crate::cli::frames::{Frame, Frames};

/// How far apart doubtful moments are at least, in seconds: neighbours look alike.
const APART_S: f64 = 2.0;
/// A picture's width on the page, in pixels.
const WIDTH: u32 = 480;

/// A picture of the page.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) sequence: u64,
    pub(super) time_s: f64,
    /// How doubtful its own mask is; `None` where it has none.
    pub(super) doubt: Option<f32>,
    /// As JPEG.
    pub(super) jpeg: Vec<u8>,
    pub(super) size: Size,
}

/// The pictures by what they are there for.
#[derive(Clone, Debug, Default)]
pub(super) struct Pictures {
    /// In the order of the marks; `None` where the marked frame was not recorded.
    pub(super) marked: Vec<Option<Picture>>,
    /// The most doubtful first.
    pub(super) doubtful: Vec<Picture>,
}

/// Frames that are held on to.
pub(super) struct Moments {
    wanted: usize,
    marks: Vec<u64>,
    marked: Vec<Option<Frame>>,
    doubtful: Vec<(f32, Frame)>,
}

impl Moments {
    /// So many doubtful ones, and those of the marks.
    pub(super) fn new(wanted: usize, marks: Vec<u64>) -> Self {
        let marked = vec![None; marks.len()];
        Self { wanted, marks, marked, doubtful: Vec::new() }
    }

    /// Looks at the next frame.
    pub(super) fn see(&mut self, frame: Frame) {
        for (mark, marked) in self.marks.iter().zip(&mut self.marked) {
            if *mark == frame.sequence {
                *marked = Some(frame.clone());
            }
        }
        let Some(own) = frame.mask.as_ref().map(doubt).filter(|own| *own > 0.0) else { return };
        let time_s = frame.time.as_secs_f64();
        let near = |other: &Frame| (other.time.as_secs_f64() - time_s).abs() < APART_S;
        // Of neighbours the more doubtful stays.
        if self.doubtful.iter().any(|(doubt, other)| near(other) && *doubt >= own) {
            return;
        }
        self.doubtful.retain(|(_, other)| !near(other));
        self.doubtful.push((own, frame));
        self.doubtful.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        self.doubtful.truncate(self.wanted);
    }

    /// The pictures, painted as the first style paints them.
    pub(super) fn pictures(self, frames: &mut Frames) -> Result<Pictures, Failure> {
        let mut of = |frame: &Frame| picture(frame, frames);
        let marked = self.marked.iter().map(|frame| frame.as_ref().map(&mut of).transpose());
        let marked = marked.collect::<Result<Vec<_>, _>>()?;
        let doubtful = self.doubtful.iter().map(|(_, frame)| of(frame)).collect::<Result<Vec<_>, _>>()?;
        Ok(Pictures { marked, doubtful })
    }
}

fn picture(frame: &Frame, frames: &mut Frames) -> Result<Picture, Failure> {
    let mut picture = frames.picture(frame)?;
    paint(&mut picture, frame)?;
    let (width, height) = picture.dimensions();
    let small = Size::new(WIDTH.min(width), (height * WIDTH.min(width)).div_ceil(width.max(1)));
    let picture = resize(&picture, small.width, small.height, FilterType::Triangle);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 82)
        .encode(picture.as_raw(), small.width, small.height, ExtendedColorType::Rgb8)
        .map_err(|error| Failure::Stream(format!("a picture can not be made JPEG: {error}")))?;
    let doubt = frame.mask.as_ref().map(doubt);
    Ok(Picture { sequence: frame.sequence, time_s: frame.time.as_secs_f64(), doubt, jpeg, size: small })
}

fn paint(picture: &mut RgbImage, frame: &Frame) -> Result<(), Failure> {
    let (Some(mask), Some(style)) = (&frame.mask, STYLES.first()) else { return Ok(()) };
    let size = Size::new(picture.width(), picture.height());
    let stride = size.width as usize * 3;
    let plane = PlaneMut { bytes: picture.as_flat_samples_mut().samples, stride };
    let canvas = Canvas::new(PixelFormat::Rgb, size, Colorimetry::RGB, vec![plane]);
    let mut canvas = canvas.map_err(|error| Failure::Stream(error.to_string()))?;
    let shown = mask.shown_on(mask.pts, std::time::Duration::ZERO);
    let shown = shown.map_err(|error| Failure::Stream(error.to_string()))?;
    style.paint(&shown, &Settings::default(), &mut canvas, &mut Scratch::default());
    Ok(())
}
