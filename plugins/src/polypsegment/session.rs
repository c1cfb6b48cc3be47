//! The conversation with the worker: what was handed over, what came back, and which of it still counts. Owned
//! by the streaming thread; no GStreamer in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use polyp::frame::{FrameCopy, FrameView, Rect, Size};
use polyp::input::{InputSpec, Placement};
use polyp::preprocess::PreprocessError;
use polyp::roi::{Roi, RoiFinder};
use polyp::segmentation::Segmentation;
use polyp_engine::cuda::driver::CardError;
use polyp_engine::cuda::frame::CardFrame;
use polyp_engine::error::EngineError;
use polyp_engine::memory::PromptMemory;
use polyp_engine::worker::{Input, Job, Reply, Timing, Worker};

use super::judge::Known;

/// The longest sleep between two looks at whether the wait is still wanted (a flush ends it).
const GLANCE: Duration = Duration::from_millis(4);

/// Copies of frames that are kept for reuse: one in the engine, one waiting, one being filled.
const SPARE: usize = 3;

/// Why a frame was not handed over.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAsked {
    /// The frame can not be made an input.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    /// There is no memory for the frame that the card could read.
    #[error("card, copying a frame: {0}")]
    Card(#[from] CardError),
    /// The worker's thread is gone.
    #[error("the engine's thread is gone; go to READY and back to start another")]
    Stopped,
}

/// An answer of the network that still counts.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The number of the frame that it is about.
    pub(super) sequence: u64,
    /// The mask, or why there is none.
    pub(super) outcome: Result<Arc<Segmentation>, Arc<EngineError>>,
    /// Where its time went.
    pub(super) timing: Timing,
}

/// A frame that the worker has and has not answered.
#[derive(Clone, Copy, Debug)]
struct Asked {
    sequence: u64,
    /// The oldest such frame's time.
    time: Duration,
}

/// One stream's conversation with its worker.
#[derive(Debug)]
pub(super) struct Session {
    worker: Worker,
    /// What the network wants to see.
    spec: InputSpec,
    finder: RoiFinder,
    spare: Vec<FrameCopy>,
    generation: u64,
    asked: Option<Asked>,
    /// The frame that was asked about last, and the part of it that the network was shown.
    shown: Option<(u64, Rect)>,
    newest: Option<Answer>,
    /// Times of answers that were not counted yet, with their frames' numbers.
    timings: Vec<(u64, Timing)>,
}

impl Session {
    pub(super) fn new(worker: Worker, input: InputSpec, roi: Roi) -> Self {
        Self {
            worker,
            spec: input,
            finder: RoiFinder::new(roi),
            spare: Vec::with_capacity(SPARE),
            generation: 0,
            asked: None,
            shown: None,
            newest: None,
            timings: Vec::with_capacity(SPARE),
        }
    }

    /// The times of the answers that came since the last call, with their frames' numbers.
    pub(super) fn take_timings(&mut self) -> impl Iterator<Item = (u64, Timing)> {
        self.timings.drain(..)
    }

    /// From here on nothing counts that was asked before: a flush, other caps, another prompt.
    pub(super) fn forget(&mut self) {
        self.generation += 1;
        self.newest = None;
    }

    /// As [`Self::forget`], when the stream's time jumped to `time`. What the network has not answered counts from there:
    /// how long it is on that, the stream's time can not say across the jump.
    pub(super) fn jump(&mut self, time: Duration) {
        self.forget();
        if let Some(asked) = &mut self.asked {
            asked.time = time;
        }
    }

    /// Looks for the picture's region anew: other caps.
    pub(super) fn forget_region(&mut self) {
        self.finder.reset();
        self.shown = None;
    }

    /// Follows the property `roi`.
    pub(super) fn look_at(&mut self, roi: Roi) {
        if self.finder.roi() != roi {
            self.finder = RoiFinder::new(roi);
        }
    }

    /// Asks about another prompt from the next frame on. Masks of the old one no longer count.
    pub(super) fn set_memory(&mut self, memory: Arc<PromptMemory>) {
        self.worker.set_memory(memory);
        self.forget();
    }

    /// Goes on with the region that `old` has found, whose place it takes. What was answered while it stood beside is not
    /// counted.
    pub(super) fn take_over(&mut self, old: &mut Self) {
        std::mem::swap(&mut self.finder, &mut old.finder);
        self.timings.clear();
    }

    /// Takes the place of `old` once more, after a rest.
    pub(super) fn come_back(&mut self, old: &mut Self) {
        self.forget();
        self.shown = None;
        self.take_over(old);
    }

    /// The backend that runs the network.
    pub(super) fn backend(&self) -> &'static str {
        self.worker.description().backend
    }

    /// The part of frame `sequence` that the network was shown, if it was asked about that frame last.
    pub(super) fn shown_of(&self, sequence: u64) -> Option<Rect> {
        self.shown.filter(|(shown, _)| *shown == sequence).map(|(_, part)| part)
    }

    /// Takes what the worker has finished. Never waits.
    pub(super) fn collect(&mut self) {
        while let Some(reply) = self.worker.newest() {
            self.accept(reply);
        }
        while self.spare.len() < SPARE {
            match self.worker.spare() {
                Some(input) => self.keep(input),
                None => break,
            }
        }
    }

    /// The part of the frame that the network sees: the one of the last frame that it was asked about.
    pub(super) fn region(&self) -> Option<Rect> {
        self.shown.map(|(_, part)| part)
    }

    /// Whether the worker has answered everything.
    pub(super) fn is_idle(&self) -> bool {
        self.asked.is_none()
    }

    /// How long the engine has been on its present frame.
    pub(super) fn busy_for(&self) -> Duration {
        self.worker.busy_for().unwrap_or_default()
    }

    /// What is known of the network.
    pub(super) fn known(&self) -> Known<'_> {
        let outcome = self.newest.as_ref().map(|answer| answer.outcome.as_ref());
        Known {
            newest: outcome.and_then(Result::ok),
            failed: matches!(outcome, Some(Err(_))),
            unanswered: self.asked.map(|asked| asked.time),
        }
    }

    /// The newest answer that counts.
    pub(super) fn newest(&self) -> Option<&Answer> {
        self.newest.as_ref()
    }

    /// Hands `frame` to the worker, whose mask is of no more use after `deadline`. Never waits.
    pub(super) fn ask(
        &mut self,
        frame: &FrameView<'_>,
        sequence: u64,
        time: Duration,
        deadline: Instant,
    ) -> Result<(), NotAsked> {
        let source = self.finder.source(frame);
        self.ask_about(frame, source, sequence, time, deadline)
    }

    /// As [`Self::ask`], about the part `source` of the frame.
    pub(super) fn ask_about(
        &mut self,
        frame: &FrameView<'_>,
        source: Rect,
        sequence: u64,
        time: Duration,
        deadline: Instant,
    ) -> Result<(), NotAsked> {
        let (input, placement) = self.input(frame, source)?;
        self.offer(input, placement, sequence, time, deadline)
    }

    /// Whether the engine takes frames that lie on a card.
    pub(super) fn takes_frames(&self) -> bool {
        self.worker.frame_ring().is_some()
    }

    /// As [`Self::ask`], of a frame of `size` that lies on a card; `frame` makes it for the part that the network sees. That
    /// part can not be searched for there, so all of it is seen where a search was asked for.
    pub(super) fn ask_on_card(
        &mut self,
        size: Size,
        frame: impl FnOnce(Placement) -> CardFrame,
        sequence: u64,
        time: Duration,
        deadline: Instant,
    ) -> Result<(), NotAsked> {
        let source = match self.finder.roi() {
            Roi::Fixed(rect) => rect,
            Roi::Whole | Roi::Auto => Rect::whole(size),
        };
        if !source.fits(size) {
            return Err(PreprocessError::Source { rect: source, size }.into());
        }
        let placement = self.spec.place(source);
        self.offer(Input::Frame(frame(placement)), placement, sequence, time, deadline)
    }

    fn offer(
        &mut self,
        input: Input,
        placement: Placement,
        sequence: u64,
        time: Duration,
        deadline: Instant,
    ) -> Result<(), NotAsked> {
        let (submitted, generation) = (Instant::now(), self.generation);
        let job = Job { sequence, pts: time, generation, input, placement, submitted, deadline };
        match self.worker.offer(job) {
            Ok(()) => {
                let time = self.asked.map_or(time, |asked| asked.time);
                self.asked = Some(Asked { sequence, time });
                self.shown = Some((sequence, placement.source));
                Ok(())
            }
            Err(refused) => {
                self.keep(refused.job.input);
                Err(NotAsked::Stopped)
            }
        }
    }

    /// The part `source` of a frame, copied: its input is made beside the picture, by the worker or by a card.
    fn input(&mut self, frame: &FrameView<'_>, source: Rect) -> Result<(Input, Placement), NotAsked> {
        if !source.fits(frame.size()) {
            return Err(PreprocessError::Source { rect: source, size: frame.size() }.into());
        }
        let placement = self.spec.place(source);
        if let Some(ring) = self.worker.frame_ring() {
            return Ok((Input::Frame(ring.copy(frame, placement)?), placement));
        }
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.take(frame, source);
        Ok((Input::Copy(copy, self.spec), placement))
    }

    /// Waits for the answer to frame `sequence` until `deadline`, or until `wanted` says no.
    pub(super) fn answer_until(
        &mut self,
        sequence: u64,
        deadline: Instant,
        wanted: impl Fn() -> bool,
    ) -> Option<Answer> {
        while wanted() {
            let glance = deadline.min(Instant::now() + GLANCE);
            if let Some(reply) = self.worker.reply_until(sequence, glance) {
                let counts = reply.generation == self.generation && reply.sequence == sequence;
                self.accept(reply);
                return self.newest.clone().filter(|_answer| counts);
            }
            // It also comes back early: when the engine hangs on an older frame, or its thread is gone.
            if glance == deadline || Instant::now() < glance {
                return None;
            }
        }
        None
    }

    fn accept(&mut self, reply: Reply) {
        if self.asked.is_some_and(|asked| reply.sequence >= asked.sequence) {
            self.asked = None;
        }
        if let Some(input) = reply.input {
            self.keep(input);
        }
        self.timings.push((reply.sequence, reply.timing));
        if reply.generation == self.generation {
            let Reply { sequence, outcome, timing, .. } = reply;
            self.newest = Some(Answer { sequence, outcome, timing });
        }
    }

    fn keep(&mut self, input: Input) {
        if let Input::Copy(copy, _) = input
            && self.spare.len() < SPARE
        {
            self.spare.push(copy);
        }
    }
}
