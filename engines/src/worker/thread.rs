//! The thread's side: open, warm up, then the most urgent frames of all streams, alone or together.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use polyp::decode::Decoder;
use polyp::frame::{Rect, Size};
use polyp::input::Placement;
use polyp::reuse::Reuse;
use polyp::segmentation::Segmentation;

use super::batch::{Costs, Decision, Load, decide, size_of};
use super::client::{Client, is_same, lock};
use super::job::{Input, Job, Reply, Timing};
use super::single::{Of, Single, not_a_card};
use crate::cuda::frame::{CardFrame, FrameRing};
use crate::engine::{Description, Engine, Mask};
use crate::error::{EngineError, caught};
use crate::memory::PromptMemory;

/// Runs before an engine counts as warm: the first one still sets things up.
const WARM_UP_RUNS: usize = 2;
/// Segmentations kept in the hope that nobody shows them any more: those that overlays, recorders and metas
/// hold at once, and one.
const KEPT_SEGMENTATIONS: usize = 24;
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
    single: Single,
    segmentations: Reuse<Segmentation>,
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
            single: Single::new(decoder),
            segmentations: Reuse::new(KEPT_SEGMENTATIONS),
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
        let Waited { sequence, pts, generation, placement, queued } = job;
        let of = Of { placement, pts, sequence };
        let (outcome, timing) = self.single.run(engine, &input, memory, of, &mut self.segmentations);
        let timing = Timing { queued, begun: Some(begun), ..timing };
        self.set_busy();
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
                Ok(mask) => self.segmentations.share(|old| {
                    let mut probability =
                        old.map_or_else(Vec::new, |old| std::mem::take(&mut old.probability));
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
        let (black, memory) = (Input::Image(vec![0.0; 3 * side * side]), first.memory());
        let of = Of { placement, pts: Duration::ZERO, sequence: 0 };
        for _ in 0..WARM_UP_RUNS {
            if self.hub.stop.load(Ordering::Relaxed) {
                return Err(EngineError::Worker { message: "stopped while starting".to_owned() });
            }
            self.single.run(engine.as_mut(), &black, &memory, of, &mut self.segmentations).0?;
        }
        Ok(engine)
    }
}
