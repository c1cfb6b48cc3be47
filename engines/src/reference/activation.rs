//! Functions of one value, in float64.

use std::f64::consts::{PI, SQRT_2};

/// `x * (1 + erf(x / sqrt 2)) / 2`.
pub(super) fn gelu(x: f32) -> f32 {
    let x = f64::from(x);
    (x * 0.5 * (1.0 + erf(x / SQRT_2))) as f32
}

/// `ln(1 + e^x)`, without overflow.
pub(super) fn softplus(x: f32) -> f32 {
    let x = f64::from(x);
    (x.max(0.0) + (-x.abs()).exp().ln_1p()) as f32
}

/// The error function: its Taylor series near zero, the continued fraction of its complement further out
/// (Abramowitz and Stegun 7.1.5 and 7.1.14). Good to 1e-12, which the tests check; the usual five-coefficient
/// formula is not better than float32 itself.
fn erf(x: f64) -> f64 {
    const TERMS: u32 = 60;
    let magnitude = x.abs();
    let value = if magnitude < 2.5 {
        let square = x * x;
        let (mut term, mut sum) = (magnitude, magnitude);
        for n in 1..TERMS {
            term *= -square / f64::from(n);
            sum += term / f64::from(2 * n + 1);
            if term.abs() < 1e-17 {
                break;
            }
        }
        2.0 / PI.sqrt() * sum
    } else if magnitude < 6.0 {
        let fraction = (1..TERMS).rev().fold(0.0, |tail, n| f64::from(n) / 2.0 / (magnitude + tail));
        1.0 - (-x * x).exp() / PI.sqrt() / (magnitude + fraction)
    } else {
        1.0
    };
    value.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_at_known_places() {
        // Abramowitz and Stegun, table 7.1, and the complement at 3 and 4.
        let known = [
            (0.0, 0.0),
            (0.1, 0.112_462_916_018_284_9),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (2.4, 0.999_311_486_103_354_9),
            (2.5, 0.999_593_047_982_555),
            (3.0, 1.0 - 2.209_049_699_858_544e-5),
            (4.0, 1.0 - 1.541_725_790_028_002e-8),
            (9.0, 1.0),
        ];
        for (x, value) in known {
            assert!((erf(x) - value).abs() < 1e-12, "{x}: {} {value}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
    }

    #[test]
    fn the_two_forms_meet() {
        assert!((erf(2.5 - 1e-13) - erf(2.5)).abs() < 1e-12);
        assert!((erf(6.0 - 1e-13) - erf(6.0)).abs() < 1e-12);
    }

    #[test]
    fn soft_steps() {
        assert_eq!(gelu(0.0), 0.0);
        assert!((gelu(1.0) - 0.841_344_8).abs() < 1e-7);
        assert!((gelu(-10.0)).abs() < 1e-12);
        assert_eq!(softplus(1000.0), 1000.0);
        assert!((softplus(0.0) - 2_f32.ln()).abs() < 1e-7);
        assert!(softplus(-50.0) > 0.0);
    }
}
