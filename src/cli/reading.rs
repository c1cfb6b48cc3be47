//! What `polypsegment` and `polypoverlay` say of a frame, read from its buffer as any application may: by the names of
//! the meta's plain fields.

use std::borrow::Cow;
use std::time::Duration;

use polyp::frame::Rect;
use polyp::input::Placement;
use polyp::motion::{Affine, Motion};
use polyp::segmentation::Segmentation;

/// The meta's name.
const META: &str = "PolypSegmentationMeta";

/// The stages of a frame's way, in order, as the tool's tables name them, and the fields that hold their times.
pub(super) const STAGES: [(&str, &str); 8] = [
    ("copy", "copy-time"),
    ("wait", "wait-time"),
    ("motion", "motion-time"),
    ("queue", "queue-time"),
    ("input", "input-time"),
    ("network", "infer-time"),
    ("decode", "decode-time"),
    ("paint", "paint-time"),
];

/// What was said of one frame.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// What the mask is worth.
    pub(super) badge: String,
    /// The frame's number in its stream.
    pub(super) sequence: u64,
    /// The mask and its age, if there is one.
    pub(super) mask: Option<(Segmentation, Duration)>,
    /// How the picture moved since the mask's own frame, where the mask is moved along.
    pub(super) motion: Option<Affine>,
    /// Times of [`STAGES`], where they are known.
    pub(super) stages: [Option<Duration>; STAGES.len()],
}

impl Reading {
    /// What hangs on `buffer`, if anything does.
    pub(super) fn of(buffer: &gst::BufferRef) -> Option<Self> {
        let meta = gst::meta::CustomMeta::from_buffer(buffer, META).ok()?;
        let fields = meta.structure();
        let time = |name: &str| fields.get::<u64>(name).ok().map(Duration::from_nanos);
        Some(Self {
            badge: fields.get("badge").ok()?,
            sequence: fields.get("sequence").ok()?,
            mask: mask(fields).zip(time("mask-age")),
            motion: motion(fields),
            stages: STAGES.map(|(_, field)| time(field)),
        })
    }
}

impl Reading {
    /// The mask as it was shown: moved along with the picture, where it was. Nothing where none was shown.
    pub(super) fn shown(&self) -> Option<Cow<'_, Segmentation>> {
        let (mask, age) = self.mask.as_ref()?;
        let Some(map) = self.motion else { return Some(Cow::Borrowed(mask)) };
        let motion = Motion { from: mask.pts, to: mask.pts + *age, map, quality: 1.0 };
        Some(Cow::Owned(mask.moved(&motion, None).ok()?.segmentation().clone()))
    }
}

fn motion(fields: &gst::StructureRef) -> Option<Affine> {
    let number = |name: &str| fields.get::<f64>(&format!("motion-{name}")).ok().map(|number| number as f32);
    let row = |names: [&str; 2]| Some([number(names[0])?, number(names[1])?]);
    Some(Affine { matrix: [row(["xx", "xy"])?, row(["yx", "yy"])?], offset: row(["x", "y"])? })
}

fn mask(fields: &gst::StructureRef) -> Option<Segmentation> {
    let cells: gst::glib::Bytes = fields.get("mask").ok()?;
    let number = |name: String| fields.get::<u32>(&name).ok();
    let rect = |of: &str| {
        let side = |name: &str| number(format!("{of}-{name}"));
        Some(Rect { x: side("x")?, y: side("y")?, width: side("width")?, height: side("height")? })
    };
    let placement = Placement {
        source: rect("source")?,
        target: rect("target")?,
        side_px: number("mask-side".to_owned())?,
    };
    let sequence = fields.get("mask-sequence").ok()?;
    // Its time is the frame's less its age, and nobody here asks for it.
    Some(Segmentation { probability: cells.to_vec(), placement, pts: Duration::ZERO, sequence })
}
