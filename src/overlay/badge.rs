//! The state in the corner: what the picture's overlay is worth right now, as a shape and a word.
//!
//! It stands in the upper right: endoscopes cut that corner off, and processors write on the left. A dark ground of its
//! own makes it readable on any picture; the shape and the word say the same, so that neither colour nor reading is
//! needed. States that ask for attention have a frame around them.

use super::glyphs::{HEIGHT, Symbol, glyph};
use super::pen::Pen;
use super::{Scratch, Settings};
use crate::frame::{Canvas, Size};

/// What the overlay is worth right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Badge {
    /// The mask (or its absence) is of this very frame.
    Live,
    /// The mask (or its absence) is of an earlier frame.
    Held {
        /// How much earlier, in milliseconds.
        age_ms: u32,
    },
    /// There is no mask yet: the network has not answered since the start.
    NoMask,
    /// The network did not answer in time; no mask is shown.
    Late,
    /// The network failed; no mask is shown.
    Fault,
    /// Switched off by the user; no mask is shown.
    Off,
}

/// How firmly the ground covers the picture, of 255.
const GROUND: u8 = 215;
/// In units: around the words and the symbol, between them, from the frame's edges, and one letter with its gap.
const PAD: usize = 3;
const GAP: usize = 4;
const MARGIN: usize = 4;
const LETTER: usize = 6;
/// The longest word.
const LETTERS: usize = 9;

impl Badge {
    /// Whether the mask on the screen is what it should be.
    fn is_well(self) -> bool {
        matches!(self, Self::Live | Self::Held { .. })
    }

    /// Whether it asks for attention.
    fn alarms(self) -> bool {
        matches!(self, Self::Late | Self::Fault)
    }

    fn pen(self) -> Pen {
        match self {
            Self::Live => Pen::LINE,
            Self::Held { .. } => Pen::HELD,
            Self::NoMask | Self::Off => Pen::QUIET,
            Self::Late => Pen::LATE,
            Self::Fault => Pen::FAULT,
        }
    }

    fn symbol(self) -> &'static Symbol {
        match self {
            Self::Live => &Symbol::DISC,
            Self::Held { .. } => &Symbol::CLOCK,
            Self::NoMask => &Symbol::DOTS,
            Self::Late => &Symbol::HOURGLASS,
            Self::Fault => &Symbol::CROSS,
            Self::Off => &Symbol::BAR,
        }
    }

    /// Its word, in capitals and digits; blanks at the end do not count.
    fn word(self) -> [u8; LETTERS] {
        match self {
            Self::Live => *b"LIVE     ",
            Self::Held { age_ms } => {
                let mut word = *b"HELD     ";
                let age = age_ms.min(999);
                let digits = [age / 100, age / 10 % 10, age % 10].map(|digit| b'0' + digit as u8);
                let leading = if age >= 100 { 0 } else { 2 - usize::from(age >= 10) };
                let text = digits.iter().skip(leading).chain(b"MS");
                word.iter_mut()
                    .skip(5 - usize::from(leading == 0))
                    .zip(text)
                    .for_each(|(to, from)| *to = *from);
                word
            }
            Self::NoMask => *b"NO MASK  ",
            Self::Late => *b"LATE     ",
            Self::Fault => *b"FAULT    ",
            Self::Off => *b"OFF      ",
        }
    }
}

/// Paints `badge` in the upper right corner of `canvas`; it needs no mask. Where `settings.badge` is off, it is
/// painted all the same unless the mask is live or held: that no mask is to be expected must not be hidden.
pub fn paint_badge(badge: &Badge, settings: &Settings, canvas: &mut Canvas<'_>, scratch: &mut Scratch) {
    if !settings.badge && badge.is_well() {
        return;
    }
    let size = canvas.size();
    let unit = unit_px(size);
    let word = badge.word();
    let letters = word.trim_ascii_end();
    let width = 2 * PAD + HEIGHT + GAP + letters.len() * LETTER - 1;
    let height = 2 * PAD + HEIGHT;
    let left = (size.width as usize).saturating_sub((width + MARGIN) * unit);
    let (top, bottom) = (MARGIN * unit, ((MARGIN + height) * unit).min(size.height as usize));
    let sheet = &mut scratch.sheet;
    sheet.fit(size.width as usize);
    let pens = [Some(Pen::GROUND), Some(badge.pen()), Some(Pen::WORDS)];
    for y in top..bottom {
        if let Some([ground, shape, words]) = sheet.open(y, (left, left + width * unit)) {
            ground.fill(GROUND);
            let row = (y - top) / unit;
            let edge = row == 0 || row + 1 == height;
            if badge.alarms() {
                fill(shape, unit, 0, if edge { width } else { 1 });
                fill(shape, unit, width - 1, 1);
            }
            if let Some(row) = row.checked_sub(PAD).filter(|row| *row < HEIGHT) {
                dots(shape, unit, PAD, badge.symbol().row(row), HEIGHT);
                let mut column = PAD + HEIGHT + GAP;
                for letter in letters {
                    dots(words, unit, column, glyph(*letter).row(row), LETTER - 1);
                    column += LETTER;
                }
            }
        }
        if y % 2 == 1 || y + 1 == bottom {
            sheet.flush(canvas, y - y % 2, pens);
        }
    }
}

/// The side of a unit in pixels: letters are about 1/38 of the frame's height.
fn unit_px(size: Size) -> usize {
    ((size.height as usize + 135) / 270).max(1)
}

/// Covers `count` units from unit `from` on; what is outside of the row is left out.
fn fill(row: &mut [u8], unit: usize, from: usize, count: usize) {
    row.iter_mut().skip(from * unit).take(count * unit).for_each(|coverage| *coverage = 255);
}

/// Covers the units whose bits are set; the highest of `width` bits is the leftmost unit.
fn dots(row: &mut [u8], unit: usize, from: usize, bits: u8, width: usize) {
    for column in (0..width).filter(|column| bits >> (width - 1 - column) & 1 == 1) {
        fill(row, unit, from + column, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_written_without_blanks() {
        let word = |age_ms| Badge::Held { age_ms }.word();
        assert_eq!(&word(7), b"HELD 7MS ");
        assert_eq!(&word(80), b"HELD 80MS");
        assert_eq!(&word(120), b"HELD120MS");
        assert_eq!(&word(12_345), b"HELD999MS");
    }

    #[test]
    fn every_letter_is_known() {
        let badges = [Badge::Live, Badge::NoMask, Badge::Late, Badge::Fault, Badge::Off];
        let held = (0..1000).map(|age_ms| Badge::Held { age_ms });
        for letter in badges.into_iter().chain(held).flat_map(|badge| badge.word()) {
            assert!(letter == b' ' || glyph(letter).row(0) | glyph(letter).row(6) != 0, "{}", letter as char);
        }
    }
}
