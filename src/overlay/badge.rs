//! The state in the corner: what the picture's overlay is worth right now, as a shape and a word.
//!
//! It stands in the upper right: endoscopes cut that corner off, and processors write on the left. A dark ground of its
//! own makes it readable on any picture; the shape and the word say the same, so that neither colour nor reading is
//! needed. States that ask for attention have a frame around them.

use super::glyphs::{HEIGHT, Symbol, glyph};
use super::pen::{Pen, samples};
use super::sheet::LAYERS;
use super::{Scratch, Settings};
use crate::frame::{Canvas, Colorimetry, PixelFormat, Size};

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
    /// The engine is being made ready beside the picture; there is no mask yet.
    Starting,
    /// There is no mask yet: the network has not answered since the start.
    NoMask,
    /// The source is dead: it hands over the same picture again and again. No mask is shown.
    Frozen,
    /// The network did not answer in time; no mask is shown.
    Late,
    /// The network failed; no mask is shown.
    Fault,
    /// Switched off by the user; no mask is shown.
    Off,
}

/// How firmly the ground covers the picture, of 255.
const GROUND: u8 = 215;
/// A plate's height in units.
const ROWS: usize = 2 * PAD + HEIGHT;
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
        matches!(self, Self::Frozen | Self::Late | Self::Fault)
    }

    fn pen(self) -> Pen {
        match self {
            Self::Live => Pen::LINE,
            Self::Held { .. } => Pen::HELD,
            Self::Starting | Self::NoMask | Self::Off => Pen::QUIET,
            Self::Frozen | Self::Late => Pen::LATE,
            Self::Fault => Pen::FAULT,
        }
    }

    fn symbol(self) -> &'static Symbol {
        match self {
            Self::Live => &Symbol::DISC,
            Self::Held { .. } => &Symbol::CLOCK,
            Self::Starting => &Symbol::TRIANGLE,
            Self::NoMask => &Symbol::DOTS,
            Self::Frozen => &Symbol::PAUSE,
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
            Self::Starting => *b"STARTING ",
            Self::NoMask => *b"NO MASK  ",
            Self::Frozen => *b"FROZEN   ",
            Self::Late => *b"LATE     ",
            Self::Fault => *b"FAULT    ",
            Self::Off => *b"OFF      ",
        }
    }

    /// What is painted of it on a frame of `size`. Where `settings.badge` is off, that is nothing while the mask is
    /// live or held; other states are painted all the same: that no mask is to be expected must not be hidden.
    pub fn plate(self, settings: &Settings, size: Size) -> Option<Plate> {
        if !settings.badge && self.is_well() {
            return None;
        }
        let unit_px = unit_px(size);
        let word = self.word();
        let letters = word.trim_ascii_end();
        let width = 2 * PAD + HEIGHT + GAP + letters.len() * LETTER - 1;
        let (mut shape, mut words) = ([0_u128; ROWS], [0_u128; ROWS]);
        for (row, (shape, words)) in shape.iter_mut().skip(PAD).zip(words.iter_mut().skip(PAD)).enumerate() {
            dots(shape, PAD, self.symbol().row(row), HEIGHT);
            for (index, letter) in letters.iter().enumerate() {
                dots(words, PAD + HEIGHT + GAP + index * LETTER, glyph(*letter).row(row), LETTER - 1);
            }
        }
        if self.alarms() {
            let all = (1 << width) - 1;
            shape.iter_mut().for_each(|row| *row |= 1 | 1 << (width - 1));
            shape.first_mut().into_iter().for_each(|row| *row = all);
            shape.last_mut().into_iter().for_each(|row| *row = all);
        }
        Some(Plate {
            unit_px,
            left: (size.width as usize).saturating_sub((width + MARGIN) * unit_px),
            top: MARGIN * unit_px,
            width,
            ground: GROUND,
            shape,
            words,
            pen: self.pen(),
        })
    }
}

/// A badge as it is painted on one frame: dots of `unit_px` x `unit_px` pixels in three layers, the ground, on it the
/// shape, on that the words. What lies beyond the frame is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plate {
    /// The side of a dot, in frame pixels.
    pub unit_px: usize,
    /// Its left edge, in frame pixels.
    pub left: usize,
    /// Its top edge, in frame pixels.
    pub top: usize,
    /// Its width in dots, at most 128; its height is that of `shape`.
    pub width: usize,
    /// How firmly its ground covers the picture, of 255; the other layers cover all of it or nothing.
    pub ground: u8,
    /// The shape's dots in each row of dots, from the top down; the lowest bit is the leftmost dot.
    pub shape: [u128; ROWS],
    /// The words' dots, likewise.
    pub words: [u128; ROWS],
    pen: Pen,
}

impl Plate {
    fn pens(&self) -> [Option<Pen>; LAYERS] {
        [Some(Pen::GROUND), Some(self.pen), Some(Pen::WORDS)]
    }

    /// The layers' colours as a frame of that format and colorimetry holds them: Y, U, V or red, green, blue.
    pub fn colours(&self, format: PixelFormat, colorimetry: Colorimetry) -> [[u8; 3]; LAYERS] {
        samples(self.pens(), format, colorimetry).map(Option::unwrap_or_default)
    }
}

/// Paints `badge` in the upper right corner of `canvas`; it needs no mask. What is painted, and when nothing is, says
/// [`Badge::plate`].
pub fn paint_badge(badge: &Badge, settings: &Settings, canvas: &mut Canvas<'_>, scratch: &mut Scratch) {
    let size = canvas.size();
    let Some(plate) = badge.plate(settings, size) else { return };
    let Plate { unit_px, left, top, width, .. } = plate;
    let bottom = (top + ROWS * unit_px).min(size.height as usize);
    let sheet = &mut scratch.sheet;
    sheet.fit(size.width as usize);
    for y in top..bottom {
        if let Some([ground, shape, words]) = sheet.open(y, (left, left + width * unit_px)) {
            ground.fill(plate.ground);
            let row = (y - top) / unit_px;
            cover(shape, unit_px, plate.shape.get(row));
            cover(words, unit_px, plate.words.get(row));
        }
        if y % 2 == 1 || y + 1 == bottom {
            sheet.flush(canvas, y - y % 2, plate.pens());
        }
    }
}

/// The side of a unit in pixels: letters are about 1/38 of the frame's height.
fn unit_px(size: Size) -> usize {
    ((size.height as usize + 135) / 270).max(1)
}

/// Covers the dots of a row; what is outside of the row is left out.
fn cover(row: &mut [u8], unit: usize, dots: Option<&u128>) {
    let mut dots = dots.copied().unwrap_or(0);
    let mut at = 0;
    while dots != 0 {
        let from = dots.trailing_zeros() as usize;
        let count = (dots >> from).trailing_ones() as usize;
        let pixels = row.iter_mut().skip((at + from) * unit).take(count * unit);
        pixels.for_each(|coverage| *coverage = 255);
        at += from + count;
        dots = dots.checked_shr((from + count) as u32).unwrap_or(0);
    }
}

/// Adds a row of a symbol to a plate's, from dot `from` on; the highest of `width` bits is the leftmost dot.
fn dots(row: &mut u128, from: usize, bits: u8, width: usize) {
    *row |= u128::from(bits.reverse_bits() >> (8 - width)) << from;
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
        let badges = [
            Badge::Live,
            Badge::Starting,
            Badge::NoMask,
            Badge::Frozen,
            Badge::Late,
            Badge::Fault,
            Badge::Off,
        ];
        let held = (0..1000).map(|age_ms| Badge::Held { age_ms });
        for letter in badges.into_iter().chain(held).flat_map(|badge| badge.word()) {
            assert!(letter == b' ' || glyph(letter).row(0) | glyph(letter).row(6) != 0, "{}", letter as char);
        }
    }
}
