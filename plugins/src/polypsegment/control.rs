//! What happens beside the stream: properties that change, and the engine that is opened before it begins.
//!
//! Not here: following the changes ([`super::prompts`], [`super::swap`]).

use std::sync::Arc;
use std::time::Duration;

use gst::subclass::prelude::*;
use polyp::trace::Snapshot;
use polyp_engine::memory::PromptMemory;

use super::imp::{CAT, PolypSegment};
use super::metrics::Server;
use super::open::Factory;
use super::reserve::Reserve;
use super::running::{Course, Running};
use super::segment::{Absent, Stream};
use super::settings::Draft;
use super::start::{Ready, Stage, Start};
use super::stats::Runs;
use super::successor::known;
use super::swap::{NO_ENGINE, Unready, begin};
use crate::lock::lock;

/// What opening came to.
pub(super) struct Opening {
    pub(super) stream: Stream,
    pub(super) running: Running,
    /// What goes on beside the picture.
    pub(super) slow: Option<(Start, Arc<PromptMemory>)>,
}

impl PolypSegment {
    pub(super) fn set_factory(&self, factory: Factory) {
        *lock(&self.factory) = Some(factory);
    }

    pub(super) fn set_smaller_factory(&self, factory: Factory) {
        *lock(&self.smaller_factory) = Some(factory);
    }

    pub(super) fn draft(&self) -> Draft {
        lock(&self.draft).clone()
    }

    pub(super) fn stats(&self) -> gst::Structure {
        let runs = lock(&self.running).as_ref().map(|running| running.runs.clone()).unwrap_or_default();
        let stats = *lock(&self.stats);
        stats.structure(&runs, &self.ledger.report())
    }

    /// Serves the figures at `port` of this machine.
    pub(super) fn serve(&self, port: u16) -> Result<Server, String> {
        let element = self.obj().downgrade();
        let known = move || {
            let element = element.upgrade()?;
            let imp = element.imp();
            let runs = lock(&imp.running).as_ref().map(|running| running.runs.clone())?;
            let stats = *lock(&imp.stats);
            let is = runs.description.as_ref();
            Some(Snapshot {
                engine: runs.engine.clone(),
                prompt: runs.prompt.clone(),
                backend: is.map(|is| format!("{} {}", is.backend, is.library)).unwrap_or_default(),
                precision: is.map(|is| is.precision.name().to_owned()).unwrap_or_default(),
                threads: is.map_or(0, |is| is.threads as u64),
                side_px: runs.side_px() as u64,
                frames: stats.by_badge().map(|(badge, count)| (badge.to_owned(), count)).into(),
                ..Snapshot::default()
            })
        };
        Server::start(port, Arc::clone(&self.ledger), Box::new(known)).map_err(|cause| {
            format!("property metrics-port: expected a free port of this machine, found {port}: {cause}")
        })
    }

    /// Posts the statistics, where that is wanted and due.
    pub(super) fn post_stats(&self, stream: &mut Stream, interval: Duration, time: Duration) {
        let due = stream.stats_due.is_none_or(|due| time >= due || time + interval < due);
        if interval.is_zero() || !due {
            return;
        }
        // Not of the first frame: nothing is known then.
        let first = stream.stats_due.replace(time + interval).is_none();
        if !first {
            let message = gst::message::Element::builder(self.stats()).src(&*self.obj()).build();
            self.post_message(message);
        }
    }

    /// Changes properties. While running, a change that does not pass the check is refused with a warning, and
    /// what was in force stays so.
    pub(super) fn change(&self, change: impl FnOnce(&mut Draft)) {
        let (mut asked, mut course) = (None, Course::Stay);
        let changed = {
            let mut draft = lock(&self.draft);
            let mut changed = draft.clone();
            change(&mut changed);
            match lock(&self.running).as_mut() {
                None => {
                    *draft = changed;
                    Ok(false)
                }
                Some(running) => changed.check().map(|settings| {
                    let latency = settings.latency();
                    let other = running.settings.latency() != latency;
                    self.ledger.set_budget(settings.budget);
                    (asked, course) = running.adopt(&changed, settings, self.number());
                    *draft = changed;
                    other
                }),
            }
        };
        if let Some(asked) = asked {
            self.ask(asked);
        }
        self.follow(course);
        match changed {
            Ok(false) => {}
            Ok(true) => {
                let obj = self.obj();
                self.post_message(gst::message::Latency::builder().src(&*obj).build());
            }
            Err(sentence) => {
                gst::element_imp_warning!(
                    self,
                    gst::LibraryError::Settings,
                    ("{sentence}; the old value stays")
                );
            }
        }
    }

    /// Opens what the properties name and starts it, unless that needs a preparation. Everything that is wrong is one
    /// sentence.
    pub(super) fn open(&self) -> Result<Opening, String> {
        let draft = self.draft();
        let settings = Arc::new(draft.check()?);
        let injected = lock(&self.factory).clone();
        let Some((start, memory)) = begin(&settings, injected).map_err(Unready::sentence)? else {
            if settings.enabled {
                return Err(NO_ENGINE.to_owned());
            }
            let running = Running::new(draft, settings, Runs::default());
            return Ok(Opening { stream: Stream::default(), running, slow: None });
        };
        let (remember, told) = (start.remember(), start.runs(&memory));
        let smaller = lock(&self.smaller_factory).clone();
        let reserve = Reserve::open(&settings, smaller, start.side_px())?;
        let (stream, runs, slow) = match start.go_on(&memory, None)? {
            Stage::Ready(ready) => {
                let Ready { session, runs, announcement } = *ready;
                gst::info!(CAT, imp = self, "engine {} runs: {:?}", runs.engine, runs.description);
                self.announce(announcement.as_deref());
                (Stream { session: Some(session), reserve, ..Stream::default() }, runs, None)
            }
            Stage::Slow(start) => {
                let stream = Stream { absent: Absent::Starting, reserve, ..Stream::default() };
                (stream, told, Some((*start, Arc::clone(&memory))))
            }
        };
        let mut running = Running::new(draft, settings, runs);
        running.keep(known(running.settings.prompt.as_deref(), &memory));
        running.remember = Some(remember);
        Ok(Opening { stream, running, slow })
    }
}
