//! What travels on a buffer from `polypsegment` to whoever is downstream in the same process: the newest mask,
//! what it is worth, and how long each stage took.
//!
//! It is a `GstCustomMeta` named [`NAME`] whose structure holds one boxed, shared [`FrameMeta`]: a copy of the
//! buffer shares it, and elements that hand buffers on (`queue`, `tee`, `identity`) hand it on. Elements that make new
//! pictures (`videoscale`, `videoflip`, `videoconvert`) drop it: it carries a tag that none of them knows, so that none
//! takes a mask into a picture in which it would lie elsewhere.
//! `GstAnalyticsSegmentationMtd` was the other road; it is newer than GStreamer 1.22.
//!
//! The same is said in plain fields, so that an application that knows nothing of Rust reads it too. Times are in
//! nanoseconds (`guint64`); what is not known is not there.
//!
//! | field | type | what |
//! |---|---|---|
//! | `badge` | string | what the mask is worth: `live`, `held`, `starting`, `no-mask`, `frozen`, `late`, `fault`, `off` |
//! | `sequence` | `guint64` | the frame's number in its stream |
//! | `mask` | `GBytes` | probabilities of the cells, row by row, 0 = 0.0 and 255 = 1.0 |
//! | `mask-side` | `guint` | rows and columns of `mask` |
//! | `mask-age`, `mask-sequence` | `guint64` | how old the mask is, and its own frame's number |
//! | `source-x`, `-y`, `-width`, `-height` | `guint` | the part of the frame, in pixels, that `target` shows |
//! | `target-x`, `-y`, `-width`, `-height` | `guint` | the cells of the mask that hold it |
//! | `motion-xx`, `-xy`, `-x`, `-yx`, `-yy`, `-y` | double | what was at (x, y) in the mask's frame is at (xx x + xy y + x, yx x + yy y + y) in this one, in pixels with centres at +0.5; the mask's cells are where they were in its own |
//! | `alarm` | boolean | whether the alarm is raised; not there while it is switched off |
//! | `copy-time`, `wait-time`, `motion-time`, `segment-time` | `guint64` | this frame in `polypsegment`; the last is all of it |
//! | `queue-time`, `input-time`, `infer-time`, `decode-time` | `guint64` | the mask's own frame in the network |
//! | `paint-time` | `guint64` | this frame in `polypoverlay`, if it painted |
//! | `over-budget` | string | the stages that took longer than `budget` allows, apart by commas; not there where none did |
//!
//! Not here: deciding whether the mask may be shown ([`polyp::segmentation::Segmentation::shown_on`]).

use std::convert::Infallible;
use std::ffi::CStr;
use std::fmt;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use gst::glib;
use polyp::frame::{Rect, Size};
use polyp::motion::Motion;
use polyp::overlay::Badge;
use polyp::reuse::Reuse;
use polyp::segmentation::Segmentation;
use polyp::session::EngineRecord;
use polyp::trace::{COUNT, Ledger, Stage};
use polyp_engine::worker::Timing;

/// The meta's name, as `gst_buffer_get_custom_meta` takes it.
pub const NAME: &str = "PolypSegmentationMeta";
/// The same for C.
const C_NAME: &CStr = c"PolypSegmentationMeta";
/// Metas that are kept to be used again: as many frames as are on their way at once, and one.
const KEPT: usize = 16;

/// The fields of the segmenter's own times.
const OWN_TIMES: [(&str, Stage); 4] = [
    ("copy-time", Stage::Copy),
    ("wait-time", Stage::Wait),
    ("motion-time", Stage::Motion),
    ("segment-time", Stage::Segment),
];

/// The fields of the motion's matrix, and of what it adds.
const MOTION: [&str; 6] = ["motion-xx", "motion-xy", "motion-x", "motion-yx", "motion-yy", "motion-y"];

/// The field of the meta's structure that holds the [`FrameMeta`].
const FIELD: &str = "frame";

/// What `polypsegment` says of one frame.
#[derive(Clone, Debug)]
pub struct FrameMeta {
    /// The mask, if there is one that may be shown on this frame.
    pub segmentation: Option<Arc<Segmentation>>,
    /// How the picture moved from the mask's own frame to this one, where that was measured: the mask is to be moved along before it is
    /// shown.
    pub motion: Option<Motion>,
    /// What the mask, or its absence, is worth.
    pub badge: Badge,
    /// Whether the alarm that a polyp is in view is raised; `None` while it is switched off.
    pub alarm: Option<bool>,
    /// What makes the masks; `None` while there is no engine.
    pub engine: Option<Arc<EngineRecord>>,
    /// The frame's size: the mask's placement is in these pixels.
    pub size: Size,
    /// The frame's number in its stream.
    pub sequence: u64,
    /// The frame's running time, or the time that was counted for it.
    pub time: Duration,
    /// How long the stages took.
    pub trace: Trace,
    /// Which of them, in the segmenter, took longer than the budget allows.
    pub over: Over,
    /// Where whoever comes later on the frame's way writes its times; `None` for a frame that is not live.
    pub ledger: Option<Arc<Ledger>>,
}

/// How long the stages of one frame took, by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    /// When the frame came in.
    pub arrived: Instant,
    /// When each stage in the element began, and how long it took; `None` where it was not gone through.
    spans: [Option<(Instant, Duration)>; COUNT],
    /// The network's stages for the mask that is attached, which may be of an earlier frame.
    pub engine: Option<Timing>,
}

impl Trace {
    /// The trace of a frame that has just come in.
    pub fn begin() -> Self {
        Self { arrived: Instant::now(), spans: [None; COUNT], engine: None }
    }

    /// Writes down a stage that began at `begun` and is over now.
    pub fn mark(&mut self, stage: Stage, begun: Instant) {
        if let Some(span) = self.spans.get_mut(stage as usize) {
            *span = Some((begun, begun.elapsed()));
        }
    }

    /// How long a stage took; zero where it was not gone through.
    pub fn time(&self, stage: Stage) -> Duration {
        self.spans.get(stage as usize).copied().flatten().map_or(Duration::ZERO, |(_, time)| time)
    }

    /// The stages that were gone through: when each began and how long it took.
    pub fn spans(&self) -> impl Iterator<Item = (Stage, Instant, Duration)> {
        let spans = Stage::ALL.into_iter().zip(self.spans);
        spans.filter_map(|(stage, span)| span.map(|(begun, time)| (stage, begun, time)))
    }
}

/// A frame's verdict: the stages that took longer than they may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Over([bool; COUNT]);

impl Over {
    /// Adds `stage`, if it `is` over.
    pub fn add(&mut self, stage: Stage, is: bool) {
        if let Some(over) = self.0.get_mut(stage as usize) {
            *over |= is;
        }
    }

    /// Whether all were in time.
    pub fn is_empty(self) -> bool {
        !self.0.contains(&true)
    }
}

impl fmt::Display for Over {
    /// Their names, apart by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let over = Stage::ALL.iter().zip(self.0).filter(|(_, over)| *over);
        for (index, (stage, _)) in over.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", stage.name())?;
        }
        Ok(())
    }
}

#[derive(Clone, Debug, glib::SharedBoxed)]
#[shared_boxed_type(name = "PolypFrameMeta")]
struct Shared(Arc<FrameMeta>);

/// A mask's cells as bytes that are shared and not copied.
struct Cells(Arc<Segmentation>);

impl Cells {
    fn wrapped(mask: &Arc<Segmentation>) -> glib::Bytes {
        glib::Bytes::from_owned(Self(Arc::clone(mask)))
    }
}

impl AsRef<[u8]> for Cells {
    fn as_ref(&self) -> &[u8] {
        &self.0.probability
    }
}

impl FrameMeta {
    /// The plain fields of the module's table, but for `mask` and `paint-time`.
    fn describe(&self, structure: &mut gst::StructureRef) {
        structure.set("badge", badge_name(&self.badge));
        structure.set("sequence", self.sequence);
        if let Some(mask) = &self.segmentation {
            structure.set("mask-side", mask.placement.side_px);
            structure.set("mask-age", nanoseconds(self.time.saturating_sub(mask.pts)));
            structure.set("mask-sequence", mask.sequence);
            let Rect { x, y, width, height } = mask.placement.source;
            let source =
                [("source-x", x), ("source-y", y), ("source-width", width), ("source-height", height)];
            let Rect { x, y, width, height } = mask.placement.target;
            let target =
                [("target-x", x), ("target-y", y), ("target-width", width), ("target-height", height)];
            for (name, value) in source.into_iter().chain(target) {
                structure.set(name, value);
            }
        }
        if let Some(alarm) = self.alarm {
            structure.set("alarm", alarm);
        }
        if let Some(Motion { map, .. }) = &self.motion {
            let [[xx, xy], [yx, yy]] = map.matrix;
            let [x, y] = map.offset;
            for (name, value) in MOTION.into_iter().zip([xx, xy, x, yx, yy, y]) {
                structure.set(name, f64::from(value));
            }
        }
        for (name, stage) in OWN_TIMES {
            let time = self.trace.time(stage);
            if !time.is_zero() {
                structure.set(name, nanoseconds(time));
            }
        }
        if !self.over.is_empty() {
            structure.set("over-budget", self.over.to_string());
        }
        if let Some(Timing { queued, prepared, inferred, decoded, .. }) = self.trace.engine {
            structure.set("queue-time", nanoseconds(queued));
            if !prepared.is_zero() {
                structure.set("input-time", nanoseconds(prepared));
            }
            structure.set("infer-time", nanoseconds(inferred));
            structure.set("decode-time", nanoseconds(decoded));
        }
    }
}

/// A span of time as GStreamer writes it.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Makes the meta known to GStreamer; more than once does no harm.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::meta::CustomMeta::register(NAME, &["video", "size", "orientation", "polyp-placement"])
    });
}

/// Hangs metas on buffers, in memory that is used again: after a few frames none is allocated.
#[derive(Debug)]
pub struct Metas {
    frames: Reuse<FrameMeta>,
    /// The newest mask, and its cells as they are hung.
    cells: Option<(Arc<Segmentation>, glib::Bytes)>,
}

impl Default for Metas {
    fn default() -> Self {
        Self { frames: Reuse::new(KEPT), cells: None }
    }
}

impl Metas {
    /// Hangs `frame` on `buffer`, in place of what hung there.
    ///
    /// # Errors
    /// When GStreamer does not know the meta: [`register`] was not called.
    pub fn attach(&mut self, buffer: &mut gst::BufferRef, frame: FrameMeta) -> Result<(), glib::BoolError> {
        let cells = frame.segmentation.as_ref().map(|mask| self.cells(mask));
        let Ok(frame) = self.frames.share(|_| Ok::<_, Infallible>(frame));
        hang(buffer, frame, cells)
    }

    fn cells(&mut self, mask: &Arc<Segmentation>) -> glib::Bytes {
        match &self.cells {
            Some((known, bytes)) if Arc::ptr_eq(known, mask) => bytes.clone(),
            _ => {
                let bytes = Cells::wrapped(mask);
                self.cells = Some((Arc::clone(mask), bytes.clone()));
                bytes
            }
        }
    }
}

/// Hangs one `frame` on `buffer`, as [`Metas::attach`] does, in memory of its own.
///
/// # Errors
/// Those of [`Metas::attach`].
pub fn attach(buffer: &mut gst::BufferRef, frame: FrameMeta) -> Result<(), glib::BoolError> {
    let cells = frame.segmentation.as_ref().map(Cells::wrapped);
    hang(buffer, Arc::new(frame), cells)
}

fn hang(
    buffer: &mut gst::BufferRef,
    frame: Arc<FrameMeta>,
    cells: Option<glib::Bytes>,
) -> Result<(), glib::BoolError> {
    let structure = structure_mut(buffer, true)
        .ok_or_else(|| glib::bool_error!("the meta {NAME} is not known to GStreamer"))?;
    structure.remove_all_fields();
    frame.describe(structure);
    if let Some(cells) = cells {
        structure.set("mask", cells);
    }
    structure.set(FIELD, Shared(frame));
    Ok(())
}

/// Says on `buffer`, if something of ours hangs there, how long its painting took, if it was painted, and what was over the budget by now.
pub(crate) fn set_painted(buffer: &mut gst::BufferRef, time: Option<Duration>, over: Over) {
    if let Some(structure) = structure_mut(buffer, false) {
        if let Some(time) = time {
            structure.set("paint-time", nanoseconds(time));
        }
        if !over.is_empty() {
            structure.set("over-budget", over.to_string());
        }
    }
}

/// What hangs on `buffer`, if anything does.
pub fn of(buffer: &gst::BufferRef) -> Option<Arc<FrameMeta>> {
    structure(buffer)?.get::<Shared>(FIELD).ok().map(|shared| shared.0)
}

/// The structure of our meta on `buffer`.
#[allow(unsafe_code, reason = "the bindings' own way copies the meta's name for every buffer")]
fn structure(buffer: &gst::BufferRef) -> Option<&gst::StructureRef> {
    // SAFETY: the buffer is only looked at; its meta and the meta's structure live as long as it does and is not changed, which the borrow
    // sees to.
    unsafe {
        let meta = gst::ffi::gst_buffer_get_custom_meta(buffer.as_mut_ptr(), C_NAME.as_ptr());
        let structure = std::ptr::NonNull::new(meta)?;
        let structure = gst::ffi::gst_custom_meta_get_structure(structure.as_ptr());
        (!structure.is_null()).then(|| gst::StructureRef::from_glib_borrow(structure))
    }
}

/// The same to be written to; hung there first, where it is `wanted` and is not.
#[allow(unsafe_code, reason = "the bindings' own way copies the meta's name for every buffer")]
fn structure_mut(buffer: &mut gst::BufferRef, wanted: bool) -> Option<&mut gst::StructureRef> {
    // SAFETY: a buffer that is borrowed for writing may be written to; its meta and the meta's structure live as long as it does, and nobody else
    // has them while the borrow lasts.
    unsafe {
        let mut meta = gst::ffi::gst_buffer_get_custom_meta(buffer.as_mut_ptr(), C_NAME.as_ptr());
        if meta.is_null() && wanted {
            meta = gst::ffi::gst_buffer_add_custom_meta(buffer.as_mut_ptr(), C_NAME.as_ptr());
        }
        let meta = std::ptr::NonNull::new(meta)?;
        let structure = gst::ffi::gst_custom_meta_get_structure(meta.as_ptr());
        (!structure.is_null()).then(|| gst::StructureRef::from_glib_borrow_mut(structure))
    }
}

/// The badge's name in statistics.
pub fn badge_name(badge: &Badge) -> &'static str {
    match badge {
        Badge::Live => "live",
        Badge::Held { .. } => "held",
        Badge::Starting => "starting",
        Badge::NoMask => "no-mask",
        Badge::Frozen => "frozen",
        Badge::Late => "late",
        Badge::Fault => "fault",
        Badge::Off => "off",
    }
}
