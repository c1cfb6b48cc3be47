//! Painting on frames in a card's memory: a thread that owns the card, and waits that always end.
//!
//! Opening a card takes hundreds of milliseconds, so the picture passes unpainted until it is there, and one INFO says so. A card
//! that does not answer holds up one frame, for [`PAINT_LIMIT`]; until it answers, the next ones pass unpainted.
//!
//! Not here: pixels ([`polyp_engine::cuda::painter`]).

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use gst::subclass::prelude::*;
use polyp::frame::{Colorimetry, PixelFormat, Size};
use polyp_engine::cuda::arguments::DevicePlane;
use polyp_engine::cuda::painter::{CardCanvas, Drawing, Painter};
use polyp_engine::error::{EngineError, caught};
use polyp_engine::worker::STOP_LIMIT;

use super::imp::{Cause, PolypOverlay};
use super::settings::Settings;
use super::verdict::verdict;
use crate::card::CardMap;
use crate::lock::lock;
use crate::meta::FrameMeta;
use crate::picture::Picture;

/// How long a frame waits to be painted. A card takes a hundredth of it.
const PAINT_LIMIT: Duration = Duration::from_millis(200);

/// A frame to be painted. Its map lives until it is done, whoever still waits for that.
pub(super) struct Job {
    pub(super) frame: Arc<FrameMeta>,
    pub(super) time: Duration,
    pub(super) settings: Arc<Settings>,
    kind: (PixelFormat, Size, Colorimetry),
    planes: Vec<DevicePlane>,
    _map: CardMap,
}

impl Job {
    #[allow(unsafe_code, reason = "nobody but the card can look at its addresses")]
    fn paint(&self, painter: &mut Painter) -> Result<(), EngineError> {
        let (format, size, colorimetry) = self.kind;
        let mut moved = None;
        let how = (self.settings.max_mask_age, &self.settings.paint);
        let verdict = verdict(&self.frame, size, self.time, how, &mut moved);
        let mask = verdict.shown.as_ref().map(|shown| (self.settings.style, shown));
        let drawing = Drawing { mask, badge: verdict.badge, settings: &self.settings.paint };
        let canvas = CardCanvas { format, size, colorimetry, planes: &self.planes };
        // SAFETY: the planes lie in the map, which is exclusive and lives as long as this job.
        unsafe { painter.paint(&canvas, &drawing) }
    }
}

/// How far the card is.
#[derive(Debug)]
enum State {
    Opening,
    Ready,
    /// It has a frame for which nobody waits any more.
    Busy,
    /// It can not be used.
    Refused(String),
}

/// The streaming thread's end.
#[derive(Debug)]
pub(super) struct CardPainter {
    state: State,
    /// Whether it was said that the picture passes unpainted meanwhile.
    told: bool,
    /// `None` only while it is dropped.
    jobs: Option<Sender<Job>>,
    opened: Receiver<Result<(), String>>,
    painted: Receiver<Result<(), String>>,
    /// Nothing is ever sent; its other end is dropped when the thread ends.
    gone: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl CardPainter {
    /// Begins to open the card.
    pub(super) fn start() -> Self {
        let (jobs, todo) = bounded(1);
        let (opened_to, opened) = bounded(1);
        let (painted_to, painted) = bounded(1);
        let (alive, gone) = bounded(0);
        let builder = std::thread::Builder::new().name("polyp-paint".to_owned());
        let spawned = builder.spawn(move || {
            run(&opened_to, &todo, &painted_to);
            drop::<Sender<()>>(alive);
        });
        let (state, thread) = match spawned {
            Ok(thread) => (State::Opening, Some(thread)),
            Err(cause) => (State::Refused(format!("no thread to paint in: {cause}")), None),
        };
        Self { state, told: false, jobs: Some(jobs), opened, painted, gone, thread }
    }

    /// Looks at what has happened; never waits.
    fn look(&mut self) {
        let ended = || State::Refused("the thread that paints has ended".to_owned());
        match self.state {
            State::Opening => match self.opened.try_recv() {
                Ok(Ok(())) => self.state = State::Ready,
                Ok(Err(sentence)) => self.state = State::Refused(sentence),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => self.state = ended(),
            },
            State::Busy => match self.painted.try_recv() {
                Ok(_of_an_old_frame) => self.state = State::Ready,
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => self.state = ended(),
            },
            State::Ready | State::Refused(_) => {}
        }
    }

    /// Paints, and waits for [`PAINT_LIMIT`] at most.
    fn paint(&mut self, job: Job) -> Result<(), (Cause, String)> {
        let ended = || (Cause::Card, "the thread that paints has ended".to_owned());
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.try_send(job).map_err(|_it_is_gone| ended())?;
        match self.painted.recv_timeout(PAINT_LIMIT) {
            Ok(painted) => painted.map_err(|sentence| (Cause::Card, sentence)),
            Err(RecvTimeoutError::Timeout) => {
                self.state = State::Busy;
                Err((Cause::Card, format!("the card has not painted a frame within {PAINT_LIMIT:?}")))
            }
            Err(RecvTimeoutError::Disconnected) => Err(ended()),
        }
    }
}

impl Drop for CardPainter {
    /// Ends the thread. Never waits longer than [`STOP_LIMIT`]: one whose card hangs is left behind.
    fn drop(&mut self) {
        self.jobs = None;
        let ended = matches!(self.gone.recv_timeout(STOP_LIMIT), Err(RecvTimeoutError::Disconnected));
        let Some(thread) = self.thread.take() else { return };
        if !ended {
            tracing::error!("the card hangs: the thread that paints is left behind after {STOP_LIMIT:?}");
        } else if thread.join().is_err() {
            tracing::error!("the thread that paints panicked");
        }
    }
}

/// The thread: opens the card and paints what comes until nothing can come any more.
fn run(opened: &Sender<Result<(), String>>, jobs: &Receiver<Job>, painted: &Sender<Result<(), String>>) {
    let painter = caught("opening a card to paint with", Painter::open).map_err(|error| error.to_string());
    let (mut painter, answer) = match painter {
        Ok(painter) => (Some(painter), Ok(())),
        Err(sentence) => (None, Err(sentence)),
    };
    if opened.send(answer).is_err() {
        return;
    }
    let Some(painter) = painter.as_mut() else { return };
    for job in jobs {
        let outcome = caught("painting", || job.paint(painter)).map_err(|error| error.to_string());
        // Before anybody hears of it: the buffer goes on then, and has to be unmapped.
        drop(job);
        if painted.send(outcome).is_err() {
            return;
        }
    }
}

impl PolypOverlay {
    /// Begins to open a card, unless that was begun.
    pub(super) fn open_card(&self) {
        lock(&self.card).get_or_insert_with(CardPainter::start);
    }

    /// Paints on `buffer`, which lies on a card, what hangs on it. True when it did; where it can not, the buffer is as it was.
    pub(super) fn paint_on_card(
        &self,
        buffer: &mut gst::Buffer,
        picture: &Picture,
        (frame, time): (&Arc<FrameMeta>, Duration),
        settings: &Arc<Settings>,
    ) -> Result<bool, (Cause, String)> {
        let mut card = lock(&self.card);
        let Some(card) = card.as_mut() else { return Ok(false) };
        card.look();
        let unpainted =
            |sentence: &str| Err((Cause::Card, format!("{sentence}; the picture goes on unpainted")));
        match &card.state {
            State::Ready => {}
            State::Opening => {
                if !std::mem::replace(&mut card.told, true) {
                    gst::element_imp_info!(
                        self,
                        gst::ResourceError::Busy,
                        ("the card is being opened; the picture goes on unpainted until it is there")
                    );
                }
                return Ok(false);
            }
            State::Busy => return unpainted("the card is still busy with an older frame"),
            State::Refused(sentence) => return unpainted(sentence),
        }
        let buffer = buffer.make_mut();
        let unfit = |error: crate::picture::PictureError| (Cause::Picture, error.to_string());
        let map = CardMap::write(buffer).map_err(unfit)?;
        let planes = picture.places(buffer, map.address(), map.bytes()).map_err(unfit)?;
        let (frame, settings, kind) = (Arc::clone(frame), Arc::clone(settings), picture.kind());
        card.paint(Job { frame, time, settings, kind, planes, _map: map })?;
        Ok(true)
    }
}
