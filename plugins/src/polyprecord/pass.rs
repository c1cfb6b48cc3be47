//! A frame's way past the recorder: copied, handed over, and never held up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::TrySendError;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use polyp::trace::Stage;
use tracing::trace_span;

use super::imp::PolypRecord;
use super::order::{Item, Order};
use crate::lock::lock;
use crate::meta::{self, FrameMeta, nanoseconds};
use crate::timeline::running_time;

/// What can go wrong while recording, and be over again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Frames come faster than they are coded and written.
    Behind,
    /// Frames lie on a card.
    OnCard,
}

/// Why a frame is not recorded, in the journal's words.
const BEHIND: &str = "queue";
const ON_CARD: &str = "on a card";

impl PolypRecord {
    /// Hands a copy of the frame to the writer, if one is at work. Never waits.
    pub(super) fn see(&self, buffer: &gst::Buffer) {
        let _record = trace_span!("record").entered();
        let begun = Instant::now();
        let Some(meta) = self.hand_over(buffer) else { return };
        if let Some(ledger) = &meta.ledger {
            ledger.span(meta.sequence, Stage::Record, begun, begun.elapsed());
        }
    }

    /// The meta of a frame that was handed to the writer, or should have been, if something of ours hung on it.
    fn hand_over(&self, buffer: &gst::Buffer) -> Option<Arc<FrameMeta>> {
        let mut active = lock(&self.active);
        // What has failed has said so.
        if active.as_ref().is_some_and(|active| !active.outcome.is_empty()) {
            *active = None;
        }
        let mut stream = lock(&self.stream);
        let (meta, duration) = (meta::of(buffer), buffer.duration().map(Duration::from));
        let time = match &meta {
            Some(meta) => meta.time,
            None => {
                let by_rate = stream.kind.as_ref().and_then(|kind| kind.picture.frame_duration());
                let running = running_time(&*self.obj(), buffer);
                stream.timeline.time(running, duration.or(by_rate))
            }
        };
        let sequence = meta.as_ref().map_or(stream.sequence, |meta| meta.sequence);
        stream.sequence += 1;
        let kind = stream.kind.clone()?;
        drop(stream);
        let active = active.as_mut()?;
        let pixels = if kind.picture.is_on_card() {
            Err(ON_CARD)
        } else {
            active.pool.copy(&kind, buffer).ok_or(BEHIND)
        };
        let fault = pixels.as_ref().err().copied();
        let (pts_ns, arrived, untold) = (nanoseconds(time), Instant::now(), active.untold);
        let clock = (!std::mem::replace(&mut active.clock_told, true)).then(|| self.clock_name());
        let item = Item { kind, sequence, pts_ns, arrived, clock, pixels, meta: meta.clone(), untold };
        let sent = active.orders.try_send(Order::Frame(Box::new(item)));
        let told = match sent {
            Ok(()) => {
                active.untold = 0;
                true
            }
            Err(TrySendError::Full(_)) => {
                active.untold += 1;
                false
            }
            // It has failed, and is about to say so.
            Err(TrySendError::Disconnected(_)) => false,
        };
        let mut stats = lock(&self.stats);
        stats.frames += 1;
        let handed = told && fault.is_none();
        stats.handed += u64::from(handed);
        stats.dropped += u64::from(!handed);
        drop(stats);
        self.judge(fault.or((!told).then_some(BEHIND)), time);
        meta
    }

    fn judge(&self, fault: Option<&'static str>, time: Duration) {
        let (cause, sentence) = match fault {
            None => {
                let over = lock(&self.troubles).well(time);
                if !over.is_empty() {
                    let dropped = lock(&self.stats).dropped;
                    let sentence = format!("recording every frame again; {dropped} were not recorded so far");
                    gst::element_imp_info!(self, gst::ResourceError::Write, ("{sentence}"));
                }
                return;
            }
            Some(ON_CARD) => (
                Cause::OnCard,
                format!(
                    "caps feature {}: frames on a card are not recorded; put cudadownload before this element",
                    crate::card::FEATURE
                ),
            ),
            Some(_) => (
                Cause::Behind,
                "recording is behind: frames are not recorded; the journal has them".to_owned(),
            ),
        };
        if lock(&self.troubles).trouble(&cause) {
            gst::element_imp_warning!(self, gst::ResourceError::Write, ("{sentence}"));
        }
    }

    fn clock_name(&self) -> String {
        self.obj().clock().map(|clock| clock.name().to_string()).unwrap_or_default()
    }
}
