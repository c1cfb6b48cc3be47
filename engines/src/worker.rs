//! A thread that owns an engine, and waits that always end.
//!
//! One job is being worked on, one waits; a newer one takes the waiting one's place, because a mask of an
//! older frame is worth less in either way of running. So [`Worker::offer`] never blocks and memory never
//! grows. Whoever needs the mask of this very frame calls [`Worker::reply_until`]; whoever shows the newest
//! there is calls [`Worker::newest`].
//!
//! An engine that fails or panics becomes a reply with an error, and the thread goes on. An engine that hangs
//! holds up its thread and nobody else: a wait for a job that can not be begun ends early, and dropping the
//! worker leaves such a thread behind after [`STOP_LIMIT`] rather than hanging with it. A process of its own
//! for the engine was the other way; it costs a copy of every input and is no help against a slow engine.
//!
//! Not here: deciding when a mask is too late (the caller's budget), and opening engines
//! ([`crate::engine::BACKENDS`]).

mod job;
#[cfg(test)]
mod tests;
mod thread;

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use polyp::decode::Decoder;

use crate::engine::{Description, Engine};
use crate::error::EngineError;
use crate::memory::PromptMemory;

pub use job::{Job, Refused, Reply, Stats, Timing, Why};
use thread::{Shared, Thread};

/// How long dropping a worker waits for its thread.
pub const STOP_LIMIT: Duration = Duration::from_secs(1);

/// An engine that has been on one frame for this long is taken for stuck: nobody waits for another frame
/// behind it until it is done.
pub const STALL_LIMIT: Duration = Duration::from_secs(1);

/// Finished replies that are kept when nobody fetches them; the oldest goes first.
const KEPT_REPLIES: usize = 4;
/// Inputs that are kept to be used again.
const KEPT_IMAGES: usize = 4;
/// How often [`Worker::offer`] makes the waiting place free before it gives up.
const ATTEMPTS: usize = 3;

/// A thread that owns an engine.
#[derive(Debug)]
pub struct Worker {
    description: Description,
    shared: Arc<Shared>,
    /// The one waiting place. `None` only while the worker is dropped.
    jobs: Option<Sender<Job>>,
    /// The same place seen from the other side, to take out the job that gives way.
    waiting: Receiver<Job>,
    replies: Receiver<Reply>,
    thread: Option<JoinHandle<()>>,
    /// Nothing is ever sent; its other end is dropped when the thread ends.
    gone: Receiver<()>,
}

impl Worker {
    /// Starts a thread, opens the engine in it, runs it on a black picture until it is warm, and returns then.
    ///
    /// # Errors
    /// What `open` or the first runs say; [`EngineError::StartLimit`] when that takes longer than
    /// `start_limit` (the thread then ends by itself as soon as the engine lets it);
    /// [`EngineError::Panicked`]; [`EngineError::Worker`] when there is no thread to be had.
    pub fn start(
        open: impl FnOnce() -> Result<Box<dyn Engine>, EngineError> + Send + 'static,
        memory: Arc<PromptMemory>,
        decoder: Decoder,
        start_limit: Duration,
    ) -> Result<Self, EngineError> {
        let shared = Arc::new(Shared::new(memory, bounded(KEPT_IMAGES)));
        let (jobs, waiting) = bounded(1);
        let (reply_to, replies) = bounded(KEPT_REPLIES);
        let (ready_to, ready) = bounded(1);
        let (alive, gone) = bounded(0);
        let thread = Thread {
            shared: Arc::clone(&shared),
            jobs: waiting.clone(),
            reply_to,
            unread: replies.clone(),
            decoder,
            _alive: alive,
        };
        let handle = std::thread::Builder::new()
            .name("polyp-engine".to_owned())
            .spawn(move || thread.run(open, &ready_to))
            .map_err(|cause| EngineError::Worker { message: format!("no thread: {cause}") })?;
        let description = match ready.recv_timeout(start_limit) {
            Ok(answer) => answer?,
            Err(RecvTimeoutError::Timeout) => {
                shared.stop.store(true, Ordering::Relaxed);
                return Err(EngineError::StartLimit { limit: start_limit });
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(EngineError::Worker { message: "the thread ended while starting".to_owned() });
            }
        };
        Ok(Self { description, shared, jobs: Some(jobs), waiting, replies, thread: Some(handle), gone })
    }

    /// Hands a job over and never blocks. A job that waits already gives way; its input goes to
    /// [`Self::spare_image`].
    ///
    /// # Errors
    /// [`Refused`] with the job when the thread is gone or others fill the place each time.
    pub fn offer(&self, mut job: Job) -> Result<(), Refused> {
        let Some(jobs) = self.jobs.as_ref().filter(|_| self.is_alive()) else {
            return Err(Refused { job, why: Why::Stopped });
        };
        for _ in 0..ATTEMPTS {
            match jobs.try_send(job) {
                Ok(()) => {
                    self.shared.offered.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Err(TrySendError::Full(back)) => {
                    job = back;
                    if let Ok(older) = self.waiting.try_recv() {
                        self.shared.replaced.fetch_add(1, Ordering::Relaxed);
                        self.shared.keep_image(older.image);
                    }
                }
                Err(TrySendError::Disconnected(job)) => return Err(Refused { job, why: Why::Stopped }),
            }
        }
        Err(Refused { job, why: Why::Busy })
    }

    /// Waits for the reply to `sequence`, until `deadline` and no longer; a deadline in the past only looks.
    /// Replies to other jobs are thrown away. The wait ends early when the thread is gone, and when the engine
    /// has been on another frame for [`STALL_LIMIT`].
    pub fn reply_until(&self, sequence: u64, deadline: Instant) -> Option<Reply> {
        loop {
            let stuck = self.stuck_at(sequence);
            let until = stuck.map_or(deadline, |stuck| stuck.min(deadline));
            match self.replies.recv_deadline(until) {
                Ok(reply) if reply.sequence == sequence => return Some(reply),
                Ok(other) => self.shared.throw_away(other),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let now = Instant::now();
                    let still_stuck = self.stuck_at(sequence).is_some_and(|stuck| stuck <= now);
                    if now >= deadline || still_stuck {
                        return None;
                    }
                }
            }
        }
    }

    /// The newest finished reply that was not fetched yet. Never blocks; older ones are thrown away.
    pub fn newest(&self) -> Option<Reply> {
        let mut newest: Option<Reply> = None;
        // Bounded: the thread could go on finishing jobs while this looks.
        for _ in 0..KEPT_REPLIES {
            let Ok(reply) = self.replies.try_recv() else { break };
            if let Some(older) = newest.replace(reply) {
                self.shared.throw_away(older);
            }
        }
        newest
    }

    /// The input of a job that gave way, or whose reply was thrown away, to be used again.
    pub fn spare_image(&self) -> Option<Vec<f32>> {
        self.shared.spare_image()
    }

    /// Changes the prompt, from the next job on. A memory that does not fit the engine makes every reply the
    /// error that says so.
    pub fn set_memory(&self, memory: Arc<PromptMemory>) {
        *self.shared.memory.lock().unwrap_or_else(PoisonError::into_inner) = memory;
    }

    /// What the engine is.
    pub fn description(&self) -> Description {
        self.description.clone()
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// How long the engine has been on its present job; `None` when it has none.
    pub fn busy_for(&self) -> Option<Duration> {
        self.shared.present().map(|(_, since)| since.elapsed())
    }

    fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// When the engine will have been on a job other than `sequence` for [`STALL_LIMIT`].
    fn stuck_at(&self, sequence: u64) -> Option<Instant> {
        let (present, since) = self.shared.present()?;
        (present != sequence).then(|| since + STALL_LIMIT)
    }
}

impl Drop for Worker {
    /// Ends the thread. Never waits longer than [`STOP_LIMIT`]: a thread whose engine hangs is left behind.
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        let ended = matches!(self.gone.recv_timeout(STOP_LIMIT), Err(RecvTimeoutError::Disconnected));
        let Some(thread) = self.thread.take() else { return };
        if !ended {
            tracing::error!(
                engine = self.description.model,
                "the engine hangs: its thread is left behind after {STOP_LIMIT:?}"
            );
        } else if thread.join().is_err() {
            tracing::error!(engine = self.description.model, "the engine's thread panicked");
        }
    }
}
