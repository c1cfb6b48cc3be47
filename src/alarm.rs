//! An alarm that a polyp is in view: raised and ended by several answers of the network, so that a mask which flashes up raises none.
//!
//! Each answer is one vote, for as long as it is among the newest: yes where its mask has a certain area. K yes of the newest N raise the
//! alarm, and only R or fewer end it ([`Rule`]). Whoever feeds the [`Gate`] says when the votes before no longer count: another scene,
//! prompt or engine, a network that is late or fails, a source that is dead.
//!
//! Not here: masks ([`crate::segmentation`]), and troubles that are reported once (the elements do).

use std::fmt;
use std::str::FromStr;

use crate::frame::Rect;
use crate::segmentation::Segmentation;

/// The most answers that can be looked back on.
pub const MOST_ANSWERS: u8 = 64;

/// The share of what the network sees that a mask has to cover for a vote, unless somebody says otherwise.
pub const AREA: f32 = 0.01;

/// The least probability of a cell that counts as covered: 0.5.
const COVERED: u8 = 128;

/// How many answers raise an alarm, and how few end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    raise: u8,
    of: u8,
    end: u8,
}

/// Why a text or three numbers are no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "alarm {text:?}: expected `off`, `on` or K/N/R with R below K, K up to N and N up to {MOST_ANSWERS}, as `{}`",
    Rule::default()
)]
pub struct RuleError {
    /// The refused text.
    pub text: String,
}

/// When an alarm is raised and ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Of how many answers.
    pub rule: Rule,
    /// The share of what the network sees, 0 to 1, that a mask has to cover for a vote.
    pub area: f32,
}

/// One stream's alarm.
#[derive(Clone, Debug)]
pub struct Gate {
    settings: Settings,
    /// The votes, the newest in the lowest bit.
    votes: u64,
    raised: bool,
    /// The frame of the newest answer.
    newest: Option<u64>,
}

impl Rule {
    /// The rule by which `raise` yes of the newest `of` answers raise an alarm, and `end` or fewer end it.
    ///
    /// # Errors
    /// [`RuleError`] unless `end` < `raise` <= `of` <= [`MOST_ANSWERS`].
    pub fn new(raise: u8, of: u8, end: u8) -> Result<Self, RuleError> {
        let rule = Self { raise, of, end };
        if rule.is_sound() { Ok(rule) } else { Err(RuleError { text: rule.to_string() }) }
    }

    fn is_sound(self) -> bool {
        self.end < self.raise && self.raise <= self.of && self.of <= MOST_ANSWERS
    }

    /// Reads a rule, `on` for the one that is the default, or `off`, which is none.
    ///
    /// # Errors
    /// [`RuleError`], which has the refused text.
    pub fn read(text: &str) -> Result<Option<Self>, RuleError> {
        match text {
            "off" => Ok(None),
            "on" => Ok(Some(Self::default())),
            _ => text.parse().map(Some),
        }
    }

    /// What [`Self::read`] reads as `rule`.
    pub fn write(rule: Option<Self>) -> String {
        rule.map_or_else(|| "off".to_owned(), |rule| rule.to_string())
    }
}

impl Default for Rule {
    /// Six of eight: no mask that flashes up for five frames raises it.
    fn default() -> Self {
        Self { raise: 6, of: 8, end: 2 }
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let refused = || RuleError { text: text.to_owned() };
        let mut numbers = text.split('/').map(str::parse::<u8>);
        let mut next = || numbers.next().and_then(Result::ok).ok_or_else(refused);
        let rule = Self { raise: next()?, of: next()?, end: next()? };
        // Printed again it must be the same text: that catches signs, leading zeros and what is left over.
        Some(rule).filter(|rule| rule.is_sound() && rule.to_string() == text).ok_or_else(refused)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.raise, self.of, self.end)
    }
}

impl Gate {
    /// A gate that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        Self { settings, votes: 0, raised: false, newest: None }
    }

    /// What it goes by.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Counts the network's answer, once however many frames show it, and says whether the alarm is raised.
    pub fn see(&mut self, answer: &Segmentation) -> bool {
        if self.newest.is_none_or(|newest| answer.sequence > newest) {
            self.newest = Some(answer.sequence);
            let share = covered(answer);
            self.vote(share > 0.0 && share >= self.settings.area);
        }
        self.raised
    }

    /// Counts one vote.
    fn vote(&mut self, yes: bool) {
        let Rule { raise, of, end } = self.settings.rule;
        self.votes = (self.votes << 1 | u64::from(yes)) & (u64::MAX >> (MOST_ANSWERS - of));
        let yes = self.votes.count_ones();
        self.raised = yes >= u32::from(raise) || (self.raised && yes > u32::from(end));
    }

    /// Ends the alarm: votes so far no longer count. An answer that was counted is not counted again.
    pub fn reset(&mut self) {
        (self.votes, self.raised) = (0, false);
    }

    /// Whether the alarm is raised.
    pub fn is_raised(&self) -> bool {
        self.raised
    }
}

/// The share of the frame's part that the network saw whose probability is at least 0.5.
pub fn covered(mask: &Segmentation) -> f32 {
    let Rect { x, y, width, height } = mask.placement.target;
    let rows = mask.probability.chunks(mask.side().max(1)).skip(y as usize).take(height as usize);
    let cells = rows.flat_map(|row| row.iter().skip(x as usize).take(width as usize));
    let count = cells.filter(|cell| **cell >= COVERED).count();
    count as f32 / (width as f32 * height as f32).max(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Size;
    use crate::input::Placement;

    fn rule(text: &str) -> Rule {
        text.parse().unwrap()
    }

    fn gate(text: &str) -> Gate {
        Gate::new(Settings { rule: rule(text), area: 0.0 })
    }

    /// What the gate says after each vote.
    fn said(gate: &mut Gate, votes: &str) -> String {
        let each = votes.bytes().map(|vote| {
            gate.vote(vote == b'1');
            if gate.is_raised() { '1' } else { '0' }
        });
        each.collect()
    }

    #[test]
    fn so_many_of_the_newest_raise_it_and_so_few_end_it() {
        assert_eq!(said(&mut gate("3/4/1"), "0110101100000"), "0000111111000");
        assert_eq!(said(&mut gate("1/1/0"), "0101100"), "0101100");
        // Between the two it stays what it is.
        let mut gate = gate("3/4/1");
        assert_eq!(said(&mut gate, "1010101010"), "0000000000");
        assert_eq!(said(&mut gate, "1101010100"), "0111111110");
    }

    #[test]
    fn the_longest_rule_looks_back_on_all_it_can() {
        let mut gate = gate("64/64/63");
        let said = said(&mut gate, &format!("{}01", "1".repeat(65)));
        assert_eq!(said, format!("{}1100", "0".repeat(63)));
    }

    #[test]
    fn after_a_reset_nothing_of_before_counts() {
        let mut gate = gate("2/3/0");
        assert_eq!(said(&mut gate, "11"), "01");
        gate.reset();
        assert!(!gate.is_raised());
        assert_eq!(said(&mut gate, "1011"), "0011");
    }

    /// An answer about frame `sequence` with so many cells of 10 by 10 covered; the outermost columns are not seen.
    fn answer(sequence: u64, cells: usize) -> Segmentation {
        let mut probability = vec![0; 100];
        (0..80).filter(|cell| *cell < cells).for_each(|cell| probability[cell / 8 * 10 + 1 + cell % 8] = 128);
        let target = Rect { x: 1, y: 0, width: 8, height: 10 };
        let placement = Placement { source: Rect::whole(Size::new(80, 100)), target, side_px: 10 };
        Segmentation { probability, placement, pts: std::time::Duration::ZERO, sequence }
    }

    #[test]
    fn a_mask_has_a_vote_from_its_area_on() {
        assert_eq!([0, 4, 80].map(|cells| covered(&answer(0, cells))), [0.0, 0.05, 1.0]);
        let mut unseen = answer(0, 0);
        (0..10).for_each(|row| unseen.probability[row * 10] = 255);
        assert_eq!(covered(&unseen), 0.0);
        let says = |area, cells| Gate::new(Settings { rule: rule("1/1/0"), area }).see(&answer(0, cells));
        assert_eq!([3, 4, 5].map(|cells| says(0.05, cells)), [false, true, true]);
        assert_eq!([0, 1].map(|cells| says(0.0, cells)), [false, true]);
    }

    #[test]
    fn an_answer_has_one_vote_however_many_frames_show_it() {
        let mut gate = gate("2/2/0");
        assert!(!gate.see(&answer(7, 9)) && !gate.see(&answer(7, 9)));
        gate.reset();
        assert!(!gate.see(&answer(7, 9)), "nor does it count again after a reset");
        assert!(!gate.see(&answer(9, 9)) && gate.see(&answer(10, 9)));
    }

    #[test]
    fn a_rule_is_three_numbers() {
        assert_eq!(Rule::read("off"), Ok(None));
        assert_eq!(Rule::read("on"), Ok(Some(Rule::default())));
        for text in ["6/8/2", "1/1/0", "64/64/63"] {
            assert_eq!(Rule::write(Rule::read(text).unwrap()), text);
        }
        for text in [
            "", "on ", "6", "6/8", "8/6/2", "6/8/6", "0/8/0", "6/65/2", "+6/8/2", "6/08/2", "6/8/2/1",
            "6/8/-1",
        ] {
            assert_eq!(Rule::read(text), Err(RuleError { text: text.to_owned() }));
        }
        let error = Rule::read("8/6/2").unwrap_err().to_string();
        assert!(error.starts_with("alarm \"8/6/2\": expected `off`, `on` or K/N/R"), "{error}");
    }

    proptest! {
        /// The gate says what counting anew at every vote says.
        #[test]
        fn counting_anew_says_the_same(
            votes in prop::collection::vec(any::<bool>(), 0..200),
            of in 1_u8..=64,
            raise in 0.0_f32..1.0,
            end in 0.0_f32..1.0,
        ) {
            let raise = 1 + (f32::from(of - 1) * raise) as u8;
            let end = (f32::from(raise) * end) as u8;
            let mut gate = Gate::new(Settings { rule: Rule::new(raise, of, end.min(raise - 1)).unwrap(), area: 0.0 });
            let mut raised = false;
            for count in 1..=votes.len() {
                gate.vote(votes[count - 1]);
                let yes = votes[..count].iter().rev().take(of.into()).filter(|yes| **yes).count();
                raised = yes >= raise.into() || raised && yes > end.min(raise - 1).into();
                prop_assert_eq!(gate.is_raised(), raised);
            }
        }
    }
}
