//! One process with an engine in it, seen from outside.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, waitpid};
use serde_json::Value;

use super::Plan;
use super::shared::{Layout, Part, Shared};
use super::wire::{Word, hear, pair, say};
use crate::deps;
use crate::engine::{Backend, Description, Precision};
use crate::error::EngineError;

/// How often a process that is waited for is looked at: whether it is stopped or gone.
const GLANCE: Duration = Duration::from_millis(10);
/// How long is waited for what the system says of a process that has gone.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// The least time that an engine has for a picture, and how many times what it took when it was warmed up.
const LEAST_ANSWER: Duration = Duration::from_secs(1);
const PATIENCE: u32 = 20;

/// The tool that is started.
///
/// # Errors
/// [`EngineError::Missing`] naming where it was looked for.
pub fn tool() -> Result<PathBuf, EngineError> {
    deps::engine_tool()
}

fn failed(what: impl Into<String>) -> EngineError {
    EngineError::Isolated { message: what.into() }
}

/// A process that is open and warm.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    socket: OwnedFd,
    shared: Shared,
    description: Description,
    /// How long it may take for a picture.
    answer_limit: Duration,
    /// The prompt memory that it has.
    memory: Vec<f32>,
    started: Instant,
}

impl Process {
    /// Starts one and waits until it is warm.
    pub(super) fn start(plan: &Plan, limit: Duration) -> Result<Self, EngineError> {
        let system = |error: io::Error| failed(format!("the engine's process can not be started: {error}"));
        let (socket, theirs) = pair().map_err(system)?;
        let shared = Shared::new(Layout::new(plan.side_px, plan.memory)).map_err(system)?;
        let memory = shared.file().try_clone_to_owned().map_err(system)?;
        // The socket and the memory are its standard input and output: nothing else would be passed on by `exec`.
        let child = Command::new(&plan.tool)
            .arg("serve")
            .arg(&plan.folder)
            .args(["--manifest", &plan.manifest_sha256])
            .args(["--backend", plan.backend, "--precision", plan.options.precision.name()])
            .args(["--threads", &plan.options.threads.to_string()])
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::from(memory))
            .spawn()
            .map_err(|error| failed(format!("{}: can not be started: {error}", plan.tool.display())))?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| failed("the engine's process has no number"))?;
        let mut made = Self {
            pid,
            socket,
            shared,
            description: Description {
                backend: plan.backend,
                library: String::new(),
                precision: Precision::Auto,
                threads: 0,
                model: String::new(),
                side_px: plan.side_px,
            },
            answer_limit: LEAST_ANSWER,
            memory: Vec::new(),
            started: Instant::now(),
        };
        match made.answer(limit, &plan.given_up)? {
            Word::Ready(text) => made.heard_ready(&text)?,
            Word::Failed(message) => return Err(EngineError::Engine { message }),
            _ => return Err(failed("the engine's process says something else than that it is ready")),
        }
        Ok(made)
    }

    fn heard_ready(&mut self, text: &str) -> Result<(), EngineError> {
        let told: Value = serde_json::from_str(text)
            .map_err(|error| failed(format!("the engine's process does not say what it is: {error}")))?;
        let word = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| told.get(name).and_then(Value::as_u64).unwrap_or_default();
        self.description = Description {
            backend: Backend::named(word("backend"))?.name,
            library: word("library").to_owned(),
            precision: Precision::from_name(word("precision")).unwrap_or_default(),
            threads: usize::try_from(number("threads")).unwrap_or_default(),
            model: word("model").to_owned(),
            side_px: self.description.side_px,
        };
        let warm = Duration::from_micros(number("warm_us"));
        self.answer_limit = LEAST_ANSWER.max(warm * PATIENCE);
        Ok(())
    }

    pub(super) fn description(&self) -> &Description {
        &self.description
    }

    pub(super) fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Runs a picture and adds its logits to `logits`.
    ///
    /// # Errors
    /// [`EngineError::Engine`] when the engine refuses and lives on; [`EngineError::Isolated`] when the process is gone, stopped or hangs:
    /// it is of no more use then.
    pub(super) fn run(
        &mut self,
        image: &[f32],
        memory: &[f32],
        logits: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        self.shared.write(Part::Image, image);
        let word = if self.memory == memory {
            Word::Run
        } else {
            self.shared.write(Part::Memory, memory);
            self.memory.clear();
            self.memory.extend_from_slice(memory);
            Word::RunAnew
        };
        if let Err(error) = say(&self.socket, &word) {
            return Err(self
                .last_fate()
                .unwrap_or_else(|| failed(format!("the engine's process does not hear: {error}"))));
        }
        match self.answer(self.answer_limit, &AtomicBool::new(false))? {
            Word::Done => {
                self.shared.read(Part::Logits, logits);
                Ok(())
            }
            Word::Failed(message) => Err(EngineError::Engine { message }),
            _ => Err(failed("the engine's process says something else than what became of a picture")),
        }
    }

    /// Waits for a word, and looks now and then whether there is still somebody to say one.
    fn answer(&mut self, limit: Duration, given_up: &AtomicBool) -> Result<Word, EngineError> {
        let end = Instant::now() + limit;
        loop {
            if given_up.load(Ordering::Relaxed) {
                return Err(failed("the engine's process is not wanted any more"));
            }
            let rest = end.saturating_duration_since(Instant::now());
            match hear(&self.socket, Some(rest.min(GLANCE))) {
                Ok(Some(word)) => return Ok(word),
                Ok(None) if rest.is_zero() => {
                    return Err(failed(format!("the engine's process hangs: no answer after {limit:?}")));
                }
                Ok(None) => {
                    if let Some(fate) = self.fate() {
                        return Err(fate);
                    }
                }
                Err(error) => {
                    let words = || failed(format!("the engine's process is gone: {error}"));
                    return Err(self.last_fate().unwrap_or_else(words));
                }
            }
        }
    }

    /// What became of it; the system may take a moment to say so.
    fn last_fate(&self) -> Option<EngineError> {
        let looks = LAST_WORDS.as_millis() / GLANCE.as_millis();
        (0..looks).find_map(|_| {
            let fate = self.fate();
            if fate.is_none() {
                std::thread::sleep(GLANCE);
            }
            fate
        })
    }

    /// What became of it, if anything did.
    fn fate(&self) -> Option<EngineError> {
        let (_, status) =
            waitpid(Some(self.pid), WaitOptions::NOHANG | WaitOptions::UNTRACED).ok().flatten()?;
        Some(failed(format!("the engine's process {}", told(status))))
    }
}

/// A status in words.
fn told(status: WaitStatus) -> String {
    if status.stopped() {
        return "was stopped".to_owned();
    }
    if let Some(signal) = status.terminating_signal() {
        let name = match signal {
            6 => " (it aborted)",
            9 => " (it was killed; so does a system without memory)",
            11 => " (it reached for memory that is not there)",
            _ => "",
        };
        return format!("ended by signal {signal}{name}");
    }
    format!("ended with status {}", status.exit_status().unwrap_or_default())
}

impl Drop for Process {
    /// It has nothing to save: it is killed, stopped or not, and waited for, so that it does not stay as a zombie.
    fn drop(&mut self) {
        // Gone already is as good.
        kill_process(self.pid, Signal::KILL).ok();
        waitpid(Some(self.pid), WaitOptions::empty()).ok();
    }
}
