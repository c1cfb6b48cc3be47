//! What all stages are written to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;

use super::budget::Budget;
use super::chrome::Event;
use super::histogram::Times;
use super::report::Report;
use super::stage::{COUNT, Stage};

/// The newest spans that a trace file has: at 60 frames a second with ten spans each, half a minute.
const EVENTS: usize = 20_000;
/// Times that wait while somebody reads: a reader is done in less than a frame's time.
const WAITING: usize = 1_024;

/// One stream's times: a histogram for every stage, and the newest spans.
///
/// Whoever stands in the picture's way writes with [`Ledger::span`], which never waits: where a reader holds the histogram, the time is put
/// aside and counted by the next one.
#[derive(Debug)]
pub struct Ledger {
    /// Spans count from here.
    begun: Instant,
    stages: Mutex<Stages>,
    /// Stage, time, and whether it was over the budget.
    waiting: ArrayQueue<(Stage, u64, bool)>,
    events: ArrayQueue<Event>,
    budget: Mutex<Budget>,
    /// What was over the budget since somebody asked: the stage's number and 1 in the upper eight bits, the time below.
    over: AtomicU64,
}

/// Bits of a time in `over`: two years.
const TIME_BITS: u32 = 56;

#[derive(Debug)]
struct Stages([Times; COUNT]);

impl Default for Ledger {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            stages: Mutex::new(Stages(std::array::from_fn(|_| Times::new()))),
            waiting: ArrayQueue::new(WAITING),
            events: ArrayQueue::new(EVENTS),
            budget: Mutex::default(),
            over: AtomicU64::new(0),
        }
    }
}

impl Ledger {
    /// Holds what comes from here on against `budget`.
    pub fn set_budget(&self, budget: Budget) {
        *lock(&self.budget) = budget;
    }

    /// The budget in force.
    pub fn budget(&self) -> Budget {
        *lock(&self.budget)
    }

    /// Writes down that frame `sequence` was in `stage` from `begun` on for `time`. True when that is over the budget.
    pub fn span(&self, sequence: u64, stage: Stage, begun: Instant, time: Duration) -> bool {
        let from = begun.saturating_duration_since(self.begun);
        self.events.force_push(Event {
            sequence,
            stage,
            from_ns: nanoseconds(from),
            time_ns: nanoseconds(time),
        });
        self.time(stage, time)
    }

    /// As [`Self::span`], of something that is no span on the clock: a mask's age.
    pub fn time(&self, stage: Stage, time: Duration) -> bool {
        let over = self.budget().limit(stage).is_some_and(|limit| time > limit);
        let time = nanoseconds(time);
        if over && stage.is_in_the_way() {
            let told = ((stage as u64 + 1) << TIME_BITS) | time.min((1 << TIME_BITS) - 1);
            self.over.store(told, Ordering::Relaxed);
        }
        match self.stages.try_lock() {
            Ok(mut stages) => {
                stages.catch_up(&self.waiting);
                stages.add(stage, time, over);
            }
            Err(_reading) => {
                self.waiting.force_push((stage, time, over));
            }
        }
        over
    }

    /// What in the picture's way was over the budget since this was asked last: the newest, and how long it took.
    pub fn take_over(&self) -> Option<(Stage, Duration)> {
        let told = self.over.swap(0, Ordering::Relaxed);
        let stage = Stage::ALL.get((told >> TIME_BITS).checked_sub(1)? as usize)?;
        Some((*stage, Duration::from_nanos(told & ((1 << TIME_BITS) - 1))))
    }

    /// What all of it comes to.
    pub fn report(&self) -> Report {
        let times = {
            let mut stages = lock(&self.stages);
            stages.catch_up(&self.waiting);
            stages.0.clone()
        };
        Report::new(&times, &self.budget())
    }

    /// Takes the newest spans out, the oldest first.
    pub fn take_events(&self) -> Vec<Event> {
        // Bounded: more may come while this looks.
        std::iter::from_fn(|| self.events.pop()).take(EVENTS).collect()
    }

    /// Begins anew.
    pub fn clear(&self) {
        let mut stages = lock(&self.stages);
        while self.waiting.pop().is_some() {}
        *stages = Stages(std::array::from_fn(|_| Times::new()));
    }
}

impl Stages {
    fn catch_up(&mut self, waiting: &ArrayQueue<(Stage, u64, bool)>) {
        while let Some((stage, time, over)) = waiting.pop() {
            self.add(stage, time, over);
        }
    }

    fn add(&mut self, stage: Stage, time_ns: u64, over: bool) {
        if let Some(times) = self.0.get_mut(stage as usize) {
            times.add(time_ns, over);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_while_somebody_reads() {
        let ledger = Ledger::default();
        let now = Instant::now();
        ledger.span(0, Stage::Paint, now, Duration::from_millis(1));
        {
            let _reading = lock(&ledger.stages);
            for sequence in 1..=100 {
                ledger.span(sequence, Stage::Paint, now, Duration::from_millis(2));
            }
        }
        let report = ledger.report();
        assert_eq!(report.stage(Stage::Paint).map(|stage| stage.count), Some(101));
        assert_eq!(ledger.take_events().len(), 101);
        assert_eq!(ledger.take_events().len(), 0);
        ledger.clear();
        assert_eq!(ledger.report().stage(Stage::Paint).map(|stage| stage.count), Some(0));
    }

    #[test]
    fn what_is_over_the_budget_is_said_and_counted() {
        let ledger = Ledger::default();
        ledger.set_budget("picture=5.75ms,motion=2ms".parse().unwrap());
        let span = |stage, ms| ledger.span(0, stage, Instant::now(), Duration::from_millis(ms));
        assert!(!span(Stage::Picture, 5) && span(Stage::Picture, 6));
        assert!(span(Stage::Motion, 3) && !span(Stage::Paint, 900));
        assert_eq!(ledger.take_over(), Some((Stage::Motion, Duration::from_millis(3))));
        assert_eq!(ledger.take_over(), None);
        ledger.time(Stage::Age, Duration::from_secs(1));
        assert_eq!(ledger.take_over(), None, "an old mask does not hold the picture up");
        let report = ledger.report();
        let over = |stage| report.stage(stage).map(|stage| stage.over);
        assert_eq!([Stage::Picture, Stage::Motion, Stage::Paint].map(over), [Some(1), Some(1), Some(0)]);
    }

    #[test]
    fn a_trace_keeps_the_newest_spans() {
        let ledger = Ledger::default();
        for sequence in 0..EVENTS as u64 + 10 {
            ledger.span(sequence, Stage::Copy, Instant::now(), Duration::ZERO);
        }
        let events = ledger.take_events();
        assert_eq!((events.len(), events.first().map(|event| event.sequence)), (EVENTS, Some(10)));
    }
}
