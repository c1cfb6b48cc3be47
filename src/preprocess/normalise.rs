//! The last step: 8-bit samples to what the network was trained on.

use crate::frame::Rect;
use crate::input::{InputSpec, Normalisation};

/// Normalises an 8-bit picture (`[side_px, side_px, 3]`, red, green, blue) of which `target` is filled and the
/// rest is black, into `out` (`[3, side_px, side_px]`).
///
/// With [`Normalisation::ZScorePerImage`] mean and deviation are those of `target`, and the rest becomes 0.
/// What is missing of a slice that is too short is left as it is.
pub fn normalise(rgb: &[u8], spec: &InputSpec, target: Rect, out: &mut [f32]) {
    let area = area(spec);
    for (index, plane) in out.chunks_exact_mut(area.max(1)).take(3).enumerate() {
        channel::<3>(rgb.get(index..).unwrap_or(&[]), index, spec, target, plane);
    }
}

/// The same for a picture in planes, `[3, side_px, side_px]`.
pub(super) fn normalise_planes(rgb: &[u8], spec: &InputSpec, target: Rect, out: &mut [f32]) {
    let area = area(spec).max(1);
    for (index, (samples, plane)) in
        rgb.chunks_exact(area).zip(out.chunks_exact_mut(area)).take(3).enumerate()
    {
        channel::<1>(samples, index, spec, target, plane);
    }
}

fn area(spec: &InputSpec) -> usize {
    spec.side_px as usize * spec.side_px as usize
}

/// One channel, whose samples are `STEP` bytes apart.
fn channel<const STEP: usize>(samples: &[u8], index: usize, spec: &InputSpec, target: Rect, out: &mut [f32]) {
    match spec.normalisation {
        Normalisation::Fixed { mean, std } => {
            let (mean, std) = (mean.get(index).copied(), std.get(index).copied());
            let (mean, scale) = (mean.unwrap_or(0.0), 1.0 / std.unwrap_or(1.0));
            scaled::<STEP>(samples, mean, scale, out);
        }
        Normalisation::ZScorePerImage => {
            let (mean, deviation) = moments::<STEP>(samples, spec, target);
            let scale = 1.0 / deviation.max(1e-6);
            out.fill(0.0);
            for (from, to) in rows(spec, target) {
                let (Some(row), Some(out)) = (samples.get(from * STEP..), out.get_mut(from..to)) else {
                    continue;
                };
                scaled::<STEP>(row, mean, scale, out);
            }
        }
    }
}

fn scaled<const STEP: usize>(samples: &[u8], mean: f32, scale: f32, out: &mut [f32]) {
    for (out, sample) in out.iter_mut().zip(samples.iter().step_by(STEP)) {
        *out = (f32::from(*sample) - mean) * scale;
    }
}

/// Mean and (population) standard deviation of the samples in `target`; exact sums, so that the order in which
/// they are taken does not matter.
fn moments<const STEP: usize>(samples: &[u8], spec: &InputSpec, target: Rect) -> (f32, f32) {
    let (mut count, mut sum, mut squares) = (0_u64, 0_u64, 0_u64);
    for (from, to) in rows(spec, target) {
        let row = samples.get(from * STEP..).unwrap_or(&[]);
        // A row has at most 8192 samples: 32 bits hold the sum of their squares.
        let (mut row_sum, mut row_squares) = (0_u32, 0_u32);
        for sample in row.iter().step_by(STEP).take(to - from) {
            let sample = u32::from(*sample);
            row_sum += sample;
            row_squares += sample * sample;
        }
        count += (to - from) as u64;
        sum += u64::from(row_sum);
        squares += u64::from(row_squares);
    }
    let count = count.max(1) as f64;
    let mean = sum as f64 / count;
    (mean as f32, (squares as f64 / count - mean * mean).max(0.0).sqrt() as f32)
}

/// The range of places that each row of `target` takes in a plane.
fn rows(spec: &InputSpec, target: Rect) -> impl Iterator<Item = (usize, usize)> {
    let side = spec.side_px as usize;
    let (left, right) = (target.x as usize, (target.x as usize + target.width as usize).min(side));
    let (top, bottom) = (target.y as usize, (target.y as usize + target.height as usize).min(side));
    (top..bottom).filter(move |_| left < right).map(move |y| (y * side + left, y * side + right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;
    use crate::input::Fit;

    const SPEC: InputSpec =
        InputSpec { side_px: 2, fit: Fit::Squash, normalisation: Normalisation::ZScorePerImage };

    #[test]
    fn z_scores_are_per_channel() {
        let rgb = [0, 10, 7, 2, 10, 7, 0, 30, 7, 2, 30, 7];
        let mut out = [9.0; 12];
        normalise(&rgb, &SPEC, Rect::whole(Size::new(2, 2)), &mut out);
        assert_eq!(out, [-1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn black_bars_do_not_count_and_become_zero() {
        let rgb = [10, 10, 10, 30, 30, 30, 0, 0, 0, 0, 0, 0];
        let mut out = [9.0; 12];
        normalise(&rgb, &SPEC, Rect { x: 0, y: 0, width: 2, height: 1 }, &mut out);
        assert_eq!(out, [-1.0, 1.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn fixed_numbers_apply_everywhere() {
        let normalisation = Normalisation::Fixed { mean: [10.0, 20.0, 30.0], std: [2.0, 4.0, 8.0] };
        let spec = InputSpec { normalisation, ..SPEC };
        let mut out = [9.0; 12];
        normalise(&[12; 12], &spec, Rect { x: 0, y: 0, width: 1, height: 1 }, &mut out);
        assert_eq!(out, [1.0, 1.0, 1.0, 1.0, -2.0, -2.0, -2.0, -2.0, -2.25, -2.25, -2.25, -2.25]);
    }

    #[test]
    fn planes_and_pixels_are_the_same_numbers() {
        let pixels: Vec<u8> = (0..12_u8).map(|i| i.wrapping_mul(77)).collect();
        let planes: Vec<u8> = (0..3).flat_map(|c| pixels.iter().copied().skip(c).step_by(3)).collect();
        let (mut of_pixels, mut of_planes) = ([0.0; 12], [0.0; 12]);
        normalise(&pixels, &SPEC, Rect::whole(Size::new(2, 2)), &mut of_pixels);
        normalise_planes(&planes, &SPEC, Rect::whole(Size::new(2, 2)), &mut of_planes);
        assert_eq!(of_pixels, of_planes);
    }
}
