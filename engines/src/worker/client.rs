//! One stream at the engine: its waiting place, its replies, its prompt, its counters.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::job::{Input, Job, Reply, Stats};
use super::{KEPT_INPUTS, KEPT_REPLIES};
use crate::memory::PromptMemory;

/// Locked for a copy of a pointer or a move, never across inference; so a panic leaves nothing half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A job that waits, and the prompt that was in force when it was offered: a prompt that changes meanwhile is the next job's.
#[derive(Debug)]
struct Waiting {
    job: Job,
    memory: Arc<PromptMemory>,
}

/// What a stream and the engine's thread both see.
#[derive(Debug)]
pub(super) struct Client {
    memory: Mutex<Arc<PromptMemory>>,
    waiting: Mutex<Option<Waiting>>,
    pace: Mutex<Pace>,
    /// The job of this stream that the engine is on.
    present: Mutex<Option<u64>>,
    pub(super) reply_to: Sender<Reply>,
    pub(super) replies: Receiver<Reply>,
    spare: (Sender<Input>, Receiver<Input>),
    offered: AtomicU64,
    replaced: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) failed: AtomicU64,
    stale: AtomicU64,
}

impl Client {
    pub(super) fn new(memory: Arc<PromptMemory>) -> Self {
        let (reply_to, replies) = bounded(KEPT_REPLIES);
        Self {
            memory: Mutex::new(memory),
            waiting: Mutex::new(None),
            pace: Mutex::default(),
            present: Mutex::new(None),
            reply_to,
            replies,
            spare: bounded(KEPT_INPUTS),
            offered: AtomicU64::new(0),
            replaced: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            stale: AtomicU64::new(0),
        }
    }

    pub(super) fn memory(&self) -> Arc<PromptMemory> {
        Arc::clone(&lock(&self.memory))
    }

    pub(super) fn set_memory(&self, memory: Arc<PromptMemory>) {
        *lock(&self.memory) = memory;
    }

    /// Puts a job in the waiting place; one that is there gives way.
    pub(super) fn offer(&self, job: Job) {
        lock(&self.pace).note(job.submitted);
        self.offered.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting { job, memory: self.memory() };
        let older = lock(&self.waiting).replace(waiting);
        if let Some(older) = older {
            self.replaced.fetch_add(1, Ordering::Relaxed);
            self.keep(older.job.input);
        }
    }

    /// When the job that waits has to be done, and the prompt that it is about.
    pub(super) fn waiting(&self) -> Option<(Instant, Arc<PromptMemory>)> {
        lock(&self.waiting).as_ref().map(|waiting| (waiting.job.deadline, Arc::clone(&waiting.memory)))
    }

    /// Takes the job that waits, and counts it as the present one; unless it is about another prompt, having taken the
    /// place of an older one just now.
    pub(super) fn take(&self, memory: &Arc<PromptMemory>) -> Option<Job> {
        let waiting = lock(&self.waiting).take_if(|waiting| is_same(&waiting.memory, memory))?;
        *lock(&self.present) = Some(waiting.job.sequence);
        Some(waiting.job)
    }

    /// When the next frame is expected, if the stream has a pace.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        lock(&self.pace).next(now)
    }

    pub(super) fn present(&self) -> Option<u64> {
        *lock(&self.present)
    }

    /// Hands a reply over and never blocks: when nobody fetches replies, the oldest is thrown away.
    pub(super) fn send(&self, mut reply: Reply) {
        *lock(&self.present) = None;
        let counter = if reply.outcome.is_ok() { &self.answered } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        loop {
            match self.reply_to.try_send(reply) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(back)) => {
                    reply = back;
                    if let Ok(oldest) = self.replies.try_recv() {
                        self.throw_away(oldest);
                    }
                }
            }
        }
    }

    pub(super) fn throw_away(&self, reply: Reply) {
        self.stale.fetch_add(1, Ordering::Relaxed);
        if let Some(input) = reply.input {
            self.keep(input);
        }
    }

    /// Keeps an input to be used again; a card's frame goes back to its ring by itself.
    fn keep(&self, input: Input) {
        if !matches!(input, Input::Frame(_)) {
            // When enough are kept, it is freed.
            drop(self.spare.0.try_send(input));
        }
    }

    pub(super) fn spare(&self) -> Option<Input> {
        self.spare.1.try_recv().ok()
    }

    pub(super) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            offered: read(&self.offered),
            replaced: read(&self.replaced),
            answered: read(&self.answered),
            failed: read(&self.failed),
            stale: read(&self.stale),
        }
    }
}

/// The prompts of two streams may be the same without being one.
pub(super) fn is_same(one: &Arc<PromptMemory>, other: &Arc<PromptMemory>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

/// How often a stream's frames come.
#[derive(Debug, Default)]
struct Pace {
    last: Option<Instant>,
    period: Option<Duration>,
}

impl Pace {
    fn note(&mut self, at: Instant) {
        if let Some(last) = self.last.replace(at) {
            let gap = at.saturating_duration_since(last);
            // An eighth of each gap: a late frame does not change the pace.
            self.period = Some(self.period.map_or(gap, |period| (period * 7 + gap) / 8));
        }
    }

    /// A frame that should have come is not expected any more: nobody waits for it.
    fn next(&self, now: Instant) -> Option<Instant> {
        Some(self.last? + self.period?).filter(|next| *next > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_known_after_two_frames_and_lost_with_the_stream() {
        let begun = Instant::now();
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        let mut pace = Pace::default();
        pace.note(at(0));
        assert_eq!(pace.next(at(0)), None);
        pace.note(at(40));
        assert_eq!(pace.next(at(50)), Some(at(80)));
        assert_eq!(pace.next(at(80)), None);
        // One gap of 120 ms among those of 40.
        pace.note(at(160));
        assert_eq!(pace.next(at(160)), Some(at(210)));
    }
}
