//! Moving pictures with known truth for the studies in this folder, and the network that answers about them.

use std::path::Path;

use polyp::clip::{Clip, Picture};
use polyp::config::Framerate;
use polyp::decode::Decoder;
use polyp::frame::{Canvas, Colorimetry, FrameView, PixelFormat, Plane, PlaneMut, Size};
use polyp::preprocess::Preprocessor;
use polyp::roi::RoiFinder;
use polyp::segmentation::Segmentation;
use polyp_engine::engine::{BACKENDS, Engine, Options};
use polyp_engine::folder::EngineFolder;
use polyp_engine::memory::PromptMemory;

pub(crate) type Failure = Box<dyn std::error::Error>;

pub(crate) const FRAMERATE: Framerate = Framerate { numerator: 25, denominator: 1 };
/// Stills are animated at this size.
pub(crate) const SIZE: Size = Size::new(640, 360);
/// And for so many frames unless said otherwise.
pub(crate) const FRAMES: u64 = 50;

/// A frame and its truth.
pub(crate) struct Frame {
    format: PixelFormat,
    pub(crate) size: Size,
    colorimetry: Colorimetry,
    planes: Vec<(Vec<u8>, usize)>,
    pub(crate) truth: Vec<bool>,
}

impl Frame {
    pub(crate) fn view(&self) -> Result<FrameView<'_>, Failure> {
        let planes: Vec<Plane<'_>> =
            self.planes.iter().map(|(bytes, stride)| Plane { bytes, stride: *stride }).collect();
        Ok(FrameView::new(self.format, self.size, self.colorimetry, &planes)?)
    }

    pub(crate) fn of_clip(clip: &Clip, index: u64) -> Result<Self, Failure> {
        let format = PixelFormat::Nv12;
        let mut planes: Vec<(Vec<u8>, usize)> = (0..format.planes())
            .map(|plane| format.plane_extent(plane, SIZE))
            .map(|(stride, rows)| (vec![0; stride * rows], stride))
            .collect();
        let canvas = planes.iter_mut().map(|(bytes, stride)| PlaneMut { bytes, stride: *stride });
        clip.paint(index, &mut Canvas::new(format, SIZE, Clip::COLORIMETRY, canvas)?)?;
        Ok(Self { format, size: SIZE, colorimetry: Clip::COLORIMETRY, planes, truth: clip.truth(index) })
    }

    pub(crate) fn read(folder: &Path, name: &str) -> Result<Self, Failure> {
        let picture = image::open(folder.join("images").join(format!("{name}.png")))?.into_rgb8();
        let mask = image::open(folder.join("masks").join(format!("{name}.png")))?.into_luma8();
        let size = Size::new(picture.width(), picture.height());
        let truth = mask.pixels().map(|pixel| pixel.0[0] > 127).collect();
        let planes = vec![(picture.into_raw(), 3 * size.width as usize)];
        Ok(Self { format: PixelFormat::Rgb, size, colorimetry: Colorimetry::RGB, planes, truth })
    }
}

/// What runs the network.
pub(crate) struct Network {
    engine: Box<dyn Engine>,
    memory: PromptMemory,
    preprocessor: Preprocessor,
    decoder: Decoder,
}

impl Network {
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let folder = EngineFolder::open(folder)?;
        let backend = BACKENDS.first().ok_or("there is no backend")?;
        Ok(Self {
            engine: (backend.open)(&folder, &Options::default())?,
            memory: folder.memory()?,
            preprocessor: Preprocessor::new(folder.manifest().input),
            decoder: Decoder::new(folder.manifest().temperature)?,
        })
    }

    pub(crate) fn mask(
        &mut self,
        frame: &FrameView<'_>,
        finder: &mut RoiFinder,
        index: u64,
    ) -> Result<Segmentation, Failure> {
        let side = self.preprocessor.spec().side_px as usize;
        let (mut image, mut logits) = (vec![0.0; 3 * side * side], Vec::new());
        let placement = self.preprocessor.run(frame, finder.source(frame), &mut image)?;
        self.engine.infer(&image, 1, &self.memory, &mut logits)?;
        Ok(self.decoder.decode(&logits, placement, FRAMERATE.time_of(index), index, None)?)
    }
}

/// The frames of a still that is animated for so many.
pub(crate) fn animated(
    picture: Picture,
    frames: u64,
) -> Result<impl Iterator<Item = Result<Frame, Failure>>, Failure> {
    let clip = Clip::new(&[picture], SIZE, FRAMERATE, frames)?;
    Ok((0..frames).map(move |index| Frame::of_clip(&clip, index)))
}
