//! Frames of our own into a pipeline, at the pace of its clock, as a capture card would bring them.
//!
//! A thread paints each frame into a buffer of a pool and hands it to an `appsrc` when its time has come. When the
//! pipeline does not take a frame in time, the next one comes late; none is left out, and how late the latest was is
//! told at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::prelude::*;
use polyp::clip::Clip;
use polyp::config::Framerate;
use polyp::frame::{Canvas, Colorimetry, Matrix, PixelFormat, PlaneMut, Range, Size};

use super::failure::Failure;
use super::plugin;

/// Buffers that may wait between the feed and the pipeline.
const WAITING: u64 = 2;

/// Paints frame number `index`.
pub(super) type Paint = Box<dyn FnMut(u64, &mut Canvas<'_>) -> Result<(), Failure> + Send>;

/// What is fed.
pub(super) struct Frames {
    /// Pixel format: one of two planes or three.
    pub(super) format: PixelFormat,
    /// Frame size in pixels.
    pub(super) size: Size,
    /// Frames per second.
    pub(super) framerate: Framerate,
    /// How many; without an end otherwise.
    pub(super) count: Option<u64>,
    /// Paints one.
    pub(super) paint: Paint,
}

/// A feed that is set up: its `appsrc` is to be linked, and [`Feed::start`] begins.
pub(super) struct Feed {
    source: gst_app::AppSrc,
    info: gst_video::VideoInfo,
    frames: Frames,
}

/// What a feed has done so far.
#[derive(Debug, Default)]
struct Account {
    /// Frames that the pipeline took.
    fed: AtomicU64,
    /// How late the latest of them was, in microseconds.
    latest_us: AtomicU64,
}

/// A feed's thread.
pub(super) struct Running {
    stop: Arc<AtomicBool>,
    account: Arc<Account>,
    thread: Option<JoinHandle<Result<(), Failure>>>,
}

impl Feed {
    /// Frames that have the clip's colorimetry, through an `appsrc` that is in no pipeline yet.
    pub(super) fn new(frames: Frames) -> Result<Self, Failure> {
        plugin::make("appsrc")?; // for the sentence that names its package
        let Framerate { numerator, denominator } = frames.framerate;
        let fps = gst::Fraction::new(numerator.cast_signed(), denominator.cast_signed());
        let format = gst_video::VideoFormat::from_string(frames.format.name());
        let info = gst_video::VideoInfo::builder(format, frames.size.width, frames.size.height)
            .fps(fps)
            .colorimetry(&colorimetry(Clip::COLORIMETRY))
            .build()
            .map_err(Failure::build)?;
        let source = gst_app::AppSrc::builder()
            .caps(&info.to_caps().map_err(Failure::build)?)
            .format(gst::Format::Time)
            .is_live(true)
            .block(true)
            .max_buffers(WAITING)
            .max_bytes(0)
            .build();
        // A frame is there when it has been exposed, one interval after its time: so do capture cards count.
        source.set_latency(clock_time(frames.framerate.interval()), gst::ClockTime::NONE);
        Ok(Self { source, info, frames })
    }

    /// The element to link.
    pub(super) fn element(&self) -> gst::Element {
        self.source.clone().upcast()
    }

    /// How its frames lie in their buffers.
    pub(super) fn info(&self) -> gst_video::VideoInfo {
        self.info.clone()
    }

    /// Begins, once the pipeline plays.
    pub(super) fn start(self) -> Result<Running, Failure> {
        let (stop, account) = (Arc::new(AtomicBool::new(false)), Arc::new(Account::default()));
        let (stopped, kept) = (Arc::clone(&stop), Arc::clone(&account));
        let thread = std::thread::Builder::new()
            .name("polyp-feed".to_owned())
            .spawn(move || self.run(&stopped, &kept))
            .map_err(|error| Failure::Stream(format!("no thread for the feed: {error}")))?;
        Ok(Running { stop, account, thread: Some(thread) })
    }

    fn run(mut self, stop: &AtomicBool, account: &Account) -> Result<(), Failure> {
        let pool = pool(&self.info)?;
        let begun = Instant::now();
        let base = self.source.current_running_time().unwrap_or(gst::ClockTime::ZERO);
        let interval = self.frames.framerate.interval();
        for index in 0..self.frames.count.unwrap_or(u64::MAX) {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let mut buffer = pool.acquire_buffer(None).map_err(Failure::build)?;
            let time = self.frames.framerate.time_of(index);
            let writable =
                buffer.get_mut().ok_or_else(|| Failure::build("a buffer of the pool is shared"))?;
            writable.set_pts(base + clock_time(time));
            writable.set_duration(clock_time(interval));
            paint(writable, &self.info, &mut self.frames, index)?;
            let late = begun.elapsed().saturating_sub(time);
            let late_us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
            account.latest_us.fetch_max(late_us, Ordering::Relaxed);
            std::thread::sleep(time.saturating_sub(begun.elapsed()));
            match self.source.push_buffer(buffer) {
                Ok(_) => account.fed.fetch_add(1, Ordering::Relaxed),
                // The pipeline is being taken down.
                Err(gst::FlowError::Flushing | gst::FlowError::Eos) => return Ok(()),
                Err(error) => return Err(Failure::Stream(format!("the feed was refused: {error}"))),
            };
        }
        // Refused only when the pipeline is being taken down.
        let _refused = self.source.end_of_stream();
        Ok(())
    }
}

impl Running {
    /// How late the latest frame came out of the feed: more than an interval means that it can not keep up.
    pub(super) fn latest(&self) -> Duration {
        Duration::from_micros(self.account.latest_us.load(Ordering::Relaxed))
    }

    /// Frames that the pipeline has taken.
    pub(super) fn fed(&self) -> u64 {
        self.account.fed.load(Ordering::Relaxed)
    }

    /// Ends the stream after the frame that is being painted.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for the thread's end; the pipeline has ended or was taken down.
    pub(super) fn join(mut self) -> Result<(), Failure> {
        self.stop();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            Some(Err(_panic)) => Err(Failure::Stream("the feed panicked".to_owned())),
            None => Ok(()),
        }
    }
}

/// A time as GStreamer counts it.
pub(super) fn clock_time(time: Duration) -> gst::ClockTime {
    gst::ClockTime::try_from(time).unwrap_or(gst::ClockTime::MAX)
}

fn colorimetry(of: Colorimetry) -> gst_video::VideoColorimetry {
    let range = match of.range {
        Range::Full => gst_video::VideoColorRange::Range0_255,
        Range::Limited => gst_video::VideoColorRange::Range16_235,
    };
    let matrix = match of.matrix {
        Matrix::Bt601 => gst_video::VideoColorMatrix::Bt601,
        Matrix::Bt709 => gst_video::VideoColorMatrix::Bt709,
        Matrix::Bt2020 => gst_video::VideoColorMatrix::Bt2020,
    };
    let (transfer, primaries) =
        (gst_video::VideoTransferFunction::Bt709, gst_video::VideoColorPrimaries::Bt709);
    gst_video::VideoColorimetry::new(range, matrix, transfer, primaries)
}

fn pool(info: &gst_video::VideoInfo) -> Result<gst::BufferPool, Failure> {
    let pool = gst_video::VideoBufferPool::new();
    let mut config = pool.config();
    let bytes = u32::try_from(info.size()).unwrap_or(u32::MAX);
    config.set_params(Some(&info.to_caps().map_err(Failure::build)?), bytes, 4, 0);
    pool.set_config(config).map_err(Failure::build)?;
    pool.set_active(true).map_err(Failure::build)?;
    Ok(pool.upcast())
}

fn paint(
    buffer: &mut gst::BufferRef,
    info: &gst_video::VideoInfo,
    frames: &mut Frames,
    index: u64,
) -> Result<(), Failure> {
    let mut frame =
        gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, info).map_err(Failure::build)?;
    let strides: Vec<usize> = frame.plane_stride().iter().map(|s| usize::try_from(*s).unwrap_or(0)).collect();
    let planes = frame.planes_data_mut().into_iter().zip(strides);
    let planes = planes.map(|(bytes, stride)| PlaneMut { bytes, stride });
    let mut canvas =
        Canvas::new(frames.format, frames.size, Clip::COLORIMETRY, planes).map_err(Failure::build)?;
    (frames.paint)(index, &mut canvas)
}
