//! Another engine while the picture runs: it is opened, prepared and warmed up beside the one in force, which goes on serving
//! frames, and then handed to the streaming thread. One that can not be made ready is refused with a WARNING, and the properties
//! name the engine in force again.
//!
//! One thread does so at a time, for the newest engine that is wanted ([`super::newest`]): at most three are there at once, the
//! one in force, one in waiting and one that is being made; besides, there may be one in reserve ([`super::reserve`]). Each swap
//! has a number, and counts while that is in [`super::running`]. What is said of a swap passes the lock of what is wanted, and
//! leaving it takes the same lock, so that nothing of an older one is said or taken up; the streaming thread never takes that
//! lock. The locks' order: what is wanted, then the properties, then what is in force.
//!
//! Not here: trying backends ([`super::start`]), the switch between two frames ([`super::switch`]).

use std::sync::{Arc, Mutex};
use std::time::Instant;

use gst::glib;
use gst::subclass::prelude::*;
use polyp_engine::engine::Progress;
use polyp_engine::memory::PromptMemory;

use super::compare::Comparison;
use super::imp::{CAT, PolypSegment};
use super::open::{self, Factory};
use super::ready::Pace;
use super::reaper::{self, reap};
use super::running::{Course, Running, Wanted};
use super::settings::Settings;
use super::start::{Beside, Ready, Stage, Start, guarded};
use super::successor::{Successor, known};
use crate::lock::lock;

/// The code of the PROGRESS messages.
const CODE: &str = "swap";

/// Why there is no engine, in a sentence.
pub(super) enum Unready {
    /// It can not be opened, prepared or warmed up.
    Engine(String),
    /// It has no memory of the prompt.
    Prompt(String),
}

impl From<String> for Unready {
    fn from(sentence: String) -> Self {
        Self::Engine(sentence)
    }
}

impl Unready {
    pub(super) fn sentence(self) -> String {
        match self {
            Self::Engine(sentence) | Self::Prompt(sentence) => sentence,
        }
    }
}

/// At the first backend that is there, with the memory of the prompt that `settings` name; `None` where there is no engine to be
/// opened. Everything that is wrong is one sentence.
pub(super) fn begin(
    settings: &Settings,
    injected: Option<Factory>,
) -> Result<Option<(Start, Arc<PromptMemory>)>, Unready> {
    let factory = match (injected, &settings.engine) {
        (Some(factory), _) => factory,
        (None, Some(path)) => open::factory(path, settings).map_err(|error| error.to_string())?,
        (None, None) => return Ok(None),
    };
    let start = Start::new(settings, factory)?;
    let memory = start.remember()(settings.prompt.as_deref());
    let memory = memory.map_err(|error| Unready::Prompt(error.to_string()))?;
    Ok(Some((start, memory)))
}

/// What is said where a folder is expected.
pub(super) const NO_ENGINE: &str = "property engine: expected the folder of an engine, found nothing";

/// The thread's way back to its element.
struct Back {
    element: glib::WeakRef<super::PolypSegment>,
    pace: Mutex<Pace>,
}

impl Back {
    /// Makes engines, so long as any is wanted.
    fn work(&self) {
        reaper::be_ready();
        while let Some((wanted, injected)) = self.next() {
            let number = wanted.number;
            match guarded(|| self.make(wanted, injected)) {
                Ok((successor, announcement)) => {
                    self.with(number, |imp| imp.hand_over(successor, announcement.as_deref()));
                }
                Err(Unready::Prompt(sentence)) if self.refuse_prompt(number, &sentence) => {}
                Err(unready) => {
                    self.with(number, |imp| imp.refuse(number, &unready.sentence()));
                }
            }
        }
    }

    /// Has the prompt refused in place of the engine, where the two were asked for together. The engine is then wanted with the prompt in
    /// force. False where that is the very prompt that it can not have.
    fn refuse_prompt(&self, number: u64, sentence: &str) -> bool {
        let Some(element) = self.element.upgrade() else { return false };
        let asked = lock(&element.imp().running)
            .as_ref()
            .filter(|running| running.swaps(number))
            .and_then(Running::pending);
        let Some(asked) = asked else { return false };
        element.imp().prompt_made(&asked, Err(sentence.to_owned()));
        true
    }

    fn next(&self) -> Option<(Wanted, Option<Factory>)> {
        let element = self.element.upgrade()?;
        let imp = element.imp();
        let wanted = lock(&imp.swaps).next()?;
        let injected = lock(&imp.factory).clone();
        Some((wanted, injected))
    }

    /// Does `work` on the element if the swap of that number still counts, and says whether it does. What `work` holds is
    /// dropped without the lock.
    fn with(&self, number: u64, work: impl FnOnce(&PolypSegment)) -> bool {
        let Some(element) = self.element.upgrade() else { return false };
        let imp = element.imp();
        let _said_in_order = lock(&imp.swaps);
        let counts = lock(&imp.running).as_ref().is_some_and(|running| running.swaps(number));
        if counts {
            work(imp);
        }
        counts
    }

    /// An engine that can take over, and what the user has to know of it.
    fn make(
        &self,
        wanted: Wanted,
        injected: Option<Factory>,
    ) -> Result<(Box<Successor>, Option<String>), Unready> {
        let Wanted { number, draft, settings, .. } = wanted;
        let (start, memory) = begin(&settings, injected)?.ok_or_else(|| NO_ENGINE.to_owned())?;
        let remember = start.remember();
        let hear = |progress: Progress| {
            if lock(&self.pace).is_due(Instant::now()) {
                self.with(number, |imp| {
                    imp.progress(CODE, gst::ProgressType::Continue, &progress.to_string())
                });
            }
        };
        let wanted = || self.with(number, |_| {});
        let beside = Beside { hear: &hear, wanted: &wanted };
        let Stage::Ready(ready) = start.go_on(&memory, Some(&beside))? else {
            return Err("the engine was not prepared".to_owned().into());
        };
        let Ready { session, runs, announcement } = *ready;
        let comparison = Comparison::new(settings.compare_frames);
        let known = known(settings.prompt.as_deref(), &memory);
        let successor = Successor { number, draft, session, runs, remember, known, comparison };
        Ok((Box::new(successor), announcement))
    }
}

impl PolypSegment {
    /// Follows what a change of properties asks of the engine.
    pub(super) fn follow(&self, course: Course) {
        match course {
            Course::Stay => {}
            Course::Leave => reap(self.leave_swap("the engine in force is wanted again")),
            Course::Swap(wanted) => self.begin_swap(*wanted),
        }
    }

    fn begin_swap(&self, wanted: Wanted) {
        let number = wanted.number;
        let (is_idle, older) = {
            let mut swaps = lock(&self.swaps);
            let counts = lock(&self.running).as_ref().is_some_and(|running| running.swaps(number));
            if !counts {
                return;
            }
            if wanted.anew {
                self.progress(CODE, gst::ProgressType::Canceled, "another engine or prompt is wanted");
            }
            let engine = wanted.draft.engine.clone();
            self.progress(
                CODE,
                gst::ProgressType::Start,
                &format!("engine {engine}: making it ready beside the one in force"),
            );
            (swaps.want(wanted), lock(&self.successor).take())
        };
        reap(older);
        let back = Back { element: self.obj().downgrade(), pace: Mutex::default() };
        let thread = std::thread::Builder::new().name("polyp-swap".to_owned());
        if is_idle && let Err(error) = thread.spawn(move || back.work()) {
            let left = lock(&self.swaps).give_up();
            if let Some(wanted) = left {
                self.refuse(wanted.number, &format!("no thread to make the engine ready in: {error}"));
            }
        }
    }

    /// Says that the swap that was wanted no longer counts. Gives back what came of it, which may take a moment to end.
    pub(super) fn leave_swap(&self, why: &str) -> Option<Box<Successor>> {
        let mut swaps = lock(&self.swaps);
        swaps.leave();
        self.progress(CODE, gst::ProgressType::Canceled, why);
        lock(&self.successor).take()
    }

    /// Hands an engine to the streaming thread.
    fn hand_over(&self, successor: Box<Successor>, announcement: Option<&str>) {
        let text = match successor.comparison {
            Some(_) => {
                format!("engine {} is ready, and is compared with the one in force", successor.runs.engine)
            }
            None => format!("engine {} is ready, and in force from the next frame on", successor.runs.engine),
        };
        gst::info!(CAT, imp = self, "{text}: {:?}", successor.runs.description);
        self.progress(CODE, gst::ProgressType::Complete, &text);
        self.announce(announcement);
        *lock(&self.successor) = Some(successor);
    }

    /// Says why the engine of that swap does not come into force, and sets the properties back to the one that is.
    pub(super) fn refuse(&self, number: u64, sentence: &str) {
        let stays = {
            let mut draft = lock(&self.draft);
            let mut running = lock(&self.running);
            let Some(running) = running.as_mut().filter(|running| running.swaps(number)) else { return };
            running.leave_swap();
            draft.take_engine_of(&running.in_force);
            if let Ok(settings) = draft.check() {
                running.settings = Arc::new(settings);
            }
            running.runs.engine.clone()
        };
        self.progress(CODE, gst::ProgressType::Error, sentence);
        let stays = if stays.is_empty() {
            "there is still none".to_owned()
        } else {
            format!("engine {stays:?} stays in force")
        };
        gst::element_imp_warning!(self, gst::LibraryError::Settings, ("another engine: {sentence}; {stays}"));
    }
}
