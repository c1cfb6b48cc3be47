//! Scaled dot-product attention.

use rayon::prelude::*;

use super::matmul::{matmul, transpose};
use super::norm::softmax;
use crate::weights::Array;

/// `softmax(scale * q k^T) v`: queries `[B,heads,N,d]`, keys and values `[B or 1,heads,M,d]`, checked before.
pub(super) fn attention(query: &Array, key: &Array, value: &Array, scale: f64) -> Vec<f32> {
    let [batch, heads, queries, width] = *query.shape.as_slice() else { return Vec::new() };
    let [memories, _, keys, _] = *key.shape.as_slice() else { return Vec::new() };
    let head = |index: usize| {
        // One memory serves the whole batch.
        let other = if memories == 1 { index % heads } else { index };
        let one = |x: &Array, index: usize, rows: usize| {
            x.values[index * rows * width..(index + 1) * rows * width].to_vec()
        };
        let turned = transpose(&one(key, other, keys), width);
        let mut shares = matmul(&one(query, index, queries), &turned, width, keys);
        softmax(&mut shares, keys, scale);
        matmul(&shares, &one(value, other, keys), keys, width)
    };
    (0..batch * heads).into_par_iter().map(head).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: &[usize], values: &[f32]) -> Array {
        Array::new(shape.to_vec(), values.to_vec()).unwrap()
    }

    #[test]
    fn equal_keys_give_the_mean() {
        let key = array(&[1, 1, 2, 1], &[1.0, 1.0]);
        let value = array(&[1, 1, 2, 1], &[2.0, 6.0]);
        let query = array(&[2, 1, 1, 1], &[3.0, -1.0]);
        assert_eq!(attention(&query, &key, &value, 1.0), [4.0, 4.0]);
    }

    #[test]
    fn a_strong_key_wins_in_its_own_head() {
        let key = array(&[1, 2, 2, 1], &[100.0, 0.0, 0.0, 100.0]);
        let value = array(&[1, 2, 2, 1], &[1.0, 2.0, 3.0, 4.0]);
        let query = array(&[1, 2, 1, 1], &[1.0, 1.0]);
        assert_eq!(attention(&query, &key, &value, 1.0), [1.0, 4.0]);
    }
}
