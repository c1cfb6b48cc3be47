//! Two engines about the same frames: how far their masks agree and how long each took, before the one takes the other's
//! place.
//!
//! The picture does not wait for it: the new engine gets a frame that the old one was asked about, and only when it is idle.
//! What it costs the picture is making that frame the new engine's input.
//!
//! Not here: asking ([`super::successor`]), saying it on the bus ([`super::switch`]).

use std::sync::Arc;
use std::time::Duration;

use polyp::frame::Rect;
use polyp::input::Placement;
use polyp::segmentation::Segmentation;

use super::session::{Answer, Session};

/// Points a side at which two masks are compared, whatever their own sizes.
const GRID: usize = 128;
/// From this byte on a cell is polyp: a probability of one half.
const POLYP: u8 = 128;
/// A comparison ends after so many frames for each that was wanted, and [`GRACE`] more, however many could be compared.
const PATIENCE: u32 = 8;
/// Two seconds at 30 frames a second.
const GRACE: u32 = 60;

/// A comparison under way.
#[derive(Debug)]
pub(super) struct Comparison {
    wanted: u32,
    /// Frames that went by.
    passed: u32,
    pair: Option<Pair>,
    compared: Compared,
}

/// A frame that both were asked about, and what is known of it.
#[derive(Debug)]
struct Pair {
    sequence: u64,
    old: Option<Answer>,
    new: Option<Answer>,
}

/// What came of a comparison, as sums.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Compared {
    /// Frames compared.
    pub(super) frames: u32,
    dice: f64,
    disagreement: f64,
    old: Duration,
    new: Duration,
}

impl Compared {
    fn add(&mut self, agreement: Agreement, old: Duration, new: Duration) {
        self.frames += 1;
        self.dice += agreement.dice;
        self.disagreement += agreement.disagreement;
        self.old += old;
        self.new += new;
    }

    /// Mean Dice per frame; without frames there is none.
    pub(super) fn dice(&self) -> Option<f64> {
        (self.frames > 0).then(|| self.dice / f64::from(self.frames))
    }

    /// Mean share of the region in which one says polyp and the other does not.
    pub(super) fn disagreement(&self) -> Option<f64> {
        (self.frames > 0).then(|| self.disagreement / f64::from(self.frames))
    }

    /// How long the old engine and the new one took for a frame, on average.
    pub(super) fn times(&self) -> Option<(Duration, Duration)> {
        Some((self.old.checked_div(self.frames)?, self.new.checked_div(self.frames)?))
    }
}

impl Comparison {
    /// Of so many frames; `None` for none.
    pub(super) fn new(wanted: u32) -> Option<Self> {
        let compared = Compared::default();
        (wanted > 0).then_some(Self { wanted, passed: 0, pair: None, compared })
    }

    /// A frame went by.
    pub(super) fn pass(&mut self) {
        self.passed = self.passed.saturating_add(1);
    }

    /// Both were asked about that frame.
    pub(super) fn begin(&mut self, sequence: u64) {
        self.pair = Some(Pair { sequence, old: None, new: None });
    }

    /// Whether another frame may be begun.
    pub(super) fn is_free(&self) -> bool {
        self.pair.is_none()
    }

    /// A flush, other caps: what was begun does not count.
    pub(super) fn forget(&mut self) {
        self.pair = None;
    }

    /// Whether it is over: all frames were compared, or too many went by that could not be.
    pub(super) fn is_over(&self) -> bool {
        self.compared.frames >= self.wanted
            || self.passed >= self.wanted.saturating_mul(PATIENCE).saturating_add(GRACE)
    }

    pub(super) fn compared(&self) -> Compared {
        self.compared
    }

    /// Looks at what both have answered.
    ///
    /// # Errors
    /// When the new engine failed on a frame.
    pub(super) fn look(&mut self, old: &Session, new: &Session) -> Result<(), String> {
        let Some(pair) = &mut self.pair else { return Ok(()) };
        let sequence = pair.sequence;
        let answer =
            |session: &Session| session.newest().filter(|answer| answer.sequence == sequence).cloned();
        pair.old = pair.old.take().or_else(|| answer(old));
        pair.new = pair.new.take().or_else(|| answer(new));
        if let Some(Answer { outcome: Err(error), .. }) = &pair.new {
            return Err(error.to_string());
        }
        // A newer answer took its place.
        let is_past = |session: &Session| session.newest().is_some_and(|answer| answer.sequence > sequence);
        let is_lost = (pair.old.is_none() && is_past(old)) || (pair.new.is_none() && is_past(new));
        match (&pair.old, &pair.new) {
            (
                Some(Answer { outcome: Ok(old), timing, .. }),
                Some(Answer { outcome: Ok(new), timing: of_new, .. }),
            ) => {
                self.compared.add(agreement(old, new), timing.inferred, of_new.inferred);
                self.pair = None;
            }
            // The old engine failed on it.
            (Some(_), Some(_)) => self.pair = None,
            _ if is_lost => self.pair = None,
            _ => {}
        }
        Ok(())
    }
}

/// How far two masks agree.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Agreement {
    /// 1 where both are empty.
    dice: f64,
    /// The share of points at which one says polyp and the other does not.
    disagreement: f64,
}

/// Compares at `GRID * GRID` points of the part of the frame that `old` is of; where `new` has not looked it says no.
fn agreement(old: &Arc<Segmentation>, new: &Arc<Segmentation>) -> Agreement {
    let over = old.placement.source;
    let (of_old, of_new) = (Lookup::new(old, over), Lookup::new(new, over));
    let (mut both, mut either) = (0_u32, 0_u32);
    for row in 0..GRID {
        for column in 0..GRID {
            let (one, other) = (of_old.is_polyp(row, column), of_new.is_polyp(row, column));
            both += u32::from(one && other);
            either += u32::from(one || other);
        }
    }
    let points = (GRID * GRID) as f64;
    let dice = if either == 0 { 1.0 } else { f64::from(2 * both) / f64::from(both + either) };
    Agreement { dice, disagreement: f64::from(either - both) / points }
}

/// A mask at the points of the grid.
struct Lookup<'a> {
    mask: &'a Segmentation,
    columns: [Option<usize>; GRID],
    rows: [Option<usize>; GRID],
}

impl<'a> Lookup<'a> {
    fn new(mask: &'a Segmentation, over: Rect) -> Self {
        let Placement { target, .. } = mask.placement;
        let at = |start: u32, length: u32, index: usize| {
            start as f32 + (index as f32 + 0.5) * length as f32 / GRID as f32
        };
        let columns = std::array::from_fn(|index| {
            let (column, _) = mask.placement.to_input(at(over.x, over.width, index), 0.0);
            cell(column, target.x, target.width)
        });
        let rows = std::array::from_fn(|index| {
            let (_, row) = mask.placement.to_input(0.0, at(over.y, over.height, index));
            cell(row, target.y, target.height)
        });
        Self { mask, columns, rows }
    }

    fn is_polyp(&self, row: usize, column: usize) -> bool {
        let cell = self.rows.get(row).copied().flatten().zip(self.columns.get(column).copied().flatten());
        let byte = cell.and_then(|(row, column)| self.mask.probability.get(row * self.mask.side() + column));
        byte.is_some_and(|byte| *byte >= POLYP)
    }
}

/// The cell that a position lies in, if that is one of `length` from `start` on.
fn cell(position: f32, start: u32, length: u32) -> Option<usize> {
    (position >= start as f32 && position < (start + length) as f32).then_some(position as usize)
}

#[cfg(test)]
mod tests {
    use polyp::frame::Size;
    use polyp::input::{Fit, InputSpec, Normalisation};

    use super::*;

    /// A mask of `side` that is polyp left of `edge`, a share of the frame's width.
    fn left_of(edge: f32, side: u32, fit: Fit) -> Arc<Segmentation> {
        let spec = InputSpec { side_px: side, fit, normalisation: Normalisation::ZScorePerImage };
        let placement = spec.place(Rect::whole(Size::new(640, 320)));
        let probability = (0..side * side).map(|index| {
            let (x, _) = placement.to_frame((index % side) as f32 + 0.5, 0.0);
            if x < edge * 640.0 { 200 } else { 20 }
        });
        Arc::new(Segmentation {
            probability: probability.collect(),
            placement,
            pts: Duration::ZERO,
            sequence: 0,
        })
    }

    #[test]
    fn masks_of_other_sizes_and_fits_agree_where_they_lie_in_the_frame() {
        let same = agreement(&left_of(0.5, 64, Fit::Squash), &left_of(0.5, 256, Fit::Letterbox));
        assert_eq!(same, Agreement { dice: 1.0, disagreement: 0.0 });
        // A quarter and a half of the frame: they share a quarter.
        let half = agreement(&left_of(0.25, 64, Fit::Squash), &left_of(0.5, 128, Fit::Letterbox));
        assert_eq!(half, Agreement { dice: 2.0 * 0.25 / 0.75, disagreement: 0.25 });
        let none = agreement(&left_of(0.0, 64, Fit::Squash), &left_of(0.0, 64, Fit::Squash));
        assert_eq!(none, Agreement { dice: 1.0, disagreement: 0.0 });
    }

    #[test]
    fn it_ends_with_its_frames_or_with_patience() {
        assert!(Comparison::new(0).is_none());
        let mut comparison = Comparison::new(2).unwrap();
        comparison.compared.add(
            Agreement { dice: 0.5, disagreement: 0.1 },
            Duration::from_millis(4),
            Duration::ZERO,
        );
        assert!(!comparison.is_over());
        comparison.compared.add(
            Agreement { dice: 1.0, disagreement: 0.0 },
            Duration::from_millis(8),
            Duration::ZERO,
        );
        assert!(comparison.is_over());
        let compared = comparison.compared();
        assert_eq!((compared.frames, compared.dice(), compared.disagreement()), (2, Some(0.75), Some(0.05)));
        assert_eq!(compared.times(), Some((Duration::from_millis(6), Duration::ZERO)));

        let mut hopeless = Comparison::new(2).unwrap();
        (0..2 * PATIENCE + GRACE - 1).for_each(|_| hopeless.pass());
        assert!(!hopeless.is_over());
        hopeless.pass();
        assert!(hopeless.is_over());
        assert_eq!((hopeless.compared().dice(), hopeless.compared().times()), (None, None));
    }
}
