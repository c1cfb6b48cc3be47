//! The selective scan, token after token, with float64 states.

use polyp::model::ScanInputs;

use super::Tensor;

/// `h[i,s] = exp(-step[i] exp(a_log[i,s])) h[i,s] + step[i] b[s] x[i]`; `y[i] = sum_s c[s] h[i,s] + d[i] x[i]`.
/// `x` and `step` are `[P,L,I]`, `b` and `c` `[P,L,S]`, `a_log` `[I,S]`, `d` `[I]`, checked before.
pub(super) fn selective_scan(inputs: &ScanInputs<'_, Tensor>, a_log: &[f32], d: &[f32]) -> Vec<f32> {
    let inner = d.len();
    let states = a_log.len() / inner.max(1);
    let tokens = inputs.x.shape.get(1).copied().unwrap_or(0);
    let decay: Vec<f64> = a_log.iter().map(|&value| -f64::from(value).exp()).collect();
    let mut y = Vec::with_capacity(inputs.x.values.len());
    let mut memory = vec![0.0_f64; inner * states];
    let rows = inputs.x.values.chunks(inner).zip(inputs.step.values.chunks(inner));
    let rows = rows.zip(inputs.b.values.chunks(states).zip(inputs.c.values.chunks(states)));
    for (token, ((x, step), (b, c))) in rows.enumerate() {
        if token % tokens == 0 {
            memory.fill(0.0);
        }
        for channel in 0..inner {
            let (x, step) = (f64::from(x[channel]), f64::from(step[channel]));
            let own = channel * states..(channel + 1) * states;
            let mut sum = f64::from(d[channel]) * x;
            for (state, (h, &decay)) in memory[own.clone()].iter_mut().zip(&decay[own]).enumerate() {
                *h = (step * decay).exp() * *h + step * f64::from(b[state]) * x;
                sum += f64::from(c[state]) * *h;
            }
            y.push(sum as f32);
        }
    }
    y
}

/// Every channel of `[P,L,C]` convolved over its tokens with its own kernel `[C,1,k]`, zeros around:
/// `(k-1)/2` before and `k/2` after.
pub(super) fn convolve_tokens(x: &[f32], tokens: usize, weight: &[f32], kernel: usize) -> Vec<f32> {
    let channels = weight.len() / kernel.max(1);
    let before = (kernel - 1) / 2;
    let mut y = Vec::with_capacity(x.len());
    for prompt in x.chunks(tokens * channels) {
        for token in 0..tokens {
            for channel in 0..channels {
                let taps = (0..kernel).filter_map(|tap| {
                    let from = (token + tap).checked_sub(before).filter(|&from| from < tokens)?;
                    let (value, weight) = (prompt[from * channels + channel], weight[channel * kernel + tap]);
                    Some(f64::from(value) * f64::from(weight))
                });
                y.push(taps.sum::<f64>() as f32);
            }
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::weights::Array;

    fn tensor(shape: &[usize], values: &[f32]) -> Tensor {
        Arc::new(Array::new(shape.to_vec(), values.to_vec()).unwrap())
    }

    #[test]
    fn a_scan_by_hand() {
        // One channel, one state, A = -1, step ln 2: the state halves at every token. Two prompts, both from 0.
        let step = 2_f32.ln();
        let inputs = ScanInputs {
            x: &tensor(&[2, 2, 1], &[1.0, 0.0, 0.0, 1.0]),
            step: &tensor(&[2, 2, 1], &[step; 4]),
            b: &tensor(&[2, 2, 1], &[1.0; 4]),
            c: &tensor(&[2, 2, 1], &[2.0; 4]),
        };
        let y = selective_scan(&inputs, &[0.0], &[10.0]);
        let expected = [2.0 * step + 10.0, step, 0.0, 2.0 * step + 10.0];
        for (found, expected) in y.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{y:?}");
        }
    }

    #[test]
    fn four_taps_see_one_token_back_and_two_ahead() {
        let y = convolve_tokens(&[1.0, 2.0, 3.0, 4.0], 4, &[1000.0, 100.0, 10.0, 1.0], 4);
        assert_eq!(y, [123.0, 1234.0, 2340.0, 3400.0]);
    }
}
