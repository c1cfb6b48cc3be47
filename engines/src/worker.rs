//! A thread that owns an engine, and waits that always end.
//!
//! Each stream has one place for a job that waits; a newer one takes its place, because a mask of an older frame is worth less in either way
//! of running. So [`Worker::offer`] never blocks and memory never grows. Whoever needs the mask of this very frame calls
//! [`Worker::reply_until`]; whoever shows the newest there is calls [`Worker::newest`].
//!
//! Several streams may share an engine ([`Worker::another_stream`]): the most urgent frame is served first, and an engine that runs batches
//! gets those frames together that are better off together (`batch.rs`).
//!
//! An engine that fails or panics becomes a reply with an error, and the thread goes on. An engine that hangs
//! holds up its thread and nobody else: a wait for a job that can not be begun ends early, and dropping the
//! worker leaves such a thread behind after [`STOP_LIMIT`] rather than hanging with it. A process of its own
//! for the engine was the other way; it costs a copy of every input and is no help against a slow engine.
//!
//! Not here: deciding when a mask is too late (the caller's budget), and opening engines
//! ([`crate::engine::BACKENDS`]).

mod batch;
mod client;
mod job;
mod single;
#[cfg(test)]
mod tests;
mod thread;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, select};
use polyp::decode::Decoder;

use crate::cuda::frame::FrameRing;
use crate::engine::{Description, Engine};
use crate::error::EngineError;
use crate::memory::PromptMemory;

use client::Client;
pub use job::{Input, Job, Reply, Stats, Stopped, Timing};
use thread::{Hub, Ready, Thread};

/// How long dropping a worker waits for its thread.
pub const STOP_LIMIT: Duration = Duration::from_secs(1);

/// An engine that has been on one frame for this long is taken for stuck: nobody waits for another frame
/// behind it until it is done.
pub const STALL_LIMIT: Duration = Duration::from_secs(1);

/// Finished replies that are kept when nobody fetches them; the oldest goes first.
const KEPT_REPLIES: usize = 4;
/// Inputs that are kept to be used again.
const KEPT_INPUTS: usize = 4;

/// How nice a network's threads are, of 19 at most: with 5, the picture's threads have some three times the network's share of a core that both want, and get it as soon as they wake;
/// with 10, masks were late wherever anything else was at work.
const NICE: i32 = 5;

/// Has this thread, and every thread and process that it starts from here on, give way to others: a network that computes on the CPU must not
/// hold up the picture. Called in the thread that will open the engine, before it is opened.
pub fn give_way() {
    // A thread may always be made less urgent. On Linux, "this process" is the thread that asks.
    if let Err(cause) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!("the network's threads keep the picture's priority: {cause}");
    }
}

/// One stream at a thread that owns an engine.
#[derive(Debug)]
pub struct Worker {
    client: Arc<Client>,
    engine: Arc<Running>,
}

/// A running engine that other streams may join, for whoever looks after who has which. It does not keep the engine alive.
#[derive(Clone, Debug)]
pub struct Joinable(Weak<Running>);

impl Joinable {
    /// A stream at that engine, as [`Worker::another_stream`]; `None` when it has ended, or hangs.
    pub fn join(&self, memory: Arc<PromptMemory>) -> Option<Worker> {
        let engine = self.0.upgrade()?;
        let hangs = engine.hub.busy_since().is_some_and(|since| since.elapsed() >= STALL_LIMIT);
        (!hangs && engine.is_alive()).then(|| Worker::joining(engine, memory))
    }

    /// Whether any stream is at it still.
    pub fn is_used(&self) -> bool {
        self.0.strong_count() > 0
    }
}

/// The thread, which ends with the last of its streams.
#[derive(Debug)]
struct Running {
    ready: Ready,
    hub: Arc<Hub>,
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
        let client = Arc::new(Client::new(memory));
        let hub = Arc::new(Hub::new(Arc::clone(&client)));
        let (ready_to, ready) = bounded(1);
        let (alive, gone) = bounded(0);
        let thread = Thread::new(Arc::clone(&hub), decoder, alive);
        let of_client = Arc::clone(&client);
        let handle = std::thread::Builder::new()
            .name("polyp-engine".to_owned())
            .spawn(move || thread.run(open, &of_client, &ready_to))
            .map_err(|cause| EngineError::Worker { message: format!("no thread: {cause}") })?;
        let ready = match ready.recv_timeout(start_limit) {
            Ok(answer) => answer?,
            Err(RecvTimeoutError::Timeout) => {
                hub.stop.store(true, Ordering::Relaxed);
                return Err(EngineError::StartLimit { limit: start_limit });
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(EngineError::Worker { message: "the thread ended while starting".to_owned() });
            }
        };
        Ok(Self { client, engine: Arc::new(Running { ready, hub, thread: Some(handle), gone }) })
    }

    /// Another stream at the same engine, with a prompt, replies and counters of its own.
    pub fn another_stream(&self, memory: Arc<PromptMemory>) -> Self {
        Self::joining(Arc::clone(&self.engine), memory)
    }

    fn joining(engine: Arc<Running>, memory: Arc<PromptMemory>) -> Self {
        let client = Arc::new(Client::new(memory));
        engine.hub.add(Arc::clone(&client));
        Self { client, engine }
    }

    /// What lets other streams find the engine, so long as one is at it.
    pub fn joinable(&self) -> Joinable {
        Joinable(Arc::downgrade(&self.engine))
    }

    /// What copies frames for an engine that takes them as they come; `None` for one that wants [`Input::Copy`] or [`Input::Image`].
    pub fn frame_ring(&self) -> Option<Arc<FrameRing>> {
        self.engine.ready.ring.clone()
    }

    /// Hands a job over and never blocks. A job of this stream that waits already gives way; its input goes to
    /// [`Self::spare`].
    ///
    /// # Errors
    /// [`Stopped`] with the job when the thread is gone.
    pub fn offer(&self, job: Job) -> Result<(), Box<Stopped>> {
        if !self.engine.is_alive() {
            return Err(Box::new(Stopped { job }));
        }
        self.client.offer(job);
        self.engine.hub.wake();
        Ok(())
    }

    /// Waits for the reply to `sequence`, until `deadline` and no longer; a deadline in the past only looks.
    /// Replies to other jobs are thrown away. The wait ends early when the thread is gone, and when the engine
    /// has been on another frame for [`STALL_LIMIT`].
    pub fn reply_until(&self, sequence: u64, deadline: Instant) -> Option<Reply> {
        loop {
            let stuck = self.stuck_at(sequence);
            let until = stuck.map_or(deadline, |stuck| stuck.min(deadline));
            let wait = until.saturating_duration_since(Instant::now());
            let reply = select! {
                recv(self.client.replies) -> reply => reply.ok(),
                // It may have answered before it went.
                recv(self.engine.gone) -> _never => match self.client.replies.try_recv() {
                    Ok(reply) => Some(reply),
                    Err(_none) => return None,
                },
                default(wait) => None,
            };
            match reply {
                Some(reply) if reply.sequence == sequence => return Some(reply),
                Some(other) => self.client.throw_away(other),
                None => {
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
            let Ok(reply) = self.client.replies.try_recv() else { break };
            if let Some(older) = newest.replace(reply) {
                self.client.throw_away(older);
            }
        }
        newest
    }

    /// The input of a job that gave way, or whose reply was thrown away: its memory may be used again.
    pub fn spare(&self) -> Option<Input> {
        self.client.spare()
    }

    /// Changes this stream's prompt, from the next job on: one that waits already is still about the old prompt. A memory that does not fit the engine makes every reply the
    /// error that says so.
    pub fn set_memory(&self, memory: Arc<PromptMemory>) {
        self.client.set_memory(memory);
    }

    /// What the engine is.
    pub fn description(&self) -> Description {
        self.engine.ready.description.clone()
    }

    /// What was done so far for this stream.
    pub fn stats(&self) -> Stats {
        self.client.stats()
    }

    /// How long the engine has been on its present job, of whatever stream; `None` when it has none.
    pub fn busy_for(&self) -> Option<Duration> {
        self.engine.hub.busy_since().map(|since| since.elapsed())
    }

    /// When the engine will have been on a job other than `sequence` of this stream for [`STALL_LIMIT`].
    fn stuck_at(&self, sequence: u64) -> Option<Instant> {
        let since = self.engine.hub.busy_since()?;
        (self.client.present() != Some(sequence)).then(|| since + STALL_LIMIT)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.engine.hub.remove(&self.client);
    }
}

impl Running {
    fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Running {
    /// Ends the thread. Never waits longer than [`STOP_LIMIT`]: a thread whose engine hangs is left behind.
    fn drop(&mut self) {
        self.hub.stop.store(true, Ordering::Relaxed);
        self.hub.wake();
        let ended = matches!(self.gone.recv_timeout(STOP_LIMIT), Err(RecvTimeoutError::Disconnected));
        let Some(thread) = self.thread.take() else { return };
        if !ended {
            tracing::error!(
                engine = self.ready.description.model,
                "the engine hangs: its thread is left behind after {STOP_LIMIT:?}"
            );
        } else if thread.join().is_err() {
            tracing::error!(engine = self.ready.description.model, "the engine's thread panicked");
        }
    }
}
