//! How a still moves: slow sines and a small tremor, the same every time.

use std::f32::consts::TAU;

/// Where a point of the screen's window lies in a still, both in pixels from their centres:
/// `still = matrix * window + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Motion {
    /// Rows of a rotation divided by the zoom.
    pub(super) matrix: [[f32; 2]; 2],
    /// In still pixels.
    pub(super) offset: [f32; 2],
}

/// The least zoom: the still covers the window and a little more.
const ZOOM: f32 = 1.14;
/// How far the zoom swings, as a factor.
const BREATH: f32 = 0.06;
/// How far the still swings, as a share of its height.
const SWING: f32 = 0.028;
/// How far it trembles, as a share of its height.
const TREMOR: f32 = 0.006;
/// How far it turns, in radians (3 degrees).
const TURN: f32 = 0.052;

impl Motion {
    /// The motion of picture number `picture` of `height_px` rows, `seconds` after it appeared.
    pub(super) fn at(picture: usize, height_px: f32, seconds: f32) -> Self {
        // Steps of the golden ratio spread the phases of the pictures evenly.
        let phase = |step: u16| (picture as f32 * 0.618_034 + f32::from(step) * 0.37).fract() * TAU;
        let wave = |hertz: f32, step: u16| (seconds * hertz * TAU + phase(step)).sin();
        let zoom = ZOOM * (1.0 + BREATH * wave(0.11, 0));
        let (sin, cos) = (TURN * wave(0.13, 1)).sin_cos();
        let (sin, cos) = (sin / zoom, cos / zoom);
        let x = SWING * wave(0.19, 2) + TREMOR * wave(0.83, 3);
        let y = SWING * wave(0.15, 4) + TREMOR * wave(0.97, 5);
        Self { matrix: [[cos, -sin], [sin, cos]], offset: [x * height_px, y * height_px] }
    }

    /// The still's point that is seen at a point of the window; both from their centres.
    pub(super) fn apply(&self, x: f32, y: f32) -> (f32, f32) {
        let [[a, b], [c, d]] = self.matrix;
        (a * x + b * y + self.offset[0], c * x + d * y + self.offset[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_smooth_and_never_stands_still() {
        for picture in 0..12 {
            for frame in 0..300_u16 {
                let at =
                    |frame: u16| Motion::at(picture, 1000.0, f32::from(frame) / 30.0).apply(300.0, 400.0);
                let ((x0, y0), (x1, y1)) = (at(frame), at(frame + 1));
                let moved = (x1 - x0).hypot(y1 - y0);
                // Of a picture 1000 pixels high, at 30 frames a second.
                assert!(moved > 1e-4 && moved < 6.0, "picture {picture}, frame {frame}: {moved} px");
            }
        }
    }

    #[test]
    fn pictures_move_differently() {
        assert_ne!(Motion::at(0, 1000.0, 1.0), Motion::at(1, 1000.0, 1.0));
    }
}
