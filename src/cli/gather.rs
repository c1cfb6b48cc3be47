//! What came out of `polyplive`: counted and timed from outside, frame by frame, on its pads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gst::prelude::*;

use super::failure::Failure;
use super::plugin;
use super::reading::{Reading, STAGES};
use super::stopwatch::Times;

/// Figures of all frames so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// From a frame's entry into the element to its leaving.
    pub(super) transit: Times,
    /// The times of [`STAGES`]. The network's are of masks: one that was shown twice counts twice.
    pub(super) stages: [Times; STAGES.len()],
    /// Ages of the masks that were shown.
    pub(super) ages: Times,
    /// Frames by what their mask was worth.
    pub(super) badges: BTreeMap<String, u64>,
}

/// Figures that a stream is still adding to.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Arc<Mutex<Gathered>>);

impl Shared {
    /// The figures, to be read.
    pub(super) fn read(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches the pads of `element`, whose frames come in by the pad `entrance` and pass it one at a time; `each` hears of
/// every frame that leaves it with something of ours on it.
pub(super) fn gather(
    element: &gst::Element,
    entrance: &str,
    each: impl FnMut(&Reading, &gst::Buffer) + Send + 'static,
) -> Result<Shared, Failure> {
    let (gathered, entered) = (Shared::default(), Arc::new(Mutex::new(None)));
    let entry = Arc::clone(&entered);
    plugin::pad(element, entrance)?.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        *entry.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        gst::PadProbeReturn::Ok
    });
    let figures = gathered.clone();
    let each = Mutex::new(each);
    plugin::pad(element, "src")?.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let left = Instant::now();
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        let mut figures = figures.read();
        if let Some(entered) = entered.lock().unwrap_or_else(PoisonError::into_inner).take() {
            figures.transit.add(left.saturating_duration_since(entered));
        }
        if let Some(reading) = Reading::of(buffer) {
            figures.add(&reading);
            drop(figures);
            each.lock().unwrap_or_else(PoisonError::into_inner)(&reading, buffer);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(gathered)
}

impl Gathered {
    fn add(&mut self, reading: &Reading) {
        *self.badges.entry(reading.badge.clone()).or_default() += 1;
        for (times, time) in self.stages.iter_mut().zip(reading.stages) {
            if let Some(time) = time {
                times.add(time);
            }
        }
        if let Some((_, age)) = &reading.mask {
            self.ages.add(*age);
        }
    }

    /// Takes another stream's figures to these.
    pub(super) fn take(&mut self, other: &Self) {
        let pairs = self.stages.iter_mut().zip(&other.stages);
        let whole = [(&mut self.transit, &other.transit), (&mut self.ages, &other.ages)];
        pairs.chain(whole).for_each(|(own, other)| own.take(other));
        for (badge, count) in &other.badges {
            *self.badges.entry(badge.clone()).or_default() += count;
        }
    }

    /// The table of times, a line each.
    pub(super) fn table(&self) -> String {
        let mut text =
            format!("{:<36}{:>8}{:>9}{:>9}{:>9}\n", "time in ms", "count", "median", "p99", "longest");
        let stages = STAGES.iter().zip(&self.stages).map(|((name, _), times)| (*name, times));
        let rows = stages
            .chain([("picture path (in and out again)", &self.transit), ("age of shown masks", &self.ages)]);
        for (name, times) in rows.filter(|(_, times)| times.count() > 0) {
            text += &format!("{name:<36}{:>8}{}\n", times.count(), times.columns());
        }
        text
    }

    /// How many frames showed what, in a line.
    pub(super) fn worth(&self) -> String {
        let counts: Vec<String> =
            self.badges.iter().map(|(badge, count)| format!("{count} {badge}")).collect();
        counts.join(", ")
    }
}
