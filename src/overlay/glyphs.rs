//! The badge's letters and symbols, as dots. At 240 lines a letter is 7 pixels high: dots on whole pixels stay
//! sharp there, which strokes ([`crate::lettering`]) do not, and they cost nothing per frame.

/// Rows of a letter or symbol.
pub(super) const HEIGHT: usize = 7;

/// Dots, from the top down; the lowest bit is the rightmost dot.
#[derive(Debug, PartialEq)]
pub(super) struct Symbol([u8; HEIGHT]);

#[rustfmt::skip]
impl Symbol {
    /// A full disc.
    pub(super) const DISC: Self = Self([0b0011100, 0b0111110, 0b1111111, 0b1111111, 0b1111111, 0b0111110, 0b0011100]);
    /// A clock.
    pub(super) const CLOCK: Self = Self([0b0011100, 0b0100010, 0b1001001, 0b1001001, 0b1000111, 0b0100010, 0b0011100]);
    /// Three dots.
    pub(super) const DOTS: Self = Self([0, 0, 0, 0b1101101, 0b1101101, 0, 0]);
    /// An hourglass.
    pub(super) const HOURGLASS: Self = Self([0b1111111, 0b0111110, 0b0011100, 0b0001000, 0b0011100, 0b0111110, 0b1111111]);
    /// A triangle that points to the right.
    pub(super) const TRIANGLE: Self = Self([0b0110000, 0b0111000, 0b0111100, 0b0111110, 0b0111100, 0b0111000, 0b0110000]);
    /// A cross.
    pub(super) const CROSS: Self = Self([0b1100011, 0b1110111, 0b0111110, 0b0011100, 0b0111110, 0b1110111, 0b1100011]);
    /// Two bars upright.
    pub(super) const PAUSE: Self = Self([0b1100110, 0b1100110, 0b1100110, 0b1100110, 0b1100110, 0b1100110, 0b1100110]);
    /// A bar.
    pub(super) const BAR: Self = Self([0, 0, 0b1111111, 0b1111111, 0b1111111, 0, 0]);
}

impl Symbol {
    /// Row `row` from the top; nothing beyond the last.
    pub(super) fn row(&self, row: usize) -> u8 {
        self.0.get(row).copied().unwrap_or(0)
    }
}

/// The letter (capitals that the badge's words use, and digits), 5 dots wide; nothing for any other.
#[rustfmt::skip]
pub(super) fn glyph(letter: u8) -> Symbol {
    Symbol(match letter {
        b'A' => [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        b'D' => [0b11110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11110],
        b'E' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
        b'F' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000],
        b'G' => [0b01111, 0b10000, 0b10000, 0b10011, 0b10001, 0b10001, 0b01111],
        b'H' => [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        b'I' => [0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        b'K' => [0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001],
        b'L' => [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
        b'M' => [0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001],
        b'N' => [0b10001, 0b11001, 0b11001, 0b10101, 0b10011, 0b10011, 0b10001],
        b'O' => [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        b'R' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
        b'S' => [0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110],
        b'T' => [0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100],
        b'Z' => [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b11111],
        b'U' => [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        b'V' => [0b10001, 0b10001, 0b10001, 0b10001, 0b01010, 0b01010, 0b00100],
        b'0' => [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
        b'1' => [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        b'2' => [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111],
        b'3' => [0b11111, 0b00010, 0b00100, 0b00010, 0b00001, 0b10001, 0b01110],
        b'4' => [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
        b'5' => [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
        b'6' => [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
        b'7' => [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
        b'8' => [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
        b'9' => [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
        _ => [0; HEIGHT],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_symbols_are_alike() {
        let symbols = [
            Symbol::DISC,
            Symbol::CLOCK,
            Symbol::DOTS,
            Symbol::HOURGLASS,
            Symbol::CROSS,
            Symbol::PAUSE,
            Symbol::TRIANGLE,
            Symbol::BAR,
        ];
        for (index, symbol) in symbols.iter().enumerate() {
            assert!(!symbols[..index].contains(symbol));
        }
    }
}
