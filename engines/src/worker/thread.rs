//! The thread's side: open, warm up, then one job after another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use polyp::decode::Decoder;
use polyp::frame::{Rect, Size};
use polyp::input::Placement;
use polyp::segmentation::Segmentation;

use super::job::{Job, Reply, Stats, Timing};
use crate::engine::{Description, Engine};
use crate::error::{EngineError, caught};
use crate::memory::PromptMemory;

/// Runs before an engine counts as warm: the first one still sets things up.
const WARM_UP_RUNS: usize = 2;
/// Segmentations kept in the hope that nobody shows them any more: those that overlays, recorders and metas
/// hold at once, and one.
const KEPT_SEGMENTATIONS: usize = 8;

/// What the thread and its owner both see. Locks are held for a copy of a pointer, never across inference.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) memory: Mutex<Arc<PromptMemory>>,
    pub(super) stop: AtomicBool,
    pub(super) offered: AtomicU64,
    pub(super) replaced: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    stale: AtomicU64,
    /// The job that the engine is on, and since when.
    present: Mutex<Option<(u64, Instant)>>,
    images: (Sender<Vec<f32>>, Receiver<Vec<f32>>),
}

impl Shared {
    pub(super) fn new(memory: Arc<PromptMemory>, images: (Sender<Vec<f32>>, Receiver<Vec<f32>>)) -> Self {
        Self {
            memory: Mutex::new(memory),
            stop: AtomicBool::new(false),
            offered: AtomicU64::new(0),
            replaced: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            present: Mutex::new(None),
            images,
        }
    }

    pub(super) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            offered: read(&self.offered),
            replaced: read(&self.replaced),
            answered: read(&self.answered),
            failed: read(&self.failed),
            stale: read(&self.stale),
        }
    }

    pub(super) fn present(&self) -> Option<(u64, Instant)> {
        *self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_present(&self, job: Option<(u64, Instant)>) {
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = job;
    }

    pub(super) fn spare_image(&self) -> Option<Vec<f32>> {
        self.images.1.try_recv().ok()
    }

    /// Keeps an input to be used again; when enough are kept, it is freed.
    pub(super) fn keep_image(&self, image: Vec<f32>) {
        drop(self.images.0.try_send(image));
    }

    pub(super) fn throw_away(&self, reply: Reply) {
        self.stale.fetch_add(1, Ordering::Relaxed);
        if let Some(image) = reply.image {
            self.keep_image(image);
        }
    }
}

/// What the thread owns besides the engine.
pub(super) struct Thread {
    pub(super) shared: Arc<Shared>,
    pub(super) jobs: Receiver<Job>,
    pub(super) reply_to: Sender<Reply>,
    /// The replies' other end, to throw the oldest away when nobody fetches them.
    pub(super) unread: Receiver<Reply>,
    pub(super) decoder: Decoder,
    /// Dropped when the thread ends.
    pub(super) _alive: Sender<()>,
}

/// What is used again from job to job.
#[derive(Default)]
struct Scratch {
    logits: Vec<f32>,
    segmentations: Vec<Arc<Segmentation>>,
}

impl Thread {
    pub(super) fn run(
        self,
        open: impl FnOnce() -> Result<Box<dyn Engine>, EngineError>,
        ready_to: &Sender<Result<Description, EngineError>>,
    ) {
        let mut scratch = Scratch::default();
        let mut engine = match self.open(open, &mut scratch) {
            Ok(engine) => engine,
            Err(error) => return drop(ready_to.try_send(Err(error))),
        };
        drop(ready_to.try_send(Ok(engine.description().clone())));
        while let Ok(job) = self.jobs.recv() {
            if self.shared.stop.load(Ordering::Relaxed) {
                break;
            }
            let reply = self.work(engine.as_mut(), job, &mut scratch);
            self.send(reply);
        }
    }

    fn open(
        &self,
        open: impl FnOnce() -> Result<Box<dyn Engine>, EngineError>,
        scratch: &mut Scratch,
    ) -> Result<Box<dyn Engine>, EngineError> {
        let mut engine = caught("opening", open)?;
        let side = engine.description().side_px;
        let side_px = u32::try_from(side)
            .map_err(|cause| EngineError::Worker { message: format!("side of {side} px: {cause}") })?;
        let whole = Rect::whole(Size::new(side_px, side_px));
        let placement = Placement { source: whole, target: whole, side_px };
        let black = vec![0.0; 3 * side * side];
        for _ in 0..WARM_UP_RUNS {
            if self.shared.stop.load(Ordering::Relaxed) {
                return Err(EngineError::Worker { message: "stopped while starting".to_owned() });
            }
            self.infer(engine.as_mut(), &black, &mut scratch.logits)?;
            self.decode(scratch, placement, Duration::ZERO, 0)?;
        }
        Ok(engine)
    }

    fn work(&self, engine: &mut dyn Engine, job: Job, scratch: &mut Scratch) -> Reply {
        let begun = Instant::now();
        self.shared.set_present(Some((job.sequence, begun)));
        let inferred = self.infer(engine, &job.image, &mut scratch.logits);
        let decoding = Instant::now();
        let outcome = inferred.and_then(|()| self.decode(scratch, job.placement, job.pts, job.sequence));
        let timing = Timing {
            queued: begun.saturating_duration_since(job.submitted),
            inferred: decoding - begun,
            decoded: decoding.elapsed(),
        };
        self.shared.set_present(None);
        let counter = if outcome.is_ok() { &self.shared.answered } else { &self.shared.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        Reply {
            sequence: job.sequence,
            pts: job.pts,
            generation: job.generation,
            outcome: outcome.map_err(Arc::new),
            timing,
            image: Some(job.image),
        }
    }

    fn infer(
        &self,
        engine: &mut dyn Engine,
        image: &[f32],
        logits: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        let memory = Arc::clone(&self.shared.memory.lock().unwrap_or_else(PoisonError::into_inner));
        // The engine is used on after a panic: it may fail again, and that is said for every frame, but it can not take
        // the thread with it.
        caught("running", || engine.infer(image, 1, &memory, logits))
    }

    /// Decodes into a segmentation that nobody shows any more, if there is one.
    fn decode(
        &self,
        scratch: &mut Scratch,
        placement: Placement,
        pts: Duration,
        sequence: u64,
    ) -> Result<Arc<Segmentation>, EngineError> {
        let kept = &mut scratch.segmentations;
        if let Some(free) = kept.iter_mut().find(|kept| Arc::strong_count(kept) == 1)
            && let Some(segmentation) = Arc::get_mut(free)
        {
            let recycle = Some(std::mem::take(&mut segmentation.probability));
            *segmentation = self.decoder.decode(&scratch.logits, placement, pts, sequence, recycle)?;
            return Ok(Arc::clone(free));
        }
        let fresh = Arc::new(self.decoder.decode(&scratch.logits, placement, pts, sequence, None)?);
        if kept.len() < KEPT_SEGMENTATIONS {
            kept.push(Arc::clone(&fresh));
        }
        Ok(fresh)
    }

    /// Never blocks: when nobody fetches replies, the oldest is thrown away.
    fn send(&self, mut reply: Reply) {
        loop {
            match self.reply_to.try_send(reply) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(back)) => {
                    reply = back;
                    if let Ok(oldest) = self.unread.try_recv() {
                        self.shared.throw_away(oldest);
                    }
                }
            }
        }
    }
}
