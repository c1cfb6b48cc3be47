//! Letters made of strokes, at any size, with smooth edges: for the demonstration's side panel and the contact
//! sheet. A font file was the other road; it would need a crate to read it and a licence of its own.
//!
//! Not here: layout beyond one line, and any script but basic Latin; what is unknown is drawn as a box.

/// Units from the top of a capital to the baseline.
const CAP: f32 = 12.0;
/// Units below the baseline that descenders may take.
const DESCENT: f32 = 4.0;
/// Units between letters, and the width of a space beside them.
const GAP: f32 = 3.4;
const SPACE: f32 = 3.2;
/// Units a digit takes, so that figures below each other line up.
const DIGIT: f32 = 6.0;
/// Straight pieces per piece of a curve.
const PIECES: u8 = 6;

/// The strokes of a letter: points as pairs of base-36 digits (x, then y from the top of a capital), strokes
/// apart by blanks, `~` before one that is a curve through its points.
#[rustfmt::skip]
fn strokes(letter: char) -> &'static str {
    match letter {
        ' ' => "",
        'A' => "0c408c 1979",
        'B' => "0c0050 ~50717556 0656 ~5677897b5c 0c5c",
        'C' => "~83714012061a4c7b89",
        'D' => "0c0040 ~4072867a4c 0c4c",
        'E' => "70000c7c 0666",
        'F' => "70000c 0666",
        'G' => "~83714012061a4c7b8a 8a8757",
        'H' => "000c 808c 0686",
        'I' => "0040 202c 0c4c",
        'J' => "6069 ~695b3c1b09",
        'K' => "000c 8007 348c",
        'L' => "000c7c",
        'M' => "0c0047808c",
        'N' => "0c008c80",
        'O' => "~4072867a4c1a061240",
        'P' => "0c0050 ~50717657 0757",
        'Q' => "~4072867a4c1a061240 598c",
        'R' => "0c0050 ~50717657 0757 478c",
        'S' => "~8371401103154677897b4c1b09",
        'T' => "0080 404c",
        'U' => "0008 ~081b4c7b88 8880",
        'V' => "004c80",
        'W' => "002c528ca0",
        'X' => "008c 800c",
        'Y' => "004680 464c",
        'Z' => "00800c8c",
        'a' => "~3455685b3c1b081534 646c",
        'b' => "~3455685b3c1b081534 000c",
        'c' => "~653415081b3c6b",
        'd' => "~3455685b3c1b081534 606c",
        'e' => "0868 ~68553415081b3c6b",
        'f' => "~503123 232c 0444",
        'g' => "~3455685b3c1b081534 646d ~6d5f3g0f",
        'h' => "000c ~0715345567 676c",
        'i' => "040c 0101",
        'j' => "242d ~2d1f0g 2121",
        'k' => "000c 6409 276c",
        'l' => "000c",
        'm' => "040c ~0715344557 575c ~57658495a7 a7ac",
        'n' => "040c ~0715345567 676c",
        'o' => "~3455685b3c1b081534",
        'p' => "~3455685b3c1b081534 040g",
        'q' => "~3455685b3c1b081534 646g",
        'r' => "040c ~07153444",
        's' => "~5534140617495a4c2c0b",
        't' => "212a ~2a3c5c 0454",
        'u' => "0409 ~091b3c5b69 646c",
        'v' => "043c64",
        'w' => "042c456c84",
        'x' => "046c 640c",
        'y' => "043c 643c1g",
        'z' => "04640c6c",
        '0' => "~3052665a3c1a061230",
        '1' => "22404c",
        '2' => "~0311305163560c 0c6c",
        '3' => "~023051635536 ~3657695b3c1b0a",
        '4' => "5c500868",
        '5' => "601005 ~053455685b3c0b",
        '6' => "~5130120608 ~3556685b3c1b081635",
        '7' => "00602c",
        '8' => "~305163553615031130 ~3657695b3c1b091736",
        '9' => "~305164563716041130 ~64665a3c1b",
        '.' => "0c0c",
        ',' => "1c0e",
        ':' => "0505 0c0c",
        ';' => "1515 1c0e",
        '!' => "0008 0c0c",
        '?' => "~02112041535437 3738 3c3c",
        '-' => "0747",
        '–' => "0777",
        '/' => "600c",
        '(' => "~2004092d",
        ')' => "~0024290d",
        '%' => "~2042240220 ~88aa8c6a88 901c",
        '+' => "0767 343a",
        '=' => "0565 0969",
        '\'' => "0003",
        '"' => "0003 3033",
        '·' => "0707",
        '×' => "056b 650b",
        '<' => "64076a",
        '>' => "04670a",
        '_' => "0d6d",
        _ => "00606c0c00",
    }
}

/// How a line of text is written.
#[derive(Clone, Copy, Debug)]
pub struct Lettering {
    /// Height of a capital, in pixels.
    pub cap_px: f32,
    /// Width of the strokes, in pixels.
    pub weight_px: f32,
}

type Point = (f32, f32);

impl Lettering {
    /// Letters of that capital height (pixels), of ordinary weight.
    pub fn plain(cap_px: f32) -> Self {
        Self { cap_px, weight_px: (cap_px * 0.11).max(1.1) }
    }

    /// The same, bolder.
    pub fn bold(cap_px: f32) -> Self {
        Self { cap_px, weight_px: (cap_px * 0.17).max(1.6) }
    }

    /// The width of `text`, in pixels.
    pub fn width(&self, text: &str) -> f32 {
        let units: f32 = text.chars().map(|letter| advance(letter) + GAP).sum();
        ((units - GAP).max(0.0)) * self.cap_px / CAP + self.weight_px
    }

    /// Writes `text` as [`Self::draw`] does, in the colour `ink`, on a picture of `width` columns: red, green, blue, row by
    /// row. What falls outside is left out.
    pub fn draw_rgb(&self, text: &str, (x, y): (u32, u32), ink: [u8; 3], rgb: &mut [u8], width: u32) {
        let (pixels, _) = rgb.as_chunks_mut::<3>();
        self.draw(text, x as f32, y as f32, |x, y, covered| {
            let place = y as usize * width as usize + x as usize;
            let Some(pixel) = pixels.get_mut(place).filter(|_| x < width) else { return };
            for (under, ink) in pixel.iter_mut().zip(ink) {
                let below = f32::from(*under);
                *under = (below + (f32::from(ink) - below) * covered) as u8;
            }
        });
    }

    /// Writes `text` with the upper left corner of its first capital at (`x`, `y`), in pixels: calls `put` with
    /// column, row and how much of that pixel is covered (above 0, at most 1).
    pub fn draw(&self, text: &str, x: f32, y: f32, mut put: impl FnMut(u32, u32, f32)) {
        let unit = self.cap_px / CAP;
        let radius = self.weight_px / 2.0;
        let mut left = x + radius;
        for letter in text.chars() {
            let place = |(px, py): Point| (left + px * unit, y + py * unit);
            let lines: Vec<(Point, Point)> =
                lines(strokes(letter)).into_iter().map(|(from, to)| (place(from), place(to))).collect();
            self.letter(&lines, (left, y), advance(letter) * unit, &mut put);
            left += (advance(letter) + GAP) * unit;
        }
    }

    /// One letter, each of its pixels once.
    fn letter(
        &self,
        lines: &[(Point, Point)],
        (left, top): Point,
        width: f32,
        put: &mut impl FnMut(u32, u32, f32),
    ) {
        let radius = self.weight_px / 2.0;
        let margin = radius + 1.0;
        let bottom = top + self.cap_px * (CAP + DESCENT) / CAP;
        let pixels = |from: f32, to: f32| {
            (from - margin).floor().max(0.0) as u32..(to + margin).ceil().max(0.0) as u32
        };
        for row in pixels(top, bottom) {
            for column in pixels(left, left + width) {
                let centre = (column as f32 + 0.5, row as f32 + 0.5);
                let nearest = lines.iter().map(|line| distance(centre, *line)).fold(f32::MAX, f32::min);
                let covered = (radius + 0.5 - nearest).clamp(0.0, 1.0);
                if covered > 0.0 {
                    put(column, row, covered);
                }
            }
        }
    }
}

/// The width of a letter in units, without the gap.
fn advance(letter: char) -> f32 {
    if letter == ' ' {
        return SPACE;
    }
    if letter.is_ascii_digit() {
        return DIGIT;
    }
    points(strokes(letter)).map(|(x, _)| x).fold(0.0, f32::max)
}

fn points(text: &str) -> impl Iterator<Item = Point> {
    let digits: Vec<f32> = text.chars().filter_map(|c| c.to_digit(36)).map(|d| d as f32).collect();
    (0..digits.len() / 2).map(move |i| (digits[2 * i], digits[2 * i + 1]))
}

/// The straight pieces of all strokes, in units.
fn lines(strokes: &str) -> Vec<(Point, Point)> {
    let mut lines = Vec::new();
    for stroke in strokes.split(' ') {
        let points: Vec<Point> = points(stroke).collect();
        for (index, pair) in points.windows(2).enumerate() {
            let &[from, to] = pair else { continue };
            if !stroke.starts_with('~') {
                lines.push((from, to));
                continue;
            }
            let closed = points.first() == points.last();
            let (before, after) = neighbours(&points, index, closed);
            let mut last = from;
            for piece in 1..=PIECES {
                let next = curve(before, from, to, after, f32::from(piece) / f32::from(PIECES));
                lines.push((last, next));
                last = next;
            }
        }
    }
    lines
}

/// The points before and after the pair that begins at `index`; beyond the ends of an open curve, the ends.
fn neighbours(points: &[Point], index: usize, closed: bool) -> (Point, Point) {
    let count = points.len();
    let at = |i: usize| points.get(i).copied().unwrap_or_default();
    let before = match index {
        0 if closed => at(count - 2),
        0 => at(0),
        _ => at(index - 1),
    };
    let after = match index + 2 {
        i if i < count => at(i),
        _ if closed => at(1),
        _ => at(count - 1),
    };
    (before, after)
}

/// Catmull and Rom's curve from `b` (`t` = 0) to `c` (`t` = 1).
fn curve(a: Point, b: Point, c: Point, d: Point, t: f32) -> Point {
    let one = |a: f32, b: f32, c: f32, d: f32| {
        let (t2, t3) = (t * t, t * t * t);
        0.5 * (2.0 * b
            + (c - a) * t
            + (2.0 * a - 5.0 * b + 4.0 * c - d) * t2
            + (3.0 * b - a - 3.0 * c + d) * t3)
    };
    (one(a.0, b.0, c.0, d.0), one(a.1, b.1, c.1, d.1))
}

/// The distance of `point` from a straight piece.
fn distance((x, y): Point, ((x0, y0), (x1, y1)): (Point, Point)) -> f32 {
    let (dx, dy) = (x1 - x0, y1 - y0);
    let length = dx * dx + dy * dy;
    let t = if length > 0.0 { (((x - x0) * dx + (y - y0) * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    (x - x0 - t * dx).hypot(y - y0 - t * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:;!?-–/()%+='\"·×<>_";

    #[test]
    fn every_known_letter_is_drawn_and_is_itself() {
        let mut seen = std::collections::BTreeMap::new();
        for letter in KNOWN.chars() {
            let mut drawn = Vec::new();
            Lettering::plain(24.0).draw(&letter.to_string(), 4.0, 4.0, |x, y, _| drawn.push((x, y)));
            assert!(!drawn.is_empty(), "{letter}");
            let other = seen.insert(drawn, letter);
            assert!(other.is_none(), "{letter} looks like {other:?}");
        }
    }

    #[test]
    fn a_line_stays_within_its_width() {
        for lettering in [Lettering::plain(18.0), Lettering::bold(18.0)] {
            let mut right = 0;
            lettering.draw(KNOWN, 10.0, 3.0, |x, _, covered| {
                assert!(x >= 9 && covered > 0.0 && covered <= 1.0);
                right = right.max(x);
            });
            let end = 10.0 + lettering.width(KNOWN);
            assert!((right as f32) < end + 1.0 && (right as f32) > end - 8.0, "{right} {end}");
        }
    }

    #[test]
    fn figures_line_up() {
        let lettering = Lettering::plain(20.0);
        assert_eq!(lettering.width("111"), lettering.width("808"));
    }

    #[test]
    fn ink_is_laid_over_the_picture_and_never_beyond_its_edge() {
        let (width, height) = (40, 20);
        let mut picture = vec![10; 3 * width * height];
        Lettering::plain(12.0).draw_rgb("IIIIIIIIIIII", (2, 3), [210, 110, 10], &mut picture, 40);
        let pixels = picture.as_chunks::<3>().0;
        assert!(pixels.contains(&[210, 110, 10]), "nowhere fully covered");
        assert!(pixels.iter().all(|[red, green, blue]| *red >= *green && *green >= 10 && *blue == 10));
        // The line is longer than the picture: nothing of it comes round at the left.
        assert!((0..height).all(|y| pixels[y * width] == [10; 3]));
    }
}
