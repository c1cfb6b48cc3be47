//! Settings that may be chosen, what was measured of them, and which are the best.

use std::fmt;
use std::time::Duration;

use polyp::config::{Mode, Precision};
use polyp::trace::Stage;

use super::card::Card;
use crate::cli::stopwatch::milliseconds;

/// At most this share of the frames may come late to the screen, or go without the mask that they waited for.
const LATE: f64 = 0.01;
/// Frames of a locked stream also have to be copied and painted: this share of the budget is left for it.
const REST: f64 = 0.2;

/// Settings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) card: Card,
    pub(super) backend: &'static str,
    pub(super) precision: Precision,
    pub(super) threads: u32,
    pub(super) mode: Mode,
    /// The overlay's style, where it is not the configuration's.
    pub(super) style: Option<&'static str>,
}

impl Candidate {
    /// The engine's Dice; where it computes in 8-bit integers, less what those lost on validation.
    pub(super) fn dice(&self) -> Option<f64> {
        let (dice, _) = self.card.dice.as_ref()?;
        let loss = self.card.int8_loss.filter(|_| self.precision == Precision::Int8).unwrap_or_default();
        Some(dice - loss.max(0.0))
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { card: Card { name, side_px, .. }, backend, precision, threads, mode, style } = self;
        let threads = if *threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
        write!(f, "{name} {side_px} px, {backend} {}, {threads}, {}", precision.name(), mode.name())?;
        style.map_or(Ok(()), |style| write!(f, ", {style}"))
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    pub(super) budget: Duration,
    pub(super) age: Duration,
    pub(super) fps: f64,
}

impl Need {
    /// How long a picture may wait for its mask; the least that the element takes is a millisecond.
    pub(super) fn waits(&self) -> Duration {
        self.budget.mul_f64(1.0 - REST).clamp(Duration::from_millis(1), Duration::from_secs(1))
    }
}

/// What was measured of a candidate.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) candidate: Candidate,
    pub(super) picture_p50: Duration,
    pub(super) picture_p99: Duration,
    /// `None` where no mask was shown.
    pub(super) annotation_p99: Option<Duration>,
    /// A mask's own time, from its frame's being handed over.
    pub(super) mask_p99: Option<Duration>,
    pub(super) masks_per_second: f64,
    pub(super) frames: u64,
    /// Frames that came late to the screen, and that went without the mask that they waited for.
    pub(super) late: u64,
    pub(super) without: u64,
    /// The 99th percentile of what stands in the picture's way.
    pub(super) stages: Vec<(Stage, Duration)>,
}

impl Measured {
    pub(super) fn heads() -> String {
        format!(
            "    {:<50}{:>8}{:>9}{:>9}{:>12}{:>9}{:>7}  {}",
            "times in ms", "Dice", "p50", "p99", "annotation", "masks/s", "late", "budget"
        )
    }

    /// Its line of the table, which begins with its number.
    pub(super) fn row(&self, number: usize, need: &Need) -> String {
        let dice = self.candidate.dice().map_or_else(|| "-".to_owned(), |dice| format!("{dice:.3}"));
        let annotation =
            self.annotation_p99.map_or_else(|| "-".to_owned(), |time| format!("{:.1}", milliseconds(time)));
        let verdict = self.broken(need).unwrap_or_else(|| "kept".to_owned());
        let (p50, p99) = (milliseconds(self.picture_p50), milliseconds(self.picture_p99));
        let (candidate, rate, late) =
            (self.candidate.to_string(), self.masks_per_second, self.late + self.without);
        format!(
            "{number:>2}  {candidate:<50}{dice:>8}{p50:>9.2}{p99:>9.2}{annotation:>12}{rate:>9.1}{late:>7}  {verdict}"
        )
    }

    /// What takes most of the picture's way.
    pub(super) fn longest(&self) -> Option<(Stage, Duration)> {
        self.stages.iter().copied().max_by_key(|(_, time)| *time)
    }

    /// What it does not keep; `None` where it keeps all.
    pub(super) fn broken(&self, need: &Need) -> Option<String> {
        if self.picture_p99 > need.budget {
            return Some("missed: picture".to_owned());
        }
        match self.annotation_p99 {
            None => return Some("missed: no masks".to_owned()),
            Some(annotation) if annotation > need.age => return Some("missed: annotation".to_owned()),
            Some(_) => {}
        }
        let late = (self.late + self.without) as f64 / (self.frames as f64).max(1.0);
        (late > LATE).then(|| "missed: late frames".to_owned())
    }
}

/// The best of those that keep all: the highest Dice; of equals, the youngest annotations.
pub(super) fn best<'a>(found: &'a [Measured], need: &Need) -> Option<&'a Measured> {
    let dice = |one: &Measured| one.candidate.dice().unwrap_or_default();
    let kept = found.iter().filter(|one| one.broken(need).is_none());
    kept.max_by(|a, b| dice(a).total_cmp(&dice(b)).then(b.annotation_p99.cmp(&a.annotation_p99)))
}

/// The one whose picture comes nearest to the budget, or keeps it by most.
pub(super) fn nearest(found: &[Measured]) -> Option<&Measured> {
    found.iter().min_by_key(|one| one.picture_p99)
}

/// Why none of them does, by the one that comes nearest.
pub(super) fn forbidden(found: &[Measured], need: &Need) -> String {
    let Some(nearest) = nearest(found) else {
        return "nothing was measured; nothing is written".to_owned();
    };
    let ms = milliseconds;
    if nearest.picture_p99 <= need.budget {
        let annotation = found.iter().filter_map(|one| one.annotation_p99).min();
        let annotation = annotation
            .map_or_else(|| "none was shown".to_owned(), |time| format!("the best is {:.1} ms", ms(time)));
        return format!(
            "no setting shows annotations within {:.1} ms at p99 and all frames in time: {annotation}; the network forbids it; nothing is written",
            ms(need.age)
        );
    }
    let stage = nearest.longest().map_or_else(String::new, |(stage, time)| {
        format!("; {} forbids it, with {:.2} ms at p99", stage.words(), ms(time))
    });
    format!(
        "no setting keeps {:.2} ms at p99: the nearest, {}, is late by {:.2} ms{stage}; nothing is written",
        ms(need.budget),
        nearest.candidate,
        ms(nearest.picture_p99)
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const NEED: Need = Need { budget: ms(20), age: ms(120), fps: 30.0 };

    fn measured(name: &str, dice: f64, picture: u64, annotation: u64) -> Measured {
        let card = Card {
            folder: PathBuf::from(name),
            name: name.to_owned(),
            side_px: 256,
            judged: Vec::new(),
            dice: Some((dice, "Kvasir-SEG, test".to_owned())),
            int8_loss: None,
        };
        let (precision, mode) = (Precision::F32, Mode::Live);
        Measured {
            candidate: Candidate { card, backend: "openvino", precision, threads: 1, mode, style: None },
            picture_p50: ms(1),
            picture_p99: ms(picture),
            annotation_p99: Some(ms(annotation)),
            mask_p99: Some(ms(30)),
            masks_per_second: 25.0,
            frames: 100,
            late: 0,
            without: 0,
            stages: vec![(Stage::Motion, ms(2)), (Stage::Paint, ms(picture.saturating_sub(2)))],
        }
    }

    #[test]
    fn the_most_accurate_that_keeps_the_budget_is_chosen_and_of_equals_the_younger() {
        let found = [
            measured("fast", 0.80, 3, 50),
            measured("slow", 0.90, 4, 150),
            measured("good", 0.85, 4, 90),
            measured("younger", 0.85, 6, 80),
            measured("late", 0.95, 21, 60),
        ];
        assert_eq!(best(&found, &NEED).map(|one| one.candidate.card.name.as_str()), Some("younger"));
        let all_late = Measured { late: 2, ..measured("late", 0.9, 1, 1) };
        assert!(best(&[all_late], &NEED).is_none());
        let maskless = Measured { annotation_p99: None, ..measured("none", 0.9, 1, 1) };
        assert_eq!(maskless.broken(&NEED).as_deref(), Some("missed: no masks"));
    }

    #[test]
    fn integers_count_for_what_they_lost() {
        let mut one = measured("both", 0.9, 3, 50).candidate;
        one.card.int8_loss = Some(0.004);
        let of = |precision| Candidate { precision, ..one.clone() }.dice().unwrap();
        assert!((of(Precision::F32) - 0.9).abs() < 1e-12 && (of(Precision::Int8) - 0.896).abs() < 1e-12);
        // What came out better by chance is no better.
        one.card.int8_loss = Some(-0.01);
        assert_eq!(Candidate { precision: Precision::Int8, ..one }.dice(), Some(0.9));
    }

    #[test]
    fn what_forbids_a_budget_is_named() {
        let sentence = forbidden(&[measured("a", 0.8, 30, 60), measured("b", 0.8, 25, 60)], &NEED);
        assert!(sentence.contains("no setting keeps 20.00 ms at p99: the nearest, b 256 px"), "{sentence}");
        assert!(sentence.contains("painting forbids it, with 23.00 ms"), "{sentence}");
        let sentence = forbidden(&[measured("a", 0.8, 3, 160)], &NEED);
        assert!(sentence.contains("the best is 160.0 ms; the network forbids it"), "{sentence}");
    }
}
