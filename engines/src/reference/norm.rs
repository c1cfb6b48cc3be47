//! Normalisations and the softmax, summed in float64.

use rayon::prelude::*;

/// Every row of `width` values: mean 0, variance 1, then scaled and shifted.
pub(super) fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f64) -> Vec<f32> {
    let width = weight.len().max(1);
    let mut y = x.to_vec();
    y.par_chunks_mut(width).for_each(|row| {
        let mean = row.iter().copied().map(f64::from).sum::<f64>() / width as f64;
        let variance = row.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / width as f64;
        let scale = 1.0 / (variance + epsilon).sqrt();
        for ((value, &weight), &bias) in row.iter_mut().zip(weight).zip(bias) {
            let normal = (f64::from(*value) - mean) * scale;
            *value = normal.mul_add(f64::from(weight), f64::from(bias)) as f32;
        }
    });
    y
}

/// What a batch normalisation does to a channel: `x * scale + shift`.
pub(super) fn batch_norm_line([weight, bias, mean, variance]: [f32; 4], epsilon: f64) -> (f64, f64) {
    let scale = f64::from(weight) / (f64::from(variance) + epsilon).sqrt();
    (scale, f64::from(bias) - f64::from(mean) * scale)
}

/// The softmax of `scale * row`, in place, for every row of `width` values.
pub(super) fn softmax(x: &mut [f32], width: usize, scale: f64) {
    for row in x.chunks_mut(width.max(1)) {
        let largest = row.iter().map(|&v| scale * f64::from(v)).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|&v| (scale * f64::from(v) - largest).exp()).sum();
        for value in row {
            *value = ((scale * f64::from(*value) - largest).exp() / sum) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f32], expected: &[f32]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn rows_by_hand() {
        near(&layer_norm(&[1.0, 3.0, 5.0, 5.0], &[1.0, 2.0], &[0.0, 1.0], 0.0), &[-1.0, 3.0]);
        near(&layer_norm(&[5.0, 5.0], &[1.0, 2.0], &[0.5, 1.0], 1e-5), &[0.5, 1.0]);
        let (scale, shift) = batch_norm_line([2.0, 1.0, 3.0, 4.0], 0.0);
        assert_eq!((scale, shift), (1.0, -2.0));
    }

    #[test]
    fn shares_add_up_even_for_large_values() {
        let mut x = [1000.0, 1000.0, 0.0, 2_f32.ln()];
        softmax(&mut x, 2, 1.0);
        near(&x, &[0.5, 0.5, 1.0 / 3.0, 2.0 / 3.0]);
        let mut x = [0.0, 2.0 * 3_f32.ln()];
        softmax(&mut x, 2, 0.5);
        near(&x, &[0.25, 0.75]);
    }
}
