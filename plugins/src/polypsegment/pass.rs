//! A buffer's way through the element.
//!
//! The flow can not fail here: a buffer goes in and comes out, whatever happened to it. What the streaming thread
//! needs is taken out of its lock while it works, so no lock is held across inference, and a property can always
//! be read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gst::subclass::prelude::*;
use polyp::overlay::Badge;
use polyp::roi::Roi;
use polyp::trace::Stage;
use polyp_engine::worker::Timing;

use super::imp::{CAT, PolypSegment};
use super::outcome::{Cause, Outcome};
use super::prompts::Prompted;
use super::reaper::reap;
use super::segment::{Absent, Frame, Stream};
use super::settings::Settings;
use super::start::Ready;
use crate::card::FEATURE;
use crate::lock::lock;
use crate::meta::{FrameMeta, Over, Trace};
use crate::picture::Picture;
use crate::timeline::running_time;

/// So many frames' time without a frame is a gap of the stream.
const GAP_FRAMES: u32 = 3;

impl PolypSegment {
    /// Segments `buffer` and hangs on it what came of that. Whatever goes wrong, the buffer goes on.
    pub(super) fn pass(&self, buffer: &mut gst::Buffer) {
        let mut trace = Trace::begin();
        let settings = lock(&self.running).as_ref().map(|running| Arc::clone(&running.settings));
        let Some(settings) = settings else { return };
        let taken = lock(&self.stream).take();
        let Some(mut stream) = taken else { return };
        self.catch_up(&mut stream);
        if stream.engine.is_none() && stream.session.is_some() {
            stream.engine = lock(&self.running).as_ref().and_then(|running| running.runs.record());
        }
        // What this frame is asked of: before the next one, another may take its place.
        let engine = stream.engine.clone();
        self.tell_whole(&mut stream, &settings);
        let size = stream.picture.as_ref().map(Picture::size);
        let time = self.time(&mut stream, buffer);
        self.heed_jump(&mut stream, time, settings.max_mask_age);
        let sequence = stream.sequence;
        stream.sequence += 1;
        lock(&self.shown).comes(sequence, time, trace.arrived);
        let late_until = self.late_until.load(Ordering::Relaxed);
        let late = late_until > 0 && time.as_nanos() <= u128::from(late_until);
        let wanted = || !self.interrupted.load(Ordering::Relaxed);
        let frame = Frame { buffer, sequence, time, late, wanted: &wanted };
        let outcome = catch_unwind(AssertUnwindSafe(|| stream.segment(&frame, &settings, &mut trace)));
        let outcome = outcome.unwrap_or_else(|_panic| {
            Outcome::fault(
                Cause::Panic,
                "the element panicked; the picture goes on without a mask".to_owned(),
            )
        });
        trace.engine = outcome.timing;
        self.compare(&mut stream, &frame, &settings, &trace);
        trace.mark(Stage::Segment, trace.arrived);
        let over = self.write_down(&mut stream, &outcome, &trace, (sequence, time));
        self.heed_budget(&mut stream, &settings, time);
        self.post_stats(&mut stream, settings.stats_interval, time);
        let alarm = stream.alarm.see(&outcome, settings.alarm.filter(|_| settings.enabled));
        self.count(&outcome, &trace, late && settings.enabled);
        if let Some(raised) = stream.alarm.news(alarm) {
            self.say_alarm(raised, outcome.segmentation.as_deref(), &frame);
        }
        *lock(&self.stream) = Some(stream);
        self.report(&outcome, time);
        let Outcome { segmentation, motion, badge, .. } = outcome;
        let Some(size) = size else { return };
        let ledger = Some(Arc::clone(&self.ledger));
        let frame = FrameMeta {
            segmentation,
            motion,
            badge,
            alarm,
            engine,
            size,
            sequence,
            time,
            trace,
            over,
            ledger,
        };
        if let Err(error) = lock(&self.metas).attach(buffer.make_mut(), frame) {
            gst::error!(CAT, imp = self, "{error}");
        }
    }

    fn count(&self, outcome: &Outcome, trace: &Trace, skipped: bool) {
        let mut stats = lock(&self.stats);
        stats.frame(&outcome.badge, trace);
        if let Some(lost) = &outcome.lost {
            gst::debug!(CAT, imp = self, "the mask is not shown: {lost}");
            stats.lose();
        }
        if skipped {
            stats.skip();
        }
    }

    /// Writes a frame's times into the ledger, and those of the answers that came; gives the stages that took too long.
    fn write_down(
        &self,
        stream: &mut Stream,
        outcome: &Outcome,
        trace: &Trace,
        (sequence, time): (u64, Duration),
    ) -> Over {
        let (ledger, mut over) = (&self.ledger, Over::default());
        for (stage, begun, took) in trace.spans() {
            over.add(stage, ledger.span(sequence, stage, begun, took));
        }
        if let Some(mask) = &outcome.segmentation {
            over.add(Stage::Age, ledger.time(Stage::Age, time.saturating_sub(mask.pts)));
        }
        let Some(session) = &mut stream.session else { return over };
        for (sequence, timing) in session.take_timings() {
            lock(&self.stats).answer();
            let Timing { queued, begun: Some(begun), prepared, inferred, decoded } = timing else {
                continue;
            };
            ledger.span(sequence, Stage::Queue, begun.checked_sub(queued).unwrap_or(begun), queued);
            if !prepared.is_zero() {
                ledger.span(sequence, Stage::Input, begun, prepared);
            }
            ledger.span(sequence, Stage::Infer, begun + prepared, inferred);
            ledger.span(sequence, Stage::Decode, begun + prepared + inferred, decoded);
        }
        over
    }

    /// Heeds what happened between the frames: flushes, an engine that is ready, and a prompt that is.
    fn catch_up(&self, stream: &mut Stream) {
        let flushes = self.flushes.load(Ordering::SeqCst);
        if stream.flushes != flushes {
            stream.flushes = flushes;
            stream.timeline.reset();
            stream.forget();
        }
        self.take_up(stream);
        self.take_over(stream);
        // Without an engine a memory is kept until there is one.
        let Some(session) = &mut stream.session else { return };
        let prompted = lock(&self.memory).take();
        let Some(Prompted { engine, memory }) = prompted else { return };
        {
            let mut running = lock(&self.running);
            // One for an engine whose place was taken is of no use: the other came with this prompt or a later one.
            let Some(running) = running.as_mut().filter(|running| running.engine == engine) else { return };
            running.runs.prompt.clone_from(&memory.prompt);
        }
        stream.engine = None;
        gst::info!(CAT, imp = self, "prompt {:?} from here on", memory.prompt);
        session.set_memory(memory);
        stream.forget_masks();
    }

    /// Says once that no region is searched for in frames that the CPU can not look at.
    fn tell_whole(&self, stream: &mut Stream, settings: &Settings) {
        let on_card = stream.picture.as_ref().is_some_and(Picture::is_on_card);
        let searched = settings.enabled && settings.roi == Roi::Auto;
        if on_card && searched && !std::mem::replace(&mut stream.whole_told, true) {
            let sentence = format!(
                "property roi=auto: frames with {FEATURE} are not read by the CPU, so the network sees all of each; give the \
                 region as WIDTHxHEIGHT+X+Y, or put cudadownload before this element"
            );
            gst::element_imp_info!(self, gst::LibraryError::Settings, ("{sentence}"));
        }
    }

    /// Takes up the engine of the start when it has been made ready, or the reason why there is none.
    fn take_up(&self, stream: &mut Stream) {
        let made = lock(&self.made).take();
        let Some(made) = made else { return };
        if stream.session.is_some() {
            // An engine that was wanted later was ready earlier.
            return reap(made);
        }
        match made {
            Ok(ready) => {
                let Ready { session, runs, .. } = *ready;
                stream.session = Some(session);
                stream.engine = None;
                if let Some(running) = lock(&self.running).as_mut() {
                    running.runs = runs;
                }
            }
            Err(sentence) => stream.absent = Absent::NotReady(sentence),
        }
    }

    fn time(&self, stream: &mut Stream, buffer: &gst::BufferRef) -> Duration {
        let running = running_time(&*self.obj(), buffer);
        let by_rate = || stream.picture.as_ref().and_then(Picture::frame_duration);
        let duration = buffer.duration().map(Duration::from).or_else(by_rate);
        stream.timeline.time(running, duration)
    }

    /// A lost signal, or a clock that jumped: no mask of before counts, and no word of the sink.
    fn heed_jump(&self, stream: &mut Stream, time: Duration, limit: Duration) {
        let frame = stream.picture.as_ref().and_then(Picture::frame_duration).unwrap_or_default();
        // Where frames are further apart than masks may be old, those frames are no gap.
        if !stream.timeline.goes_on(time, limit.max(GAP_FRAMES * frame)) {
            self.late_until.store(0, Ordering::Relaxed);
            stream.forget_masks();
            if let Some(session) = &mut stream.session {
                session.jump(time);
            }
        }
    }

    /// Says troubles, and their end, once.
    fn report(&self, outcome: &Outcome, time: Duration) {
        if let Some((cause, sentence)) = &outcome.trouble {
            self.trouble(*cause, sentence);
        } else if matches!(outcome.badge, Badge::Live | Badge::Held { .. }) {
            let over = lock(&self.troubles).well(time);
            if !over.is_empty() {
                let names = over.into_iter().map(Cause::name).collect::<Vec<_>>().join(" and ");
                gst::element_imp_info!(self, gst::LibraryError::Failed, ("masks again, after {names}"));
            }
        }
    }

    /// Says a trouble, unless it has been said and is not over.
    pub(super) fn trouble(&self, cause: Cause, sentence: &str) {
        gst::debug!(CAT, imp = self, "{cause:?}: {sentence}");
        if lock(&self.troubles).trouble(&cause) {
            let sentence = format!("{sentence}; the picture goes on without a mask");
            gst::element_imp_warning!(self, gst::LibraryError::Failed, ("{sentence}"));
        }
    }
}
