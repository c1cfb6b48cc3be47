//! Matrix products.

use rayon::prelude::*;

/// Rows of the result that one task makes.
const ROWS: usize = 16;
/// Columns that are summed at once: few enough that their sums stay in the first-level cache.
const COLUMNS: usize = 128;

/// `[rows, inner]` times `[inner, columns]`, both row-major; summed in float64.
pub(super) fn matmul(a: &[f32], b: &[f32], inner: usize, columns: usize) -> Vec<f32> {
    let rows = a.len().checked_div(inner).unwrap_or(0);
    let mut out = vec![0.0; rows * columns];
    if out.is_empty() {
        return out;
    }
    out.par_chunks_mut(ROWS * columns).zip(a.par_chunks(ROWS * inner)).for_each(|(out, a)| {
        for first in (0..columns).step_by(COLUMNS) {
            let end = columns.min(first + COLUMNS);
            for (out, a) in out.chunks_mut(columns).zip(a.chunks(inner)) {
                sum_columns(&mut out[first..end], a, b, columns, first);
            }
        }
    });
    out
}

/// One row of the result, from column `first` on.
fn sum_columns(out: &mut [f32], a: &[f32], b: &[f32], columns: usize, first: usize) {
    let mut sums = [0.0_f64; COLUMNS];
    let sums = &mut sums[..out.len()];
    for (&factor, row) in a.iter().zip(b.chunks_exact(columns)) {
        let factor = f64::from(factor);
        for (sum, &value) in sums.iter_mut().zip(&row[first..]) {
            *sum += factor * f64::from(value);
        }
    }
    for (value, sum) in out.iter_mut().zip(sums) {
        *value = *sum as f32;
    }
}

/// `[rows, columns]` to `[columns, rows]`.
pub(super) fn transpose(x: &[f32], columns: usize) -> Vec<f32> {
    let rows = x.len().checked_div(columns).unwrap_or(0);
    let mut out = Vec::with_capacity(x.len());
    for column in 0..columns {
        out.extend((0..rows).map(|row| x[row * columns + column]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_products() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0, 0.0, -1.0, 2.0, 0.5, 1.0];
        assert_eq!(matmul(&a, &b, 3, 2), [0.5, 7.0, 2.0, 16.0]);
        assert_eq!(transpose(&a, 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert!(matmul(&[], &[], 0, 3).is_empty());
    }

    #[test]
    fn sizes_that_no_tile_divides() {
        let (rows, inner, columns) = (2 * ROWS + 3, 7, 2 * COLUMNS + 5);
        let a: Vec<f32> = (0..rows * inner).map(|i| (i % 13) as f32 - 6.0).collect();
        let b: Vec<f32> = (0..inner * columns).map(|i| (i % 11) as f32 - 5.0).collect();
        let product = matmul(&a, &b, inner, columns);
        for row in 0..rows {
            for column in 0..columns {
                let sum: f32 = (0..inner).map(|k| a[row * inner + k] * b[k * columns + column]).sum();
                assert_eq!(product[row * columns + column], sum, "{row} {column}");
            }
        }
    }
}
