//! The engine in a process of its own, so that nothing that happens to it (a crash, a stop, used-up memory, a hang) happens to the picture.
//!
//! The process is the `polyp-engine` tool with its verb `serve`. Pictures and logits go through shared memory (`shared.rs`: one copy in, one
//! out), a word for each through a socket (`wire.rs`). A second process, opened and warm, waits in reserve: when the first is gone it takes
//! over with the next frame, and another is started behind it, later and later if they keep dying.
//!
//! Not here: what the process does (`serve.rs`), frames that go to a card as they come (they would be copied once more: such an engine gets
//! pictures here).

mod process;
mod serve;
mod shared;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError, bounded};

use crate::backend::interface::{Bound, check_images, check_logits};
use crate::engine::{Description, Engine, Options};
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::memory::PromptMemory;

use process::Process;
pub use process::tool;
pub use serve::serve;

/// How long a process may take to open its engine.
const START_LIMIT: Duration = Duration::from_secs(120);
/// The first pause after a process that could not be started or died at once; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A process that has lived for so long did not die at once.
const SETTLED: Duration = Duration::from_secs(10);

/// What to start.
#[derive(Clone, Debug)]
struct Plan {
    /// The tool.
    tool: PathBuf,
    /// The engine folder.
    folder: PathBuf,
    /// The sha256 of its manifest: what takes its place later is another engine.
    manifest_sha256: String,
    backend: &'static str,
    options: Options,
    side_px: usize,
    /// Numbers in the prompt memory.
    memory: usize,
    /// Set when nobody wants a process any more.
    given_up: Arc<AtomicBool>,
}

/// A process that is being started, and the thread that does so.
struct Reserve {
    answer: Receiver<Result<Process, EngineError>>,
    thread: JoinHandle<()>,
}

/// An engine in a process of its own, with another in reserve.
pub struct Isolated {
    description: Description,
    plan: Plan,
    bound: Bound,
    /// The bound memory's numbers, for processes that come later.
    values: Vec<f32>,
    current: Option<Process>,
    reserve: Option<Reserve>,
    pause: Duration,
    /// No process is started before.
    not_before: Instant,
}

impl Isolated {
    /// Opens `folder` on `backend` in a process, and begins to open it in another for the reserve.
    ///
    /// # Errors
    /// What the process says, in the words that the engine would have had here; [`EngineError::Isolated`] when there is no process to be had.
    pub fn open(
        folder: &EngineFolder,
        backend: &'static str,
        options: &Options,
    ) -> Result<Self, EngineError> {
        let side_px = folder.manifest().model.side_px;
        let shapes = folder.network().memory_shapes();
        let plan = Plan {
            tool: tool()?,
            folder: folder.path().to_owned(),
            manifest_sha256: folder.manifest_sha256().to_owned(),
            backend,
            options: options.clone(),
            side_px,
            memory: shapes.iter().map(|(_, [tokens, width])| tokens * width).sum(),
            given_up: Arc::default(),
        };
        let first = Process::start(&plan, START_LIMIT)?;
        let mut made = Self {
            description: first.description().clone(),
            plan,
            bound: Bound::new(folder),
            values: Vec::new(),
            current: Some(first),
            reserve: None,
            pause: FIRST_PAUSE,
            not_before: Instant::now(),
        };
        made.start_reserve();
        Ok(made)
    }

    /// The process that runs frames now; for tests that do things to it.
    pub fn process_id(&self) -> Option<i32> {
        self.current.as_ref().map(Process::id)
    }

    /// Begins to open a process for the reserve, unless one is on its way or the pause is not over.
    fn start_reserve(&mut self) {
        if self.reserve.is_some() || Instant::now() < self.not_before {
            return;
        }
        let (to, from) = bounded(1);
        let plan = self.plan.clone();
        let starting = std::thread::Builder::new().name("polyp-reserve".to_owned());
        let started = starting.spawn(move || drop(to.send(Process::start(&plan, START_LIMIT))));
        match started {
            Ok(thread) => self.reserve = Some(Reserve { answer: from, thread }),
            Err(error) => {
                tracing::warn!(%error, "no thread to start a process in reserve");
                self.wait_longer();
            }
        }
    }

    fn wait_longer(&mut self) {
        self.not_before = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Takes the process that runs frames: the present one, or the reserve in the place of one that is gone, if it is ready.
    fn take(&mut self) -> Result<Process, EngineError> {
        // Also while all is well: after an early death the pause ends some frames later.
        self.start_reserve();
        if let Some(process) = self.current.take() {
            return Ok(process);
        }
        let answer = self.reserve.as_ref().map(|reserve| reserve.answer.try_recv());
        match answer {
            Some(Ok(Ok(process))) => {
                self.reserve = None;
                self.start_reserve();
                return Ok(process);
            }
            Some(Ok(Err(error))) => {
                self.reserve = None;
                self.wait_longer();
                return Err(error);
            }
            Some(Err(TryRecvError::Disconnected)) => {
                self.reserve = None;
                self.wait_longer();
            }
            Some(Err(TryRecvError::Empty)) | None => {}
        }
        let message = "the engine's process is gone, and the next one is not ready yet".to_owned();
        Err(EngineError::Isolated { message })
    }

    /// Lets go of a process that failed.
    fn bury(&mut self, process: Process) {
        if process.age() >= SETTLED {
            self.pause = FIRST_PAUSE;
            self.not_before = Instant::now();
        } else {
            self.wait_longer();
        }
        drop(process);
        // The reserve is usually there already; this is for when it is not.
        self.start_reserve();
    }
}

impl Drop for Isolated {
    /// Takes the reserve back too, ready or not.
    fn drop(&mut self) {
        self.plan.given_up.store(true, Ordering::Relaxed);
        if let Some(Reserve { answer, thread }) = self.reserve.take() {
            // With what is in it.
            drop(answer);
            if thread.join().is_err() {
                tracing::warn!("the thread that starts a process in reserve panicked");
            }
        }
    }
}

impl Engine for Isolated {
    fn description(&self) -> &Description {
        &self.description
    }

    fn infer(
        &mut self,
        images: &[f32],
        batch: usize,
        memory: &PromptMemory,
        logits: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        let side = self.plan.side_px;
        check_images(images, batch, side)?;
        let values = &mut self.values;
        self.bound.rebind(memory, |memory| {
            values.clear();
            memory.tensors.iter().for_each(|(_, array)| values.extend_from_slice(&array.values));
            Ok(())
        })?;
        let mut process = self.take()?;
        logits.clear();
        // One after the other: a batch is for cards.
        for image in images.chunks_exact(3 * side * side) {
            match process.run(image, &self.values, logits) {
                Ok(()) => {}
                // The engine says no and lives on.
                Err(error @ EngineError::Engine { .. }) => {
                    self.current = Some(process);
                    return Err(error);
                }
                Err(error) => {
                    self.bury(process);
                    return Err(error);
                }
            }
        }
        self.current = Some(process);
        check_logits(self.description.backend, logits)
    }
}
