//! One frame: what is asked of the network, how long it is waited for, and what the frame is given.
//!
//! Not here: whether a mask is young enough ([`super::judge`]), elements and messages ([`super::imp`]).

use std::sync::Arc;
use std::time::{Duration, Instant};

use polyp::frame::Rect;
use polyp::frozen::Frozen;
use polyp::overlay::Badge;
use polyp::session::EngineRecord;
use polyp::trace::{Relief, Rest, Stage};
use polyp_engine::cuda::arguments::SourceFormat;
use polyp_engine::cuda::frame::CardFrame;
use tracing::trace_span;

use super::alarm::Alarm;
use super::choices::Mode;
use super::follow::Follower;
use super::judge;
use super::outcome::{Cause, Outcome};
use super::reserve::Reserve;
use super::session::{Answer, NotAsked, Session};
use super::settings::Settings;
use super::successor::Successor;
use crate::card::{CardMap, FEATURE};
use crate::meta::Trace;
use crate::picture::{Picture, PictureError};
use crate::timeline::Timeline;

/// What the streaming thread needs from frame to frame.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// `None` while there is no engine.
    pub(super) session: Option<Session>,
    /// Why there is none, so long as there is none.
    pub(super) absent: Absent,
    /// What is to take the session's place.
    pub(super) successor: Option<Box<Successor>>,
    /// `None` before caps.
    pub(super) picture: Option<Picture>,
    pub(super) timeline: Timeline,
    /// The next frame's number.
    pub(super) sequence: u64,
    /// The flushes that were heeded.
    pub(super) flushes: u64,
    /// Whether the source is alive.
    pub(super) frozen: Frozen,
    /// How the picture moves.
    pub(super) follower: Follower,
    /// What is recorded of the engine and prompt in force; `None` where that has to be asked.
    pub(super) engine: Option<Arc<EngineRecord>>,
    /// Whether a polyp is in view, where that is asked for.
    pub(super) alarm: Alarm,
    /// What the picture is spared where it misses its budget.
    pub(super) relief: Relief,
    pub(super) rest: Rest,
    /// The engine that is asked where that is how it is spared.
    pub(super) reserve: Option<Reserve>,
    /// When the statistics are posted next, in the stream's time.
    pub(super) stats_due: Option<Duration>,
    /// Whether it was said that no region is searched for on a card.
    pub(super) whole_told: bool,
}

/// Why there is no engine.
#[derive(Debug, Default)]
pub(super) enum Absent {
    /// None was asked for.
    #[default]
    NotAsked,
    /// It is being made ready beside the picture.
    Starting,
    /// It could not be made ready, for this reason.
    NotReady(String),
}

/// The frame that is being segmented, and what is known of it.
pub(super) struct Frame<'a> {
    pub(super) buffer: &'a gst::Buffer,
    pub(super) sequence: u64,
    pub(super) time: Duration,
    /// Whether the sink has said that frames of this time come too late.
    pub(super) late: bool,
    /// Whether waiting still makes sense: false from a flush on.
    pub(super) wanted: &'a dyn Fn() -> bool,
}

impl Absent {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Starting => Outcome::none(Badge::Starting),
            Self::NotReady(sentence) => Outcome::fault(Cause::NotReady, sentence.clone()),
            Self::NotAsked => {
                let sentence = "property engine: expected the folder of an engine, found nothing; set it";
                Outcome::fault(Cause::NoEngine, sentence.to_owned())
            }
        }
    }
}

impl Stream {
    /// Forgets what came before: a flush or other caps.
    pub(super) fn forget(&mut self) {
        self.frozen.forget();
        self.relief.forget();
        self.rest = Rest::None;
        self.forget_masks();
        if let Some(session) = &mut self.session {
            session.forget();
        }
        if let Some(successor) = &mut self.successor {
            successor.forget();
        }
    }

    /// Forgets what was made of masks that are no longer shown.
    pub(super) fn forget_masks(&mut self) {
        self.follower.forget();
        self.alarm.forget();
    }

    /// Other caps: masks of the old picture lie elsewhere in the new one.
    pub(super) fn new_picture(&mut self, picture: Picture) {
        self.picture = Some(picture);
        self.forget();
        if let Some(session) = &mut self.session {
            session.forget_region();
        }
    }

    /// Segments one frame. In live mode it never waits; in locked mode until the latency budget is spent.
    pub(super) fn segment(&mut self, frame: &Frame<'_>, settings: &Settings, trace: &mut Trace) -> Outcome {
        let _segment = trace_span!("segment", sequence = frame.sequence).entered();
        if !settings.enabled {
            return Outcome::none(Badge::Off);
        }
        let Some(session) = &mut self.session else {
            return self.absent.outcome();
        };
        let Some(picture) = &self.picture else {
            return Outcome::none(Badge::NoMask);
        };
        if picture.is_on_card() && !session.takes_frames() {
            return Outcome::fault(Cause::OnCpu, out_of_reach(session.backend()));
        }
        if self.frozen.after() != settings.frozen_after {
            self.frozen = Frozen::new(settings.frozen_after);
        }
        // A buffer that can not be read is reported where it is asked about; one on a card is not brought here for this.
        if !picture.is_on_card()
            && let Ok(true) = picture.view(frame.buffer, |view| self.frozen.see(view))
        {
            session.forget();
            let after = settings.frozen_after;
            let sentence = format!("the source is dead: the same picture came {after} times again");
            return Outcome { trouble: Some((Cause::Frozen, sentence)), ..Outcome::none(Badge::Frozen) };
        }
        session.look_at(settings.roi);
        session.collect();
        if self.rest == Rest::All {
            self.follower.forget();
            let sentence =
                "the picture keeps missing its latency budget, so the network rests for a while".to_owned();
            return Outcome { trouble: Some((Cause::Budget, sentence)), ..Outcome::none(Badge::Late) };
        }
        let spared = matches!(self.rest, Rest::Every(every) if !frame.sequence.is_multiple_of(every.into()));
        match settings.mode {
            Mode::Live => {
                let outcome = live(session, picture, (frame, spared), settings, trace);
                let region =
                    session.region().filter(|_| settings.motion_compensation && !picture.is_on_card());
                match region {
                    Some(region) => {
                        follow(&mut self.follower, picture, region, (frame, settings), outcome, trace)
                    }
                    None => outcome,
                }
            }
            Mode::Locked => locked(session, picture, frame, settings, trace),
        }
    }
}

fn live(
    session: &mut Session,
    picture: &Picture,
    (frame, spared): (&Frame<'_>, bool),
    settings: &Settings,
    trace: &mut Trace,
) -> Outcome {
    if session.is_idle()
        && !frame.late
        && !spared
        && let Err((cause, sentence)) = ask(session, picture, frame, settings.max_mask_age, trace)
    {
        return Outcome::fault(cause, sentence);
    }
    let limit = settings.max_mask_age;
    let (segmentation, badge) = judge::live(session.known(), frame.time, limit);
    let outcome = match badge {
        Badge::Late => Outcome::late(format!("the network has not answered for more than {limit:?}")),
        Badge::Fault => match session.newest() {
            Some(Answer { outcome: Err(error), .. }) => Outcome::engine(error),
            _ => Outcome::none(badge),
        },
        _ => Outcome::none(badge),
    };
    let timing = segmentation.as_ref().and_then(|_| session.newest()).map(|answer| answer.timing);
    Outcome { segmentation, timing, ..outcome }
}

/// Has the mask of `outcome` moved along with the picture, of which the network sees `region`. One that can not be is not shown.
fn follow(
    follower: &mut Follower,
    picture: &Picture,
    region: Rect,
    (frame, settings): (&Frame<'_>, &Settings),
    outcome: Outcome,
    trace: &mut Trace,
) -> Outcome {
    let _motion = trace_span!("motion").entered();
    let begun = Instant::now();
    follower.see(picture, frame.buffer, region, frame.time);
    let outcome = match &outcome.segmentation {
        None => outcome,
        Some(mask) => match follower.since(mask) {
            Ok(motion) => {
                let mask = follower.smooth(mask, settings.smoothing);
                Outcome { segmentation: Some(mask), motion: Some(motion), ..outcome }
            }
            Err(lost) => Outcome { lost: Some(lost), ..Outcome::none(Badge::NoMask) },
        },
    };
    trace.mark(Stage::Motion, begun);
    outcome
}

fn locked(
    session: &mut Session,
    picture: &Picture,
    frame: &Frame<'_>,
    settings: &Settings,
    trace: &mut Trace,
) -> Outcome {
    let budget = settings.latency_budget;
    let late =
        || Outcome::late(format!("the network did not answer within the latency budget of {budget:?}"));
    if frame.late {
        return Outcome::none(Badge::Late);
    }
    // It has been busy with older frames for two budgets: this frame would wait in vain, and the picture with it.
    if session.busy_for() > 2 * budget {
        return late();
    }
    if let Err((cause, sentence)) = ask(session, picture, frame, budget, trace) {
        return Outcome::fault(cause, sentence);
    }
    let _wait = trace_span!("wait").entered();
    let begun = Instant::now();
    let answer = session.answer_until(frame.sequence, trace.arrived + budget, frame.wanted);
    trace.mark(Stage::Wait, begun);
    match answer {
        None if !(frame.wanted)() => Outcome::none(Badge::Late),
        None => late(),
        Some(Answer { outcome: Err(error), .. }) => Outcome::engine(&error),
        Some(Answer { outcome: Ok(mask), timing, .. }) => {
            Outcome { segmentation: Some(mask), timing: Some(timing), ..Outcome::none(Badge::Live) }
        }
    }
}

/// Gives the frame to the network, whose mask is of use for `useful` after the frame came, or says why that can not be.
fn ask(
    session: &mut Session,
    picture: &Picture,
    frame: &Frame<'_>,
    useful: Duration,
    trace: &mut Trace,
) -> Result<(), (Cause, String)> {
    let _copy = trace_span!("copy").entered();
    let begun = Instant::now();
    let deadline = trace.arrived + useful;
    let asked = if picture.is_on_card() {
        ask_on_card(session, picture, frame, deadline)
    } else {
        picture.view(frame.buffer, |view| session.ask(view, frame.sequence, frame.time, deadline))
    };
    trace.mark(Stage::Copy, begun);
    match asked {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error @ NotAsked::Preprocess(_))) => Err((Cause::Preprocess, error.to_string())),
        Ok(Err(error @ NotAsked::Card(_))) => Err((Cause::Card, error.to_string())),
        Ok(Err(error @ NotAsked::Stopped)) => Err((Cause::Stopped, error.to_string())),
        Err(error) => Err((Cause::Picture, error.to_string())),
    }
}

/// The frame goes to the network where it lies, and its buffer is held until the network is done with it.
pub(super) fn ask_on_card(
    session: &mut Session,
    picture: &Picture,
    frame: &Frame<'_>,
    deadline: Instant,
) -> Result<Result<(), NotAsked>, PictureError> {
    let map = CardMap::read(frame.buffer)?;
    let planes = picture.places(frame.buffer, map.address(), map.bytes())?;
    let (format, size, colorimetry) = picture.kind();
    let kind = (SourceFormat::Frame(format), size, colorimetry);
    let of_part = |placement| CardFrame::on_card(kind, &planes, placement, Box::new(map));
    Ok(session.ask_on_card(size, of_part, frame.sequence, frame.time, deadline))
}

/// Whether `session` can be asked about such pictures.
///
/// # Errors
/// When they lie on a card, and it reads with the CPU.
pub(super) fn can_see(session: &Session, picture: Option<&Picture>) -> Result<(), String> {
    if picture.is_some_and(Picture::is_on_card) && !session.takes_frames() {
        return Err(out_of_reach(session.backend()));
    }
    Ok(())
}

/// What is wrong where frames lie on a card and the engine reads with the CPU.
fn out_of_reach(backend: &str) -> String {
    format!(
        "caps feature {FEATURE}: expected an engine that reads frames on a card, found backend {backend}, which reads them with \
         the CPU; put cudadownload before this element, or set property backend to one for cards"
    )
}
