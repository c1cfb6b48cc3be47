//! The state space mixer can not be written as ONNX, so its other side is the description itself: seven steps in
//! plain float64 loops, from the numbered list in the network's description and from nothing else in the
//! workspace.

use std::sync::Arc;

use polyp::model::{PROMPT_TOKENS, SsMix};
use polyp_engine::reference::ReferenceOps;
use polyp_engine::weights::Weights;

use super::{random, roughened};

const STATES: usize = 16;

type Rows = Vec<Vec<f64>>;

/// `x` `[L,I]` times the transpose of the weight `name` `[O,I]`.
fn linear(weights: &Weights, name: &str, x: &Rows) -> Rows {
    let weight = weights.named(&format!("mix.{name}")).unwrap();
    let width = weight.shape[1];
    let row = |x: &Vec<f64>| {
        assert_eq!(x.len(), width, "{name}");
        let each = |w: &[f32]| w.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum();
        weight.values.chunks(width).map(each).collect()
    };
    x.iter().map(row).collect()
}

fn values(weights: &Weights, name: &str) -> Vec<f64> {
    let array = weights.named(&format!("mix.{name}")).unwrap();
    array.values.iter().map(|&value| f64::from(value)).collect()
}

fn softplus(x: f64) -> f64 {
    x.exp().ln_1p()
}

/// A depthwise convolution over tokens, kernel 4, one before and two after, then the hyperbolic tangent.
fn convolve(weights: &Weights, name: &str, x: &Rows) -> Rows {
    let kernel = values(weights, name);
    let at = |token: isize, channel: usize| {
        usize::try_from(token).ok().and_then(|token| x.get(token)).map_or(0.0, |row| row[channel])
    };
    let cell = |token: usize, channel: usize| {
        let taps =
            (0..4).map(|tap| kernel[4 * channel + tap] * at(token as isize + tap as isize - 1, channel));
        taps.sum::<f64>().tanh()
    };
    (0..x.len()).map(|token| (0..x[0].len()).map(|channel| cell(token, channel)).collect()).collect()
}

fn mix(weights: &Weights, input: &Rows, tokens: usize, double_bias: bool) -> Rows {
    let inner = input[0].len() / 2;
    let rank = input[0].len().div_ceil(16);
    // 1 and 2.
    let both = linear(weights, "in_proj.weight", input);
    let part = |from: usize| both.iter().map(|row| row[from..from + inner].to_vec()).collect::<Rows>();
    let x = convolve(weights, "conv_x.weight", &part(0));
    let z = convolve(weights, "conv_z.weight", &part(inner));
    // 3 and 4.
    let selected = linear(weights, "x_proj.weight", &x);
    let low = selected.iter().map(|row| row[..rank].to_vec()).collect();
    let bias = values(weights, "dt_proj.bias");
    let times = if double_bias { 2.0 } else { 1.0 };
    let steps = linear(weights, "dt_proj.weight", &low);
    // 5.
    let (a_log, d) = (values(weights, "A_log"), values(weights, "D"));
    let mut joined = Rows::new();
    let mut h = vec![[0.0_f64; STATES]; inner];
    for token in 0..input.len() {
        let mut row = Vec::new();
        for i in 0..inner {
            let step = softplus(steps[token][i] + times * bias[i]);
            let mut y = d[i] * x[token][i];
            for s in 0..STATES {
                let (b, c) = (selected[token][rank + s], selected[token][rank + STATES + s]);
                let a = -a_log[i * STATES + s].exp();
                h[i][s] = (step * a).exp() * h[i][s] + step * b * x[token][i];
                y += c * h[i][s];
            }
            row.push(y);
        }
        // 6.
        row.extend(&z[token]);
        joined.push(row);
    }
    // 7.
    let weight = values(weights, "token_proj.weight");
    let cell = |token: usize, channel: usize| {
        (0..input.len()).map(|from| weight[token * input.len() + from] * joined[from][channel]).sum()
    };
    (0..tokens).map(|token| (0..2 * inner).map(|channel| cell(token, channel)).collect()).collect()
}

#[test]
fn ssmix() {
    for (width, tokens, double_bias) in [(32, 24, true), (40, 9, true), (40, 12, false)] {
        let block = SsMix::new("mix", width, tokens, double_bias);
        let weights = roughened(&block.params(), 20);
        // Two prompts: the second one must not see the first one's states.
        let input = random(&[2, PROMPT_TOKENS, width], 21);
        let found = block.forward(&ReferenceOps::new(&weights), &Arc::new(input.clone())).unwrap();
        assert_eq!(found.shape, [2, tokens, width]);
        let prompts = input.values.chunks(PROMPT_TOKENS * width).zip(found.values.chunks(tokens * width));
        for (input, found) in prompts {
            let rows = input.chunks(width).map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect();
            let expected: Vec<f64> = mix(&weights, &rows, tokens, double_bias).concat();
            let largest = expected.iter().map(|value| value.abs()).fold(0.0, f64::max);
            let pairs = expected.iter().zip(found);
            let furthest = pairs.map(|(a, b)| (a - f64::from(*b)).abs()).fold(0.0, f64::max);
            println!("ssmix {width} {tokens} {double_bias}: furthest {furthest:e} of {largest}");
            assert!(furthest <= 1e-5 * largest, "{furthest} of {largest}");
        }
    }
}
