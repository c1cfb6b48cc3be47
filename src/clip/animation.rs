//! The clip: which still a frame shows, where it lies, and what is true of it.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::motion::Motion;
use super::screen::Screen;
use super::warp::{Row, Samples};
use super::{ClipError, Picture};
use crate::colour::to_yuv;
use crate::config::Framerate;
use crate::frame::{Canvas, Colorimetry, Matrix, PixelFormat, PlaneMut, Range, Rect, Size};

/// Black, and no colour, in the clip's colorimetry.
const BLACK: [u8; 3] = [16, 128, 128];
/// Luma of the panel's letters where they cover a pixel.
const LETTERS: f32 = 190.0;

/// Animated stills, frame by frame.
#[derive(Debug)]
pub struct Clip {
    screen: Screen,
    framerate: Framerate,
    dwell_frames: u64,
    stills: Vec<Still>,
}

/// A picture made ready: as large as it is shown, in luma and halved chroma, beside its panel.
#[derive(Debug)]
struct Still {
    name: String,
    note: String,
    /// Luma, U and V.
    planes: [Samples; 3],
    mask: Samples,
    /// Luma of the columns left of the window, whole height.
    panel: Vec<u8>,
}

/// A plane of a still, and how it is looked at.
struct Layer<'a> {
    samples: &'a Samples,
    /// How much smaller than the frame its plane is: 2 for chroma.
    scale: u32,
    /// What is seen past the still's end.
    outside: u8,
}

impl Clip {
    /// What the samples of its frames mean.
    pub const COLORIMETRY: Colorimetry = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };

    /// A clip of `pictures`, each shown for `dwell_frames` frames (at least 1), over and over. Frames are of
    /// `size`, whose sides are even.
    ///
    /// # Errors
    /// [`ClipError`] when there are no pictures or one can not be resized.
    pub fn new(
        pictures: &[Picture],
        size: Size,
        framerate: Framerate,
        dwell_frames: u64,
    ) -> Result<Self, ClipError> {
        if pictures.is_empty() {
            return Err(ClipError::Empty);
        }
        let screen = Screen::new(size);
        let count = pictures.len();
        let stills = pictures
            .iter()
            .enumerate()
            .map(|(index, picture)| Still::new(picture, &screen, &format!("still {} of {count}", index + 1)));
        let stills = stills.collect::<Result<_, _>>()?;
        Ok(Self { screen, framerate, dwell_frames: dwell_frames.max(1), stills })
    }

    /// Frame size in pixels.
    pub fn size(&self) -> Size {
        self.screen.size
    }

    /// Frames per second.
    pub fn framerate(&self) -> Framerate {
        self.framerate
    }

    /// For how many frames each picture is shown.
    pub fn dwell_frames(&self) -> u64 {
        self.dwell_frames
    }

    /// How many pictures there are.
    pub fn pictures(&self) -> usize {
        self.stills.len()
    }

    /// Name and note of a picture.
    pub fn words(&self, picture: usize) -> Option<(&str, &str)> {
        self.stills.get(picture).map(|still| (still.name.as_str(), still.note.as_str()))
    }

    /// The number of the picture that frame `index` shows.
    pub fn picture_of(&self, index: u64) -> usize {
        (index / self.dwell_frames) as usize % self.stills.len().max(1)
    }

    /// The part of the frame in which the endoscope's picture is, in pixels. Its corners are cut.
    pub fn window(&self) -> Rect {
        self.screen.window
    }

    /// The still of frame `index`, and how it lies.
    fn scene(&self, index: u64) -> Option<(&Still, Motion)> {
        let picture = self.picture_of(index);
        let still = self.stills.get(picture)?;
        let time = self.framerate.time_of(index % self.dwell_frames);
        // A later round begins where the round before ended, so that a loop is not the same each time.
        let round = index / self.dwell_frames / self.stills.len() as u64;
        let seconds = time.as_secs_f32()
            + (round % 64) as f32 * self.framerate.time_of(self.dwell_frames).as_secs_f32();
        Some((still, Motion::at(picture, still.planes[0].size.height as f32, seconds)))
    }

    /// Paints frame `index` on all of `canvas`, which is I420 or NV12.
    ///
    /// # Errors
    /// [`ClipError::Canvas`] for another format or size.
    pub fn paint(&self, index: u64, canvas: &mut Canvas<'_>) -> Result<(), ClipError> {
        let (format, found) = (canvas.format(), canvas.size());
        let wrong = || ClipError::Canvas { expected: self.size(), format, found };
        if found != self.size() {
            return Err(wrong());
        }
        let (still, motion) = self.scene(index).ok_or(ClipError::Empty)?;
        match (format, canvas.planes_mut()) {
            (PixelFormat::I420, [y, u, v]) => {
                self.luma(still, &motion, y);
                self.chroma(still, &motion, 1, u, 0, 1);
                self.chroma(still, &motion, 2, v, 0, 1);
            }
            (PixelFormat::Nv12, [y, uv]) => {
                self.luma(still, &motion, y);
                self.chroma(still, &motion, 1, uv, 0, 2);
                self.chroma(still, &motion, 2, uv, 1, 2);
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }

    fn luma(&self, still: &Still, motion: &Motion, plane: &mut PlaneMut<'_>) {
        let Screen { size, window, .. } = self.screen;
        let columns = window.x as usize;
        let layer = Layer { samples: &still.planes[0], scale: 1, outside: BLACK[0] };
        let rows = plane.bytes.chunks_mut(plane.stride).zip(still.panel.chunks(columns.max(1)));
        for (row, (out, panel)) in (0..size.height).zip(rows) {
            let Some(out) = out.get_mut(..size.width as usize) else { continue };
            out.fill(BLACK[0]);
            for (out, panel) in out.iter_mut().zip(panel.iter().take(columns)) {
                *out = *panel;
            }
            self.window_row(&layer, motion, row, out, 1);
        }
    }

    /// Plane `which` (1 for U, 2 for V) to every `step`th byte from `first`.
    fn chroma(
        &self,
        still: &Still,
        motion: &Motion,
        which: usize,
        plane: &mut PlaneMut<'_>,
        first: usize,
        step: usize,
    ) {
        let (Some(samples), Some(none)) = (still.planes.get(which), BLACK.get(which)) else { return };
        let layer = Layer { samples, scale: 2, outside: *none };
        let Size { width, height } = self.screen.size;
        let rows = plane.bytes.chunks_mut(plane.stride);
        for (row, out) in (0..height / 2).zip(rows) {
            let Some(out) = out.get_mut(..width as usize / 2 * step) else { continue };
            out.iter_mut().skip(first).step_by(step).for_each(|out| *out = *none);
            if let Some(out) = out.get_mut(first..) {
                self.window_row(&layer, motion, row, out, step);
            }
        }
    }

    /// What the window shows of `layer` in row `row` of a plane: to every `step`th value of that row, `out`.
    fn window_row(&self, layer: &Layer<'_>, motion: &Motion, row: u32, out: &mut [u8], step: usize) {
        let Layer { samples, scale, outside } = *layer;
        let window = self.screen.window;
        let Some(row) = row.checked_sub(window.y / scale).filter(|row| *row < window.height / scale) else {
            return;
        };
        let columns = self.screen.columns(row * scale);
        let (first, end) = (columns.start.div_ceil(scale), columns.end / scale);
        let size = Size::new(window.width / scale, window.height / scale);
        let start = Row::new(motion, size, samples.size, scale as f32, row, first);
        let left = (window.x / scale) as usize;
        let span = (left + first as usize) * step..((left + end as usize) * step).min(out.len());
        if let Some(out) = out.get_mut(span) {
            samples.sample(start, outside, out, step);
        }
    }

    /// Whether a polyp is at each pixel of frame `index`, row by row.
    pub fn truth(&self, index: u64) -> Vec<bool> {
        let Size { width, height } = self.screen.size;
        let mut row_mask = vec![0; width as usize];
        let mut truth = Vec::with_capacity(self.screen.size.area());
        let scene = self.scene(index);
        for row in 0..height {
            row_mask.fill(0);
            if let Some((still, motion)) = &scene {
                let layer = Layer { samples: &still.mask, scale: 1, outside: 0 };
                self.window_row(&layer, motion, row, &mut row_mask, 1);
            }
            truth.extend(row_mask.iter().map(|value| *value > 127));
        }
        truth
    }
}

impl Still {
    fn new(picture: &Picture, screen: &Screen, counted: &str) -> Result<Self, ClipError> {
        let window = screen.window;
        // As large as it must be to cover the window in its native aspect.
        let native = picture.native;
        let scale =
            (window.width as f32 / native.width as f32).max(window.height as f32 / native.height as f32);
        let even = |side: u32| ((side as f32 * scale / 2.0).ceil() as u32).max(1) * 2;
        let size = Size::new(even(native.width), even(native.height));
        let resize = |samples: &[u8], pixel| {
            resize(samples, picture.size, size, pixel)
                .map_err(|message| ClipError::Resize { name: picture.name.clone(), message })
        };
        let rgb = resize(&picture.rgb, PixelType::U8x3)?;
        let mask = Samples { size, values: resize(&picture.mask, PixelType::U8)? };
        let panel = panel(screen, counted);
        let (name, note) = (picture.name.clone(), picture.note.clone());
        Ok(Self { name, note, planes: planes(&rgb, size), mask, panel })
    }
}

/// `samples` of a picture of `from`, as one of `to`.
fn resize(samples: &[u8], from: Size, to: Size, pixel: PixelType) -> Result<Vec<u8>, String> {
    let source = ImageRef::new(from.width, from.height, samples, pixel).map_err(|error| error.to_string())?;
    let mut out = Image::new(to.width, to.height, pixel);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    Resizer::new().resize(&source, &mut out, &options).map_err(|error| error.to_string())?;
    Ok(out.into_vec())
}

/// Luma, and chroma halved both ways, of a picture of even size.
fn planes(rgb: &[u8], size: Size) -> [Samples; 3] {
    let (width, half) = (size.width as usize, Size::new(size.width / 2, size.height / 2));
    let mut luma = Vec::with_capacity(size.area());
    let mut sums = vec![[0_u32; 2]; half.area()];
    for (index, pixel) in rgb.as_chunks::<3>().0.iter().enumerate() {
        let [y, u, v] = to_yuv(*pixel, Clip::COLORIMETRY);
        luma.push(y);
        if let Some(sum) = sums.get_mut(index / width / 2 * (width / 2) + index % width / 2) {
            sum[0] += u32::from(u);
            sum[1] += u32::from(v);
        }
    }
    let chroma = |which: usize| {
        let mean = |sum: &[u32; 2]| ((sum.get(which).copied().unwrap_or_default() + 2) / 4) as u8;
        Samples { size: half, values: sums.iter().map(mean).collect() }
    };
    [Samples { size, values: luma }, chroma(0), chroma(1)]
}

/// The luma left of the window: what the panel says.
fn panel(screen: &Screen, counted: &str) -> Vec<u8> {
    let columns = screen.window.x as usize;
    let mut luma = vec![BLACK[0]; columns * screen.size.height as usize];
    let lines =
        ["POLYP DEMO", "animated stills,", "no live patient", "", "Kvasir-SEG", "test pictures", counted];
    screen.write(&lines, |x, y, covered| {
        if let Some(out) = luma.get_mut(y as usize * columns + x as usize) {
            *out = (f32::from(BLACK[0]) + covered * (LETTERS - f32::from(BLACK[0]))) as u8;
        }
    });
    luma
}

#[cfg(test)]
mod tests;
