//! An engine that is ready to take the place of the one in force, in the hands of the streaming thread. Until then it gets
//! frames only to be compared, and no mask of it is shown.
//!
//! Not here: making it ready ([`super::swap`]), the switch ([`super::switch`]), what is compared ([`super::compare`]).

use std::sync::Arc;

use polyp_engine::memory::PromptMemory;

use super::compare::{Compared, Comparison};
use super::open::Remember;
use super::running::Known;
use super::segment::{Frame, ask_on_card};
use super::session::{NotAsked, Session};
use super::settings::{Draft, Settings};
use super::stats::Runs;
use crate::meta::Trace;
use crate::picture::Picture;

/// An engine in waiting.
pub(super) struct Successor {
    /// The number of its swap.
    pub(super) number: u64,
    /// The properties that name it.
    pub(super) draft: Draft,
    pub(super) session: Session,
    pub(super) runs: Runs,
    pub(super) remember: Remember,
    /// The prompt that it was started with.
    pub(super) known: Known,
    /// `None` where it takes over at once.
    pub(super) comparison: Option<Comparison>,
}

impl std::fmt::Debug for Successor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Successor")
            .field("number", &self.number)
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}

impl Successor {
    /// What was asked before no longer counts: a flush.
    pub(super) fn forget(&mut self) {
        self.session.forget();
        if let Some(comparison) = &mut self.comparison {
            comparison.forget();
        }
    }

    /// Whether nothing is left to be compared.
    pub(super) fn is_due(&self) -> bool {
        self.comparison.as_ref().is_none_or(Comparison::is_over)
    }

    /// What was compared, if anything was to be.
    pub(super) fn compared(&self) -> Option<Compared> {
        self.comparison.as_ref().map(Comparison::compared)
    }

    /// Has a frame that `old` was asked about, if it is idle, and looks at what both have answered. Never waits.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn look_on(
        &mut self,
        old: &Session,
        picture: &Picture,
        frame: &Frame<'_>,
        settings: &Settings,
        trace: &Trace,
    ) -> Result<(), String> {
        let Self { session, comparison: Some(comparison), .. } = self else { return Ok(()) };
        comparison.pass();
        session.look_at(settings.roi);
        session.collect();
        comparison.look(old, session)?;
        if comparison.is_free() && session.is_idle() && !comparison.is_over() {
            if let Some(source) = old.shown_of(frame.sequence) {
                let deadline = trace.arrived + settings.max_mask_age;
                let asked = if picture.is_on_card() {
                    ask_on_card(session, picture, frame, deadline)
                } else {
                    picture.view(frame.buffer, |view| {
                        session.ask_about(view, source, frame.sequence, frame.time, deadline)
                    })
                };
                match asked {
                    Ok(Ok(())) => comparison.begin(frame.sequence),
                    Ok(Err(error @ NotAsked::Stopped)) => return Err(error.to_string()),
                    // What is wrong with the frame or the memory for it was said of the engine in force.
                    Ok(Err(_)) | Err(_) => {}
                }
            }
            comparison.look(old, session)?;
        }
        if comparison.is_over() && !session.is_idle() && comparison.compared().frames == 0 {
            return Err("it did not answer while it was to be compared".to_owned());
        }
        Ok(())
    }
}

/// The prompt's name and memory.
pub(super) fn known(prompt: Option<&str>, memory: &Arc<PromptMemory>) -> Known {
    (prompt.map(str::to_owned), Arc::clone(memory))
}
