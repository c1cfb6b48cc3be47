//! What is done where the picture keeps missing its budget, so that it comes in time again.

use std::time::Duration;

/// So many frames of the last 32 over the budget are too many: one may be somebody else's doing.
const TOO_MANY: u32 = 3;
/// How long the first relief lasts, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(16);
/// The network is asked about one of so many frames at most seldom.
const SELDOMEST: u32 = 8;

/// What happens when the budget is missed too often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// It is said.
    #[default]
    Announce,
    /// Frames pass without the network for a while, and so without a mask.
    Skip,
    /// The network is asked about fewer frames for a while: masks are older, or fewer.
    LowerRate,
    /// An engine with a smaller input is asked in the network's place for a while: masks are coarser.
    ShrinkInput,
}

impl Missed {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Announce, Self::Skip, Self::LowerRate, Self::ShrinkInput];

    /// Its name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::Skip => "skip",
            Self::LowerRate => "lower-rate",
            Self::ShrinkInput => "shrink-input",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|missed| missed.name() == name)
    }
}

/// How much the picture is spared at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// Not at all.
    #[default]
    None,
    /// The network is asked about every so many frames only.
    Every(u32),
    /// An engine with a smaller input is asked.
    Smaller,
    /// Nothing is asked and nothing measured.
    All,
}

/// Decides, frame by frame. Times are the stream's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Relief {
    /// The last frames, the newest in the lowest bit: 1 was over.
    last: u32,
    rest: Rest,
    until: Duration,
    span: Duration,
}

impl Relief {
    /// What holds for the next frame after one of time `now` that was `over` the budget or not; and whether that has changed, or, with
    /// [`Missed::Announce`], whether there are too many just now.
    pub fn see(&mut self, over: bool, now: Duration, missed: Missed) -> (Rest, bool) {
        self.last = (self.last << 1) | u32::from(over);
        let too_many = self.last.count_ones() >= TOO_MANY;
        let before = self.rest;
        if missed == Missed::Announce {
            self.rest = Rest::None;
            let say = too_many && now >= self.until;
            if say {
                self.begin(now);
            }
            return (self.rest, say || before != self.rest);
        }
        if too_many {
            self.begin(now);
            self.rest = match (missed, self.rest) {
                (Missed::Skip, _) | (Missed::Announce, _) => Rest::All,
                (Missed::ShrinkInput, _) => Rest::Smaller,
                (Missed::LowerRate, Rest::Every(every)) => Rest::Every((every * 2).min(SELDOMEST)),
                (Missed::LowerRate, _) => Rest::Every(2),
            };
        } else if now >= self.until {
            self.rest = match self.rest {
                Rest::Every(every) if every > 2 => {
                    self.until = now + self.span;
                    Rest::Every(every / 2)
                }
                _ => Rest::None,
            };
        }
        (self.rest, before != self.rest)
    }

    /// A relief, or an announcement, from `now` on. Soon after the last one it lasts longer.
    fn begin(&mut self, now: Duration) {
        self.last = 0;
        let soon = !self.span.is_zero() && now <= self.until + self.span;
        self.span = if soon { (self.span * 2).min(LONGEST) } else { FIRST };
        self.until = now + self.span;
    }

    /// Begins anew: a flush, or a stream's time that jumped.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(40);

    /// What holds after each of these frames, where one is `over` if `over` says so.
    fn seen(missed: Missed, frames: u32, over: impl Fn(u32, Rest) -> bool) -> Vec<Rest> {
        let (mut relief, mut rest) = (Relief::default(), Rest::None);
        (0..frames)
            .map(|index| {
                (rest, _) = relief.see(over(index, rest), FRAME * index, missed);
                rest
            })
            .collect()
    }

    #[test]
    fn one_slow_frame_changes_nothing_and_three_do() {
        assert!(seen(Missed::Skip, 200, |index, _| index % 40 == 0).iter().all(|rest| *rest == Rest::None));
        let rests = seen(Missed::Skip, 100, |index, _| (10..13).contains(&index));
        assert_eq!(
            (rests[11], rests[12], rests[36], rests[37]),
            (Rest::None, Rest::All, Rest::All, Rest::None)
        );
        assert_eq!(rests.last(), Some(&Rest::None));
    }

    #[test]
    fn where_nothing_else_helps_the_rests_become_longer() {
        // Over whenever the network works.
        let rests = seen(Missed::Skip, 2_000, |_, rest| rest == Rest::None);
        let working =
            |from: usize, to: usize| rests[from..to].iter().filter(|rest| **rest == Rest::None).count();
        assert!(working(0, 200) > 2 * working(1_800, 2_000), "{} {}", working(0, 200), working(1_800, 2_000));
    }

    #[test]
    fn a_smaller_engine_is_asked_for_a_while_and_longer_each_time() {
        // Over whenever the larger one is asked.
        let rests = seen(Missed::ShrinkInput, 500, |_, rest| rest == Rest::None);
        assert!(rests.iter().all(|rest| matches!(rest, Rest::None | Rest::Smaller)));
        let spells: Vec<usize> = rests
            .chunk_by(|a, b| a == b)
            .filter(|spell| spell[0] == Rest::Smaller)
            .map(<[Rest]>::len)
            .collect();
        assert_eq!(spells[..3], [25, 50, 100]);
    }

    #[test]
    fn the_rate_is_lowered_step_by_step_and_comes_back() {
        let rests = seen(Missed::LowerRate, 400, |index, _| index < 9);
        assert_eq!(
            [2, 5, 8].map(|index: usize| rests[index]),
            [Rest::Every(2), Rest::Every(4), Rest::Every(8)]
        );
        let order: Vec<Rest> = rests[8..].chunk_by(|a, b| a == b).map(|run| run[0]).collect();
        assert_eq!(order, [Rest::Every(8), Rest::Every(4), Rest::Every(2), Rest::None]);
    }

    #[test]
    fn an_announcement_is_made_and_not_over_and_over() {
        let mut relief = Relief::default();
        // Every second frame for a minute: 4 s, then after 1, 2, 4, 8, 16, 16 s.
        let said: Vec<u32> = (0..1500)
            .filter(|index| relief.see(index % 2 == 0, FRAME * *index, Missed::Announce).1)
            .collect();
        assert_eq!((said.first(), said.len()), (Some(&4), 7), "{said:?}");
    }
}
