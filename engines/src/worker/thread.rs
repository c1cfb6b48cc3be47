//! The thread's side: open, warm up, then the most urgent frames of all streams, alone or together.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use polyp::decode::Decoder;
use polyp::frame::{FrameCopy, Rect, Size};
use polyp::input::{InputSpec, Placement};
use polyp::preprocess::Preprocessor;
use polyp::segmentation::Segmentation;

use super::batch::{Costs, Decision, Load, decide, size_of};
use super::client::{Client, is_same, lock};
use super::job::{Input, Job, Reply, Timing};
use crate::cuda::frame::{CardFrame, FrameRing};
use crate::engine::{Description, Engine, Mask};
use crate::error::{EngineError, caught};
use crate::memory::PromptMemory;

/// Runs before an engine counts as warm: the first one still sets things up.
const WARM_UP_RUNS: usize = 2;
/// Segmentations kept in the hope that nobody shows them any more: those that overlays, recorders and metas
/// hold at once, and one.
const KEPT_SEGMENTATIONS: usize = 8;
/// While batches are on the card and another could be begun, the thread looks this often whether one is done.
const GLANCE: Duration = Duration::from_micros(100);

/// What the thread and all streams see.
#[derive(Debug)]
pub(super) struct Hub {
    clients: Mutex<Vec<Arc<Client>>>,
    pub(super) stop: AtomicBool,
    /// Since when the engine has been on its oldest job.
    busy: Mutex<Option<Instant>>,
    bell: (Sender<()>, Receiver<()>),
}

impl Hub {
    pub(super) fn new(first: Arc<Client>) -> Self {
        Self {
            clients: Mutex::new(vec![first]),
            stop: AtomicBool::new(false),
            busy: Mutex::new(None),
            bell: bounded(1),
        }
    }

    pub(super) fn add(&self, client: Arc<Client>) {
        lock(&self.clients).push(client);
    }

    pub(super) fn remove(&self, client: &Arc<Client>) {
        lock(&self.clients).retain(|one| !Arc::ptr_eq(one, client));
    }

    /// Lets the thread look for work.
    pub(super) fn wake(&self) {
        // A bell that rings already rings for this too.
        self.bell.0.try_send(()).ok();
    }

    pub(super) fn busy_since(&self) -> Option<Instant> {
        *lock(&self.busy)
    }
}

/// What is known of an engine that is ready.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) description: Description,
    pub(super) ring: Option<Arc<FrameRing>>,
}

/// The streams whose jobs may run together, the most urgent first, and their prompt.
struct Waiting {
    clients: Vec<Arc<Client>>,
    memory: Arc<PromptMemory>,
}

/// A job that was begun.
struct Begun {
    client: Arc<Client>,
    job: Waited,
}

/// A job without its input.
struct Waited {
    sequence: u64,
    pts: Duration,
    generation: u64,
    placement: Placement,
    queued: Duration,
}

impl Waited {
    fn new(job: &Job, now: Instant) -> Self {
        let Job { sequence, pts, generation, placement, submitted, .. } = *job;
        Self { sequence, pts, generation, placement, queued: now.saturating_duration_since(submitted) }
    }
}

/// Jobs that were begun together.
struct Batch {
    jobs: Vec<Begun>,
    begun: Instant,
}

/// What the thread owns besides the engine.
pub(super) struct Thread {
    hub: Arc<Hub>,
    decoder: Decoder,
    /// Makes inputs of copies, and the one that it made last.
    preprocessor: Option<Preprocessor>,
    image: Vec<f32>,
    logits: Vec<f32>,
    segmentations: Vec<Arc<Segmentation>>,
    masks: Vec<Result<Mask, EngineError>>,
    costs: Costs,
    /// Batches on the card, the oldest first.
    flying: VecDeque<Batch>,
    /// Dropped when the thread ends.
    _alive: Sender<()>,
}

impl Thread {
    pub(super) fn new(hub: Arc<Hub>, decoder: Decoder, alive: Sender<()>) -> Self {
        Self {
            hub,
            decoder,
            preprocessor: None,
            image: Vec::new(),
            logits: Vec::new(),
            segmentations: Vec::new(),
            masks: Vec::new(),
            costs: Costs::default(),
            flying: VecDeque::new(),
            _alive: alive,
        }
    }

    pub(super) fn run(
        mut self,
        open: impl FnOnce() -> Result<Box<dyn Engine>, EngineError>,
        first: &Client,
        ready_to: &Sender<Result<Ready, EngineError>>,
    ) {
        let mut engine = match self.open(open, first) {
            Ok(engine) => engine,
            Err(error) => return drop(ready_to.try_send(Err(error))),
        };
        let description = engine.description().clone();
        let (sizes, lanes, ring) = match engine.frames() {
            Some(frames) => (frames.sizes().to_vec(), frames.lanes(), Some(frames.ring())),
            None => (vec![1], 1, None),
        };
        drop(ready_to.try_send(Ok(Ready { description, ring })));
        while !self.hub.stop.load(Ordering::Relaxed) {
            let (begin, alone) = self.next(&sizes, lanes);
            match begin {
                Some((Decision::Run(count), waiting)) => self.begin(engine.as_mut(), waiting, count),
                // A frame of another stream may come and be begun while this batch is on the card.
                _ if !self.flying.is_empty() && self.flying.len() < lanes && !alone => {
                    if self.is_done(engine.as_mut()) {
                        self.finish(engine.as_mut(), &sizes);
                    } else {
                        self.hub.bell.1.recv_timeout(GLANCE).ok();
                    }
                }
                _ if !self.flying.is_empty() => self.finish(engine.as_mut(), &sizes),
                Some((Decision::WaitUntil(until), _)) => {
                    self.hub.bell.1.recv_deadline(until).ok();
                }
                None => {
                    self.hub.bell.1.recv().ok();
                }
            }
        }
    }

    /// What to begin, if anything waits and there is room; and whether there is one stream alone.
    fn next(&self, sizes: &[usize], lanes: usize) -> (Option<(Decision, Waiting)>, bool) {
        let clients = lock(&self.hub.clients);
        let alone = clients.len() < 2;
        if self.flying.len() >= lanes {
            return (None, alone);
        }
        let mut waiting: Vec<(Instant, Arc<PromptMemory>, &Arc<Client>)> = clients
            .iter()
            .filter_map(|client| client.waiting().map(|(deadline, memory)| (deadline, memory, client)))
            .collect();
        waiting.sort_by_key(|(deadline, ..)| *deadline);
        let Some((_, memory, _)) = waiting.first() else { return (None, alone) };
        let memory = Arc::clone(memory);
        let now = Instant::now();
        let next =
            clients.iter().filter(|client| client.waiting().is_none() && is_same(&client.memory(), &memory));
        let next = next.filter_map(|client| client.next(now)).min();
        waiting.retain(|(_, of_job, _)| is_same(of_job, &memory));
        let (deadlines, clients): (Vec<Instant>, Vec<Arc<Client>>) =
            waiting.into_iter().map(|(deadline, _, client)| (deadline, Arc::clone(client))).unzip();
        let decision = decide(Load { deadlines: &deadlines, next, sizes }, &self.costs, now);
        (Some((decision, Waiting { clients, memory })), alone)
    }

    /// Begins the `count` most urgent of the jobs that wait.
    fn begin(&mut self, engine: &mut dyn Engine, waiting: Waiting, count: usize) {
        let Waiting { clients, memory } = waiting;
        let jobs: Vec<(Arc<Client>, Job)> = clients
            .into_iter()
            .take(count)
            .filter_map(|client| client.take(&memory).map(|job| (client, job)))
            .collect();
        let now = Instant::now();
        let mut frames: Vec<CardFrame> = Vec::with_capacity(jobs.len());
        let mut begun = Vec::with_capacity(jobs.len());
        for (client, job) in jobs {
            let waited = Waited::new(&job, now);
            match job.input {
                input @ (Input::Image(_) | Input::Copy(..)) => {
                    self.one(engine, &client, waited, input, &memory)
                }
                Input::Frame(frame) => {
                    frames.push(frame);
                    begun.push(Begun { client, job: waited });
                }
            }
        }
        if frames.is_empty() {
            return;
        }
        self.flying.push_back(Batch { jobs: begun, begun: now });
        self.set_busy();
        let submitted = caught("running", || match engine.frames() {
            Some(engine) => engine.submit(frames, &memory),
            None => Err(not_a_card()),
        });
        if let Err(error) = submitted
            && let Some(batch) = self.flying.pop_back()
        {
            self.fail(batch, error);
        }
    }

    /// Runs one picture on its own.
    fn one(
        &mut self,
        engine: &mut dyn Engine,
        client: &Client,
        job: Waited,
        input: Input,
        memory: &PromptMemory,
    ) {
        let begun = Instant::now();
        *lock(&self.hub.busy) = Some(begun);
        let mut prepared = Duration::ZERO;
        let inferred = match &input {
            Input::Image(image) => self.infer(engine, image, memory),
            Input::Copy(copy, spec) => {
                let made = self.prepare(copy, *spec);
                prepared = begun.elapsed();
                made.and_then(|()| {
                    let image = std::mem::take(&mut self.image);
                    let inferred = self.infer(engine, &image, memory);
                    self.image = image;
                    inferred
                })
            }
            Input::Frame(_) => Err(not_a_card()),
        };
        let decoding = Instant::now();
        let outcome = inferred.and_then(|()| self.decode(job.placement, job.pts, job.sequence));
        let timing = Timing {
            queued: job.queued,
            begun: Some(begun),
            prepared,
            inferred: decoding - begun - prepared,
            decoded: decoding.elapsed(),
        };
        self.set_busy();
        let Waited { sequence, pts, generation, .. } = job;
        let outcome = outcome.map_err(Arc::new);
        client.send(Reply { sequence, pts, generation, outcome, timing, input: Some(input) });
    }

    /// Whether the oldest batch is done; an engine that can not say is asked to finish it, and says why.
    fn is_done(&self, engine: &mut dyn Engine) -> bool {
        caught("looking", || engine.frames().map_or(Ok(true), |frames| frames.is_done())).unwrap_or(true)
    }

    /// Waits for the oldest batch and replies.
    fn finish(&mut self, engine: &mut dyn Engine, sizes: &[usize]) {
        let mut masks = std::mem::take(&mut self.masks);
        let finished = caught("running", || {
            engine.frames().map_or_else(|| Ok(Default::default()), |frames| frames.finish(&mut masks))
        });
        let Some(batch) = self.flying.pop_front() else { return };
        self.set_busy();
        if let Err(error) = finished {
            self.masks = masks;
            return self.fail(batch, error);
        }
        let inferred = batch.begun.elapsed();
        self.costs.note(size_of(batch.jobs.len(), sizes), inferred);
        for (Begun { client, job }, mask) in batch.jobs.into_iter().zip(&mut masks) {
            let decoding = Instant::now();
            let Waited { sequence, pts, generation, placement, queued } = job;
            let outcome = match mask {
                Ok(mask) => keep(&mut self.segmentations, |mut probability| {
                    probability.clear();
                    probability.extend_from_slice(&mask.probability);
                    Ok(Segmentation { probability, placement, pts, sequence })
                }),
                Err(_) => match std::mem::replace(mask, Ok(Mask::default())) {
                    Ok(_) => continue,
                    Err(error) => Err(error),
                },
            };
            let outcome = outcome.map_err(Arc::new);
            let decoded = decoding.elapsed();
            let timing = Timing { queued, begun: Some(batch.begun), inferred, decoded, ..Timing::default() };
            client.send(Reply { sequence, pts, generation, outcome, timing, input: None });
        }
        self.masks = masks;
    }

    /// Replies that a batch became an error.
    fn fail(&mut self, batch: Batch, error: EngineError) {
        self.set_busy();
        let (error, inferred) = (Arc::new(error), batch.begun.elapsed());
        for Begun { client, job: Waited { sequence, pts, generation, queued, .. } } in batch.jobs {
            let timing = Timing { queued, begun: Some(batch.begun), inferred, ..Timing::default() };
            let outcome = Err(Arc::clone(&error));
            client.send(Reply { sequence, pts, generation, outcome, timing, input: None });
        }
    }

    fn set_busy(&self) {
        *lock(&self.hub.busy) = self.flying.front().map(|batch| batch.begun);
    }

    fn open(
        &mut self,
        open: impl FnOnce() -> Result<Box<dyn Engine>, EngineError>,
        first: &Client,
    ) -> Result<Box<dyn Engine>, EngineError> {
        let mut engine = caught("opening", open)?;
        let side = engine.description().side_px;
        let side_px = u32::try_from(side)
            .map_err(|cause| EngineError::Worker { message: format!("side of {side} px: {cause}") })?;
        let whole = Rect::whole(Size::new(side_px, side_px));
        let placement = Placement { source: whole, target: whole, side_px };
        let (black, memory) = (vec![0.0; 3 * side * side], first.memory());
        for _ in 0..WARM_UP_RUNS {
            if self.hub.stop.load(Ordering::Relaxed) {
                return Err(EngineError::Worker { message: "stopped while starting".to_owned() });
            }
            self.infer(engine.as_mut(), &black, &memory)?;
            self.decode(placement, Duration::ZERO, 0)?;
        }
        Ok(engine)
    }

    /// Makes the network's input of a copy, into `self.image`.
    fn prepare(&mut self, copy: &FrameCopy, spec: InputSpec) -> Result<(), EngineError> {
        let side = spec.side_px as usize;
        self.image.resize(3 * side * side, 0.0);
        let kept = self.preprocessor.take().filter(|kept| *kept.spec() == spec);
        let preprocessor = self.preprocessor.insert(kept.unwrap_or_else(|| Preprocessor::new(spec)));
        let image = &mut self.image;
        caught("making the input", || Ok(preprocessor.run(&copy.view(), copy.source(), image).map(drop)?))
    }

    fn infer(
        &mut self,
        engine: &mut dyn Engine,
        image: &[f32],
        memory: &PromptMemory,
    ) -> Result<(), EngineError> {
        let logits = &mut self.logits;
        // The engine is used on after a panic: it may fail again, and that is said for every frame, but it can not take
        // the thread with it.
        caught("running", || engine.infer(image, 1, memory, logits))
    }

    /// The segmentation that the logits are.
    fn decode(
        &mut self,
        placement: Placement,
        pts: Duration,
        sequence: u64,
    ) -> Result<Arc<Segmentation>, EngineError> {
        let Self { decoder, logits, segmentations, .. } = self;
        keep(segmentations, |old| Ok(decoder.decode(logits, placement, pts, sequence, Some(old))?))
    }
}

/// Frames were given to an engine that takes inputs.
fn not_a_card() -> EngineError {
    EngineError::Input {
        what: "frame".to_owned(),
        expected: "the network's input, for this engine".to_owned(),
        found: "a frame".to_owned(),
    }
}

/// Keeps the segmentation that `make` makes of the memory of one that nobody shows any more, if there is one.
fn keep(
    kept: &mut Vec<Arc<Segmentation>>,
    make: impl FnOnce(Vec<u8>) -> Result<Segmentation, EngineError>,
) -> Result<Arc<Segmentation>, EngineError> {
    if let Some(free) = kept.iter_mut().find(|kept| Arc::strong_count(kept) == 1)
        && let Some(segmentation) = Arc::get_mut(free)
    {
        *segmentation = make(std::mem::take(&mut segmentation.probability))?;
        return Ok(Arc::clone(free));
    }
    let fresh = Arc::new(make(Vec::new())?);
    if kept.len() < KEPT_SEGMENTATIONS {
        kept.push(Arc::clone(&fresh));
    }
    Ok(fresh)
}
