//! Making an engine ready beside the picture: the thread, what it says on the bus, and how its outcome comes to the
//! streaming thread.
//!
//! A preparation can not be told to stop, so one that is no longer wanted goes on to its end and is then thrown away.
//! Each has a number. What it has to say passes [`Preparation`]'s lock, under which its number is compared with the one
//! that counts; stopping the element takes the same lock to count on. So nothing of an older preparation is said or
//! taken up once the element was stopped. The streaming thread never takes that lock: a slow listener on the bus holds
//! up the preparation and not the picture. It also holds up stopping, as it would from a streaming thread, and for the
//! same reason a bus's synchronous handler must not change the element's state.
//!
//! Not here: what is tried and how ([`super::start`]), the swap between two frames ([`super::pass`]).

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::glib;
use gst::subclass::prelude::*;
use polyp_engine::engine::Progress;
use polyp_engine::memory::PromptMemory;

use super::imp::{CAT, PolypSegment};
use super::outcome::Cause;
use super::start::{Beside, Ready, Stage, Start, guarded};
use crate::lock::lock;

/// The code of the PROGRESS messages.
const CODE: &str = "prepare";

/// The shortest time between two PROGRESS messages of one preparation: libraries count steps by the thousand.
const PACE: Duration = Duration::from_millis(250);

/// Which preparation counts.
#[derive(Debug, Default)]
pub(super) struct Preparation {
    number: u64,
    /// Whether it has neither succeeded nor failed yet.
    underway: bool,
}

/// When something was said last.
#[derive(Debug, Default)]
pub(super) struct Pace(Option<Instant>);

impl Pace {
    /// Whether something may be said at `now`; if so, it counts as said.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.0.is_none_or(|last| now.saturating_duration_since(last) >= PACE);
        if due {
            self.0 = Some(now);
        }
        due
    }
}

/// A preparation's way back to its element.
struct Back {
    element: glib::WeakRef<super::PolypSegment>,
    number: u64,
    pace: Mutex<Pace>,
}

impl Back {
    /// Does `work` on the element if this preparation still counts, and says whether it does. What `work` holds is
    /// dropped without the lock.
    fn with(&self, work: impl FnOnce(&PolypSegment, &mut Preparation)) -> bool {
        let Some(element) = self.element.upgrade() else { return false };
        let imp = element.imp();
        let mut preparation = lock(&imp.preparation);
        // An engine that was wanted later may have come into force meanwhile.
        let is_wanted = lock(&imp.running).as_ref().is_some_and(|running| running.engine == 0);
        let counts = preparation.number == self.number && is_wanted;
        if counts {
            work(imp, &mut preparation);
        }
        counts
    }

    fn is_wanted(&self) -> bool {
        self.with(|_, _| {})
    }

    fn hear(&self, progress: &Progress) {
        if lock(&self.pace).is_due(Instant::now()) {
            self.with(|imp, _| imp.progress(CODE, gst::ProgressType::Continue, &progress.to_string()));
        }
    }

    /// Goes through the whole preparation. An outcome that nobody waits for any more is dropped here, in its own thread.
    fn make_ready(&self, start: Start, memory: &Arc<PromptMemory>) {
        let (hear, wanted) = (|progress| self.hear(&progress), || self.is_wanted());
        let beside = Beside { hear: &hear, wanted: &wanted };
        let made = guarded(|| match start.go_on(memory, Some(&beside))? {
            Stage::Ready(ready) => Ok(ready),
            Stage::Slow(_) => Err("the engine was not prepared".to_owned()),
        });
        self.with(|imp, preparation| imp.made(preparation, made));
    }
}

impl PolypSegment {
    /// Goes on with `start` in a thread of its own.
    pub(super) fn make_ready(&self, start: Start, memory: Arc<PromptMemory>) {
        let backend = start.backend();
        let number = {
            let mut preparation = lock(&self.preparation);
            preparation.number += 1;
            preparation.underway = true;
            preparation.number
        };
        self.progress(CODE, gst::ProgressType::Start, &format!("backend {backend}: making the engine ready"));
        let back = Back { element: self.obj().downgrade(), number, pace: Mutex::default() };
        let thread = std::thread::Builder::new().name("polyp-prepare".to_owned());
        if let Err(error) = thread.spawn(move || back.make_ready(start, &memory)) {
            let sentence = format!("backend {backend}: no thread to make the engine ready in: {error}");
            self.made(&mut lock(&self.preparation), Err(sentence));
        }
    }

    /// Hands an outcome to the streaming thread and says it.
    fn made(&self, preparation: &mut Preparation, made: Result<Box<Ready>, String>) {
        preparation.underway = false;
        match &made {
            Ok(ready) => {
                let Ready { runs, announcement, .. } = ready.as_ref();
                let backend = runs.description.as_ref().map_or("", |description| description.backend);
                gst::info!(CAT, imp = self, "engine {} runs: {:?}", runs.engine, runs.description);
                self.progress(
                    CODE,
                    gst::ProgressType::Complete,
                    &format!("backend {backend}: the engine is ready"),
                );
                self.announce(announcement.as_deref());
            }
            Err(sentence) => {
                self.progress(CODE, gst::ProgressType::Error, sentence);
                self.trouble(Cause::NotReady, sentence);
            }
        }
        *lock(&self.made) = Some(made);
    }

    /// From here on nothing that is being prepared counts.
    pub(super) fn leave_preparation(&self) {
        let underway = {
            let mut preparation = lock(&self.preparation);
            preparation.number += 1;
            std::mem::take(&mut preparation.underway)
        };
        let made = lock(&self.made).take();
        // A worker's end is waited for, with a limit of its own; no lock is held.
        drop(made);
        if underway {
            self.progress(CODE, gst::ProgressType::Canceled, "stopped before the engine was ready");
        }
    }

    /// Says that a backend runs that the user wrote second or later.
    pub(super) fn announce(&self, announcement: Option<&str>) {
        if let Some(sentence) = announcement {
            gst::element_imp_warning!(self, gst::LibraryError::Init, ("{sentence}"));
        }
    }

    pub(super) fn progress(&self, code: &str, kind: gst::ProgressType, text: &str) {
        let obj = self.obj();
        self.post_message(gst::message::Progress::builder(kind, code, text).src(&*obj).build());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_four_in_a_second_are_said() {
        let (begun, mut pace) = (Instant::now(), Pace::default());
        let said = (0..2000).filter(|ms| pace.is_due(begun + Duration::from_millis(*ms))).count();
        assert_eq!(said, 8);
    }
}
