//! A smaller engine in reserve, for a picture that keeps missing its budget: it is made ready beside the picture at the start and stays,
//! so that an exchange with the one in force, there and back, takes no more than the moment between two frames. Whichever of the two
//! waits here follows the prompt, and is exchanged only once it has a memory of the one that is asked for.
//!
//! Owned by the streaming thread, which never waits for what is made here. Not here: when to exchange ([`super::relieve`]), other
//! engines that the user wants ([`super::swap`]).

use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use polyp_engine::memory::PromptMemory;

use super::open::{Factory, Remember};
use super::running::Running;
use super::session::Session;
use super::settings::Settings;
use super::start::{Beside, Ready, Stage, Start, guarded};
use super::stats::Runs;
use super::swap::begin;

/// Where there is no smaller engine to be asked yet.
const OPENING: &str = "the smaller engine is still being made ready";
const REMEMBERING: &str = "the engine in reserve has no memory of the prompt yet";

/// The engine that waits.
#[derive(Debug)]
pub(super) struct Reserve {
    state: State,
    /// Whether the smaller one is in force, and the other waits here.
    is_shrunk: bool,
    /// Gone with whoever would take what is being made.
    _wanted: Arc<()>,
}

#[derive(Debug)]
enum State {
    Opening(Receiver<Result<Box<Spare>, String>>),
    There(Box<Spare>),
    /// It can not be had, for this reason.
    Failed(String),
}

/// An engine and what belongs to it.
struct Spare {
    session: Session,
    runs: Runs,
    remember: Remember,
    memory: Memory,
    /// What the user has to know of it.
    announcement: Option<String>,
}

impl std::fmt::Debug for Spare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spare")
            .field("runs", &self.runs)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

/// A spare's memory of a prompt; `None` for the engine's own prompt.
#[derive(Debug)]
enum Memory {
    Nothing,
    Coming(Option<String>, Receiver<Result<Arc<PromptMemory>, String>>),
    There(Option<String>, Arc<PromptMemory>),
    Refused(Option<String>, String),
}

impl Reserve {
    /// Begins to make the smaller engine that `settings` name ready, for prompts as the larger one has. `None` where none is named.
    ///
    /// # Errors
    /// When its folder is no engine, its backends are not there, it has no memory of the prompt, or its input is not smaller than
    /// `side_px`.
    pub(super) fn open(
        settings: &Settings,
        injected: Option<Factory>,
        side_px: u32,
    ) -> Result<Option<Self>, String> {
        let settings = Settings { engine: settings.smaller_engine.clone(), ..settings.clone() };
        let begun = begin(&settings, injected).map_err(|unready| unready.sentence());
        let begun = begun.map_err(|sentence| format!("property smaller-engine: {sentence}"))?;
        let Some((start, memory)) = begun else { return Ok(None) };
        let found = start.side_px();
        if found >= side_px {
            return Err(format!(
                "property smaller-engine: expected an engine with an input of less than {side_px} px, as the other has, found one of {found} px"
            ));
        }
        let wanted = Arc::new(());
        let (still, prompt) = (Arc::downgrade(&wanted), settings.prompt);
        let made = beside("polyp-reserve", move || {
            let is_wanted = || still.strong_count() > 0;
            let beside = Beside { hear: &|_| {}, wanted: &is_wanted };
            guarded(|| make(start, (prompt, memory), &beside))
        });
        let state = State::Opening(
            made.map_err(|cause| format!("no thread to make the smaller engine ready in: {cause}"))?,
        );
        Ok(Some(Self { state, is_shrunk: false, _wanted: wanted }))
    }

    /// Whether the smaller engine is in force.
    pub(super) fn is_shrunk(&self) -> bool {
        self.is_shrunk
    }

    /// Takes what was made, and has a memory of `prompt` made where there is none. Gives what the user has to know, once. Never waits.
    pub(super) fn look(&mut self, prompt: Option<&str>) -> Option<String> {
        let mut news = None;
        if let State::Opening(made) = &self.state {
            let made = match made.try_recv() {
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => Err("its thread ended".to_owned()),
                Ok(made) => made,
            };
            self.state = match made {
                Ok(mut spare) => {
                    news = spare.announcement.take();
                    State::There(spare)
                }
                Err(reason) => {
                    news = Some(format!(
                        "property smaller-engine: {reason}; where the budget is missed the larger engine goes on"
                    ));
                    State::Failed(format!("there is no smaller engine: {reason}"))
                }
            };
        }
        if let State::There(spare) = &mut self.state {
            // A frame that it still had is given back.
            spare.session.collect();
            spare.follow(prompt);
        }
        news
    }

    /// The engine that waits, if it can be asked in the other's place.
    ///
    /// # Errors
    /// Why not.
    fn spare(&mut self, prompt: Option<&str>) -> Result<&mut Spare, String> {
        match &mut self.state {
            State::Opening(_) => Err(OPENING.to_owned()),
            State::Failed(reason) => Err(reason.clone()),
            State::There(spare) => match &spare.memory {
                Memory::There(of, _) if of.as_deref() == prompt => Ok(spare),
                Memory::Refused(of, reason) if of.as_deref() == prompt => {
                    Err(format!("the engine in reserve has no memory of the prompt: {reason}"))
                }
                _ => Err(REMEMBERING.to_owned()),
            },
        }
    }

    /// Exchanges what waits with `session`, which `running` says what it is, and which the engine of `number` takes the place of.
    /// `can_see` says whether a session can be asked about the frames that there are.
    ///
    /// # Errors
    /// Why what waits can not be asked; nothing is exchanged then.
    pub(super) fn exchange(
        &mut self,
        session: &mut Session,
        running: &mut Running,
        number: u64,
        can_see: impl FnOnce(&Session) -> Result<(), String>,
    ) -> Result<(), String> {
        let is_shrunk = self.is_shrunk;
        let spare = self.spare(running.settings.prompt.as_deref())?;
        can_see(&spare.session)?;
        let (side, other) = (spare.runs.side_px(), running.runs.side_px());
        if !is_shrunk && side >= other {
            return Err(format!(
                "the engine in reserve has an input of {side} px, which is not smaller than {other} px"
            ));
        }
        let Memory::There(prompt, memory) = std::mem::replace(&mut spare.memory, Memory::Nothing) else {
            return Err(REMEMBERING.to_owned());
        };
        std::mem::swap(&mut spare.session, session);
        session.come_back(&mut spare.session);
        running.exchange(number, (&mut spare.runs, &mut spare.remember), (prompt, memory));
        self.is_shrunk = !is_shrunk;
        Ok(())
    }

    /// Takes the smaller engine back, which was in force until another took its place, and gives the one that waited for it.
    pub(super) fn take_back(&mut self, session: Session, (runs, remember): (Runs, Remember)) -> Session {
        self.is_shrunk = false;
        let State::There(spare) = &mut self.state else { return session };
        (spare.runs, spare.remember, spare.memory) = (runs, remember, Memory::Nothing);
        std::mem::replace(&mut spare.session, session)
    }
}

impl Spare {
    /// Has a memory of `prompt` made, unless it is there, on its way, or can not be had; takes it when it is made.
    fn follow(&mut self, prompt: Option<&str>) {
        if let Memory::Coming(of, made) = &mut self.memory {
            let made = match made.try_recv() {
                // One at a time, also where another prompt is wanted meanwhile.
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => Err("its thread ended".to_owned()),
                Ok(made) => made,
            };
            let of = of.take();
            self.memory = match made {
                Ok(memory) => {
                    self.session.set_memory(Arc::clone(&memory));
                    self.runs.prompt.clone_from(&memory.prompt);
                    Memory::There(of, memory)
                }
                Err(reason) => Memory::Refused(of, reason),
            };
        }
        let of = match &self.memory {
            Memory::Nothing => None,
            Memory::Coming(of, _) | Memory::There(of, _) | Memory::Refused(of, _) => Some(of),
        };
        if of.is_some_and(|of| of.as_deref() == prompt) {
            return;
        }
        let (remember, wanted) = (Arc::clone(&self.remember), prompt.map(str::to_owned));
        let asked = wanted.clone();
        let made = beside("polyp-reserve", move || {
            guarded(|| remember(asked.as_deref()).map_err(|error| error.to_string()))
        });
        self.memory = match made {
            Ok(made) => Memory::Coming(wanted, made),
            Err(cause) => Memory::Refused(wanted, format!("no thread to make it in: {cause}")),
        };
    }
}

/// Starts an engine with its first prompt.
fn make(
    start: Start,
    (prompt, memory): (Option<String>, Arc<PromptMemory>),
    beside: &Beside<'_>,
) -> Result<Box<Spare>, String> {
    let remember = start.remember();
    match start.go_on(&memory, Some(beside))? {
        Stage::Slow(_) => Err("the engine was not prepared".to_owned()),
        Stage::Ready(ready) => {
            let Ready { session, runs, announcement } = *ready;
            let memory = Memory::There(prompt, memory);
            Ok(Box::new(Spare { session, runs, remember, memory, announcement }))
        }
    }
}

/// What `work` makes in a thread of that name.
fn beside<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<Receiver<T>> {
    let (to, made) = bounded(1);
    // Where nobody takes it any more it is dropped here.
    let send = move || drop(to.send(work()));
    std::thread::Builder::new().name(name.to_owned()).spawn(send).map(|_| made)
}
