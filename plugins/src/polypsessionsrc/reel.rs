//! The frames of a session in their order, decoded, each with what it carries.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gst::glib;
use polyp::frame::Size;
use polyp::motion::{Affine, Motion};
use polyp::overlay::Badge;
use polyp::segmentation::Segmentation;
use polyp::session::matroska::{MASKS, Tracks};
use polyp::session::{EngineRecord, FrameRecord, MaskRecord, Player, Record, SegmentRecord};

use super::decoding::{Decoding, MaskDecoding, Picture};
use crate::meta::{FrameMeta, Over, Trace};

/// Which mask each frame carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "PolypSessionMasks")]
pub(super) enum Masks {
    /// The one that was shown on it.
    #[default]
    #[enum_value(
        name = "The mask that was shown on it, moved along with the picture as it was then",
        nick = "shown"
    )]
    Shown,
    /// The network's own of this frame.
    #[enum_value(name = "The network's own mask of this very frame, where there is one", nick = "own")]
    Own,
    /// None.
    #[enum_value(name = "None, so that a network can be asked anew", nick = "none")]
    None,
}

/// Masks that are kept for frames to come.
const KEPT: usize = 64;
/// How far ahead a frame's own mask is looked for, in nanoseconds: masks come later than their frames.
const LOOK_AHEAD_NS: u64 = 1_000_000_000;
/// How long a decoder may take for a picture before something is wrong.
const PICTURE_LIMIT: Duration = Duration::from_secs(10);

/// A frame to hand on.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) sample: gst::Sample,
    /// Its time, the first frame's being 0.
    pub(super) time: Duration,
    pub(super) meta: Option<FrameMeta>,
}

/// A frame whose packet has been read.
struct Coming {
    record: FrameRecord,
    data: Vec<u8>,
    key: bool,
    time: Duration,
    engine: Option<Arc<EngineRecord>>,
    /// The mask that was shown on it.
    shown: Option<Arc<Segmentation>>,
}

/// Plays a session.
pub(super) struct Reel {
    player: Player,
    masks: Masks,
    video: Option<Decoding>,
    mask_decoding: Option<MaskDecoding>,
    size: Size,
    engine: Option<Arc<EngineRecord>>,
    known: VecDeque<(u64, Arc<Segmentation>)>,
    /// What is added to recorded times.
    shift: Option<i128>,
    last_ns: Option<u64>,
    /// Frames whose own masks are being looked for, and files that begin between them: masks come later than their frames, and so after the
    /// line of a file that began meanwhile.
    ahead: VecDeque<Ahead>,
    /// Frames whose pictures have not come out of the decoder.
    decoding: VecDeque<Coming>,
    /// The file that begins when all frames before it are handed on.
    next: Option<(Box<SegmentRecord>, Tracks)>,
    ended: bool,
}

/// What is not given to a decoder yet.
enum Ahead {
    Frame(Box<Coming>),
    File(Box<SegmentRecord>, Tracks),
}

impl Reel {
    /// Of the session in `folder`.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn open(folder: &Path, masks: Masks) -> Result<Self, String> {
        let player = Player::open(folder).map_err(|error| error.to_string())?;
        Ok(Self {
            player,
            masks,
            video: None,
            mask_decoding: None,
            size: Size::default(),
            engine: None,
            known: VecDeque::new(),
            shift: None,
            last_ns: None,
            ahead: VecDeque::new(),
            decoding: VecDeque::new(),
            next: None,
            ended: false,
        })
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// When something is not what was recorded.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, String> {
        loop {
            if let Some(frame) = self.take_picture(Duration::ZERO)? {
                return Ok(Some(frame));
            }
            if self.next.is_some() || self.ended {
                // Another file, or none: what is before it comes out first.
                if let Some(frame) = self.drain()? {
                    return Ok(Some(frame));
                }
                let Some((record, tracks)) = self.next.take() else {
                    if self.ahead.is_empty() {
                        return Ok(None);
                    }
                    continue;
                };
                self.size = Size::new(record.width, record.height);
                self.video = Some(Decoding::start(&tracks, &record)?);
                self.feed(false)?;
                continue;
            }
            self.read()?;
            self.feed(false)?;
        }
    }

    fn read(&mut self) -> Result<(), String> {
        let Some(played) = self.player.next() else {
            self.ended = true;
            return Ok(());
        };
        let played = played.map_err(|error| error.to_string())?;
        match &played.record {
            Record::Segment(record) => {
                let (record, Some(tracks)) = (record.clone(), played.tracks) else { return Ok(()) };
                // The masks of a file may be read with the next one's decoder: FFV1 says all that it needs in each of them.
                self.mask_decoding = match tracks.of(MASKS) {
                    Some(_) => Some(MaskDecoding::start(&tracks)?),
                    None => None,
                };
                self.ahead.push_back(Ahead::File(record, tracks));
            }
            Record::Engine(engine) => self.engine = Some(Arc::new((**engine).clone())),
            Record::Mask(mask) => {
                if let Some(data) = played.data {
                    let mask = mask.clone();
                    self.mask(&mask, data)?;
                }
            }
            Record::Frame(frame) => {
                let record = (**frame).clone();
                if let Some(data) = played.data {
                    self.frame(record, data, played.key);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The time at which what was recorded at `pts_ns` is played.
    fn time(&self, pts_ns: u64) -> Duration {
        let time = i128::from(pts_ns) + self.shift.unwrap_or_default();
        Duration::from_nanos(u64::try_from(time).unwrap_or(0))
    }

    fn mask(&mut self, mask: &MaskRecord, data: Vec<u8>) -> Result<(), String> {
        let Some(decoding) = &self.mask_decoding else { return Ok(()) };
        let at = mask.sequence;
        let probability = decoding.decode(data).map_err(|error| format!("mask of frame {at}: {error}"))?;
        let sum = crc32fast::hash(&probability);
        if sum != mask.cells_crc {
            let expected = mask.cells_crc;
            return Err(format!(
                "mask of frame {at}: expected cells with checksum {expected:08x}, found {sum:08x}"
            ));
        }
        if self.shift.is_none() {
            self.shift = Some(-i128::from(mask.pts_ns));
        }
        let pts = self.time(mask.pts_ns);
        let segmentation =
            Segmentation { probability, placement: mask.placed.into(), pts, sequence: mask.sequence };
        if self.known.len() >= KEPT {
            self.known.pop_front();
        }
        self.known.push_back((mask.pts_ns, Arc::new(segmentation)));
        Ok(())
    }

    fn known(&self, pts_ns: u64) -> Option<Arc<Segmentation>> {
        self.known.iter().rev().find(|(known, _)| *known == pts_ns).map(|(_, mask)| Arc::clone(mask))
    }

    fn frame(&mut self, record: FrameRecord, data: Vec<u8>, key: bool) {
        let pts_ns = record.pts_ns;
        let shift = *self.shift.get_or_insert(-i128::from(pts_ns));
        if let Some(last_ns) = self.last_ns.filter(|last_ns| pts_ns <= *last_ns) {
            // The stream's time was turned back: the replay's goes on.
            self.shift = Some(shift + i128::from(last_ns - pts_ns) + 33_000_000);
            self.known.clear();
        }
        self.last_ns = Some(pts_ns);
        let time = self.time(pts_ns);
        let shown = record.mask_pts_ns.and_then(|mask| self.known(mask));
        let coming = Coming { record, data, key, time, engine: self.engine.clone(), shown };
        self.ahead.push_back(Ahead::Frame(Box::new(coming)));
    }

    /// Hands packets to the decoder: those whose masks are known, or all; up to where another file begins.
    fn feed(&mut self, all: bool) -> Result<(), String> {
        while self.next.is_none() {
            let newest = self.ahead.iter().rev().find_map(|ahead| match ahead {
                Ahead::Frame(frame) => Some(frame.record.pts_ns),
                Ahead::File(..) => None,
            });
            if let Some(Ahead::Frame(first)) = self.ahead.front() {
                let waits = self.masks == Masks::Own
                    && self.known.back().is_none_or(|(pts_ns, _)| *pts_ns < first.record.pts_ns)
                    && newest.unwrap_or_default().saturating_sub(first.record.pts_ns) < LOOK_AHEAD_NS;
                if waits && !all {
                    return Ok(());
                }
            }
            let mut coming = match self.ahead.pop_front() {
                Some(Ahead::Frame(coming)) => *coming,
                Some(Ahead::File(record, tracks)) => {
                    self.next = Some((record, tracks));
                    return Ok(());
                }
                None => return Ok(()),
            };
            let Some(video) = &self.video else { return Err("a frame comes before its file".to_owned()) };
            let pts = gst::ClockTime::from_nseconds(crate::meta::nanoseconds(coming.time));
            video.push(std::mem::take(&mut coming.data), coming.key, pts)?;
            self.decoding.push_back(coming);
        }
        Ok(())
    }

    /// All that is left of a file.
    fn drain(&mut self) -> Result<Option<Frame>, String> {
        self.feed(true)?;
        let Some(video) = &self.video else { return Ok(None) };
        if self.decoding.is_empty() {
            return Ok(None);
        }
        video.end();
        let begun = Instant::now();
        loop {
            if let Some(frame) = self.take_picture(Duration::from_millis(20))? {
                return Ok(Some(frame));
            }
            let is_over = self.video.as_ref().is_none_or(Decoding::is_over);
            if is_over || begun.elapsed() > PICTURE_LIMIT {
                let (count, first) = (self.decoding.len(), self.decoding.front().map(|f| f.record.sequence));
                return Err(format!("{count} frames from number {first:?} on could not be decoded"));
            }
        }
    }

    fn take_picture(&mut self, wait: Duration) -> Result<Option<Frame>, String> {
        let Some(video) = &self.video else { return Ok(None) };
        let Some(Picture { sample, pixels_crc }) = video.pull(wait)? else { return Ok(None) };
        let coming = self.decoding.pop_front();
        let coming = coming.ok_or("the decoder gave more pictures than it was given packets")?;
        if let Some(expected) = coming.record.pixels_crc
            && pixels_crc != Some(expected)
        {
            let (at, found) = (coming.record.sequence, pixels_crc.unwrap_or_default());
            return Err(format!(
                "frame {at}: expected pixels with checksum {expected:08x}, found {found:08x}"
            ));
        }
        let time = coming.time;
        Ok(Some(Frame { sample, time, meta: self.meta(coming) }))
    }

    fn meta(&self, coming: Coming) -> Option<FrameMeta> {
        let Coming { record, time, engine, shown, .. } = coming;
        let (segmentation, badge) = match self.masks {
            Masks::None => return None,
            Masks::Shown => {
                let badge = badge(&record, shown.is_some());
                (shown, badge)
            }
            Masks::Own => {
                let own = self.known(record.pts_ns);
                let badge = if own.is_some() { Badge::Live } else { Badge::NoMask };
                (own, badge)
            }
        };
        let motion = record.motion.filter(|_| self.masks == Masks::Shown).zip(segmentation.as_ref());
        let motion = motion.map(|([xx, xy, x, yx, yy, y, quality], mask)| Motion {
            from: mask.pts,
            to: time,
            map: Affine { matrix: [[xx, xy], [yx, yy]], offset: [x, y] },
            quality,
        });
        let (alarm, sequence) = (record.alarm, record.sequence);
        let trace = Trace::begin();
        Some(FrameMeta {
            segmentation,
            motion,
            badge,
            alarm,
            engine,
            size: self.size,
            sequence,
            time,
            trace,
            over: Over::default(),
            ledger: None,
        })
    }
}

/// The badge that a frame was shown with.
fn badge(record: &FrameRecord, has_mask: bool) -> Badge {
    match record.badge.as_str() {
        "live" if has_mask => Badge::Live,
        "held" if has_mask => {
            let age_ms = record.mask_age_ns.unwrap_or_default() / 1_000_000;
            Badge::Held { age_ms: u32::try_from(age_ms).unwrap_or(u32::MAX) }
        }
        "starting" => Badge::Starting,
        "no-mask" => Badge::NoMask,
        "frozen" => Badge::Frozen,
        "late" => Badge::Late,
        "fault" => Badge::Fault,
        // A frame without a segmenter before it, or one of which a repair knows nothing but the picture; and one whose mask is lost.
        "off" | "none" => Badge::Off,
        _ => Badge::NoMask,
    }
}
