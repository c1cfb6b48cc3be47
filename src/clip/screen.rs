//! The screen around the endoscope's picture: black borders, cut corners and a panel of text, as endoscopy
//! processors put them out.

use crate::frame::{Rect, Size};
use crate::lettering::Lettering;

/// Where things lie on the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Screen {
    /// The whole frame, in pixels; even sides.
    pub(super) size: Size,
    /// The endoscope's picture; even corners and sides.
    pub(super) window: Rect,
    /// How far the window's corners are cut, along both sides, in pixels.
    pub(super) cut_px: u32,
}

/// The window's width by its height, the stills' own.
const ASPECT: f32 = 1.17;
/// The widest that a window is, as a share of the frame: the panel needs the rest.
const WIDEST: f32 = 0.7;
/// What is left free above and below the window, as a share of the frame's height.
const MARGIN: f32 = 0.025;
/// How far corners are cut, as a share of the window's height.
const CUT: f32 = 0.2;

impl Screen {
    /// The screen of a frame of that size.
    pub(super) fn new(size: Size) -> Self {
        let even = |length: f32| ((length / 2.0).round() as u32).max(1) * 2;
        let margin = even(size.height as f32 * MARGIN);
        let height = (size.height.saturating_sub(2 * margin)).max(2) & !1;
        let width = even((height as f32 * ASPECT).min(size.width as f32 * WIDEST)).min(size.width & !1);
        let x = size.width.saturating_sub(width).saturating_sub(margin.min(size.width - width)) & !1;
        let window = Rect { x, y: margin.min(size.height - height), width, height };
        Self { size, window, cut_px: (height as f32 * CUT) as u32 }
    }

    /// The columns of the window (from its own left) that row `row` (from its own top) shows.
    pub(super) fn columns(&self, row: u32) -> std::ops::Range<u32> {
        let from_edge = row.min((self.window.height - 1).saturating_sub(row));
        let cut = self.cut_px.saturating_sub(from_edge).min(self.window.width / 2);
        cut..self.window.width - cut
    }

    /// Writes `lines` into the panel left of the window: `put` is called with column, row and how much of that
    /// pixel is covered. The first line is bold.
    pub(super) fn write(&self, lines: &[&str], mut put: impl FnMut(u32, u32, f32)) {
        let cap = self.size.height as f32 / 48.0;
        let left = self.size.height as f32 * MARGIN * 1.5;
        // Below the corner in which the overlay's badge stands.
        let mut top = self.size.height as f32 * 0.3;
        for (index, line) in lines.iter().enumerate() {
            let lettering = if index == 0 { Lettering::bold(cap) } else { Lettering::plain(cap) };
            lettering.draw(line, left, top, |x, y, covered| {
                if x < self.window.x && y < self.size.height {
                    put(x, y, covered);
                }
            });
            top += cap * if index == 0 { 2.8 } else { 2.1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_even_and_inside_at_every_size() {
        for (width, height) in [(1920, 1080), (1280, 720), (3840, 2160), (640, 480), (64, 64), (720, 1280)] {
            let size = Size::new(width, height);
            let Screen { window, .. } = Screen::new(size);
            assert!(window.fits(size), "{size}: {window}");
            let sides = [window.x, window.y, window.width, window.height];
            assert!(sides.iter().all(|side| side % 2 == 0), "{size}: {window}");
        }
    }

    #[test]
    fn corners_are_cut_evenly() {
        let screen = Screen::new(Size::new(1920, 1080));
        let Rect { width, height, .. } = screen.window;
        assert_eq!(screen.columns(0), screen.cut_px..width - screen.cut_px);
        assert_eq!(screen.columns(0), screen.columns(height - 1));
        assert_eq!(screen.columns(height / 2), 0..width);
    }

    #[test]
    fn the_panel_stays_beside_the_picture() {
        let screen = Screen::new(Size::new(1280, 720));
        let mut written = 0;
        screen.write(
            &["ANIMATED STILLS", "a line that is far too long for the panel that it stands in"],
            |x, _, _| {
                assert!(x < screen.window.x);
                written += 1;
            },
        );
        assert!(written > 500);
    }
}
