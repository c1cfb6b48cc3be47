//! What happens beside the stream: recordings that begin, end and are spoken of.
//!
//! Not here: handing frames over ([`super::pass`]), writing them ([`super::writer`]).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use gst::subclass::prelude::*;

use super::imp::PolypRecord;
use super::kind::Pool;
use super::order::Order;
use super::outcome::Outcome;
use super::store;
use super::writer::{State, Writer};
use crate::lock::lock;

/// The name of the bus message that says that a recording began or ended.
pub const RECORDING: &str = "polyp-recording";

/// Orders that may wait beside frames: lines of frames that are not recorded.
const ORDERS: usize = 1024;
/// How long a recording may take to end before it is left to itself.
const END_LIMIT: Duration = Duration::from_secs(10);
/// How long an order other than a frame may wait for room.
const ORDER_LIMIT: Duration = Duration::from_secs(1);

/// A recording that goes on.
pub(super) struct Active {
    pub(super) orders: Sender<Order>,
    pub(super) pool: Pool,
    pub(super) folder: PathBuf,
    /// Says what came of it.
    pub(super) outcome: Receiver<Outcome>,
    /// Frames of which nothing could be told.
    pub(super) untold: u64,
    /// Whether the writer knows the stream's clock.
    pub(super) clock_told: bool,
}

impl PolypRecord {
    /// Tells the writer something other than a frame; whether there is one that heard it.
    pub(super) fn order(&self, order: Order) -> bool {
        let orders = lock(&self.active).as_ref().map(|active| active.orders.clone());
        orders.is_some_and(|orders| orders.send_timeout(order, ORDER_LIMIT).is_ok())
    }

    /// Begins a recording, which writes nothing before its first frame; the folder that it will be in.
    pub(super) fn begin(&self) -> Option<PathBuf> {
        let settings = lock(&self.settings).clone()?;
        let record = settings.record.clone()?;
        let mut active = lock(&self.active);
        if let Some(active) = active.as_ref() {
            return Some(active.folder.clone());
        }
        let folder = store::place(&record, store::unix_ns());
        let (orders, received) = bounded(ORDERS + settings.queue);
        let (done, outcome) = bounded(1);
        let (element, told) = (self.obj().downgrade(), folder.clone());
        let began = Box::new(move || {
            if let Some(element) = element.upgrade() {
                element.imp().say("started", &told, |said| said);
            }
        });
        let (element, pool) = (self.obj().downgrade(), Pool::new(settings.queue));
        let writer = Writer {
            settings: Arc::clone(&settings),
            folder: folder.clone(),
            began,
            state: State::default(),
        };
        let thread = std::thread::Builder::new().name("polyp-record".to_owned()).spawn(move || {
            let folder = writer.folder.clone();
            let ran = catch_unwind(AssertUnwindSafe(|| writer.run(&received)));
            let outcome = ran.unwrap_or_else(|_panic| Outcome {
                folder,
                fault: Some(
                    "the recorder panicked; what it had written is whole after `polyp repair`".to_owned(),
                ),
                ..Outcome::default()
            });
            if let Some(element) = element.upgrade() {
                element.imp().tell(&outcome);
            }
            // Nobody waits for it if the element gave up waiting.
            let _unheard = done.send(outcome);
        });
        if let Err(error) = thread {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Failed,
                ("no thread to record with: {error}")
            );
            return None;
        }
        let notes = self.draft().notes;
        if !notes.is_empty() {
            let _room = orders.try_send(Order::Notes(notes));
        }
        *active =
            Some(Active { orders, pool, folder: folder.clone(), outcome, untold: 0, clock_told: false });
        lock(&self.stats).recordings += 1;
        Some(folder)
    }

    /// Ends the recording and waits, with a limit, until its files are finished. Whether there was one.
    pub(super) fn end(&self, reason: &str) -> bool {
        let Some(Active { orders, outcome, .. }) = lock(&self.active).take() else { return false };
        // One that has failed hears nothing, and needs not.
        let _failed = orders.send_timeout(Order::Stop(reason.to_owned()), ORDER_LIMIT);
        drop(orders);
        if outcome.recv_timeout(END_LIMIT).is_err() {
            let sentence = format!(
                "the recording did not end within {END_LIMIT:?}; what is on the disk is whole after `polyp repair`"
            );
            gst::element_imp_warning!(self, gst::ResourceError::Write, ("{sentence}"));
        }
        true
    }

    /// Says on the bus how a recording ended.
    pub(super) fn tell(&self, outcome: &Outcome) {
        if let Some(fault) = &outcome.fault {
            let sentence = format!("recording has ended: {fault}; the picture goes on");
            gst::element_imp_warning!(self, gst::ResourceError::Write, ("{sentence}"));
        }
        if outcome.began {
            self.say("stopped", &outcome.folder, |said| {
                said.field("reason", outcome.reason.as_str())
                    .field("frames", outcome.frames)
                    .field("dropped", outcome.dropped)
            });
        }
    }

    pub(super) fn say(
        &self,
        state: &str,
        folder: &Path,
        more: impl FnOnce(gst::structure::Builder) -> gst::structure::Builder,
    ) {
        let said = gst::Structure::builder(RECORDING)
            .field("state", state)
            .field("folder", folder.display().to_string());
        let obj = self.obj();
        self.post_message(gst::message::Element::builder(more(said).build()).src(&*obj).build());
    }
}
