//! What both attentions of a decoder level share: heads and position tables.

use super::{FrameOps, ModelError};

/// The fixed 1-D sinusoid over a token's index: `[tokens, width]`, row by row. Even channels
/// `sin(t / 10000^(c/width))`, odd channels the cosine of the same angle.
pub fn position_table(tokens: usize, width: usize) -> Vec<f32> {
    let mut table = Vec::with_capacity(tokens * width);
    for token in 0..tokens {
        for channel in 0..width {
            let even = (channel / 2 * 2) as f64;
            let angle = token as f64 / 10_000_f64.powf(even / width as f64);
            table.push(if channel % 2 == 0 { angle.sin() } else { angle.cos() } as f32);
        }
    }
    table
}

/// `[B,N,C]` -> `[B,heads,N,C/heads]`.
///
/// # Errors
/// [`ModelError`] when `C` is not a multiple of `heads`.
pub fn split_heads<O: FrameOps>(ops: &O, x: &O::Tensor, heads: usize) -> Result<O::Tensor, ModelError> {
    let (tokens, width) = tokens_and_width(ops, x)?;
    let apart = ops.reshape(x, &[tokens, heads, width / heads])?;
    ops.permute(&apart, &[0, 2, 1, 3])
}

/// `[B,heads,N,d]` -> `[B,N,heads*d]`.
pub(super) fn join_heads<O: FrameOps>(ops: &O, x: &O::Tensor) -> Result<O::Tensor, ModelError> {
    let together = ops.permute(x, &[0, 2, 1, 3])?;
    match *ops.shape(&together).as_slice() {
        [_, tokens, heads, width] => ops.reshape(&together, &[tokens, heads * width]),
        ref other => Err(wrong_rank("join heads", 4, other)),
    }
}

pub(super) fn tokens_and_width<O: FrameOps>(ops: &O, x: &O::Tensor) -> Result<(usize, usize), ModelError> {
    match *ops.shape(x).as_slice() {
        [_, tokens, width] => Ok((tokens, width)),
        ref other => Err(wrong_rank("tokens", 3, other)),
    }
}

pub(super) fn wrong_rank(op: &str, rank: usize, found: &[usize]) -> ModelError {
    ModelError::Shape {
        op: op.to_owned(),
        expected: format!("{rank} axes"),
        found: format!("shape {found:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_alternate_sine_and_cosine() {
        let table = position_table(2, 4);
        let angle = 1.0_f64 / 10_000_f64.powf(0.5);
        let expected = [0.0, 1.0, 0.0, 1.0, 1f64.sin(), 1f64.cos(), angle.sin(), angle.cos()];
        for (found, expected) in table.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
