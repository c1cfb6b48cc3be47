//! Operations that move values and compute nothing.

use crate::weights::Array;

/// Axes in the order `axes`.
pub(super) fn permute(x: &Array, axes: &[usize], shape: Vec<usize>) -> Array {
    let mut strides = vec![1; x.shape.len()];
    for axis in (1..strides.len()).rev() {
        strides[axis - 1] = strides[axis] * x.shape[axis];
    }
    let steps: Vec<usize> = axes.iter().map(|&axis| strides[axis]).collect();
    let mut values = Vec::with_capacity(x.values.len());
    walk(&x.values, &shape, &steps, 0, &mut values);
    Array { shape, values }
}

/// Copies the values that lie `steps` apart, outermost axis first.
fn walk(x: &[f32], shape: &[usize], steps: &[usize], start: usize, out: &mut Vec<f32>) {
    match (shape, steps) {
        ([length], [step]) => out.extend((0..*length).map(|index| x[start + index * step])),
        ([length, shape @ ..], [step, steps @ ..]) => {
            for index in 0..*length {
                walk(x, shape, steps, start + index * step, out);
            }
        }
        _ => out.extend(x.get(start)),
    }
}

/// `length` entries of `axis`, from `start`.
pub(super) fn slice(x: &Array, axis: usize, start: usize, shape: Vec<usize>) -> Array {
    let step: usize = x.shape[axis + 1..].iter().product();
    let block = x.shape[axis] * step;
    let part = start * step..(start + shape[axis]) * step;
    let values = x.values.chunks(block.max(1)).flat_map(|block| &block[part.clone()]).copied().collect();
    Array { shape, values }
}

/// `a` and `b` joined along `axis`.
pub(super) fn concat(a: &Array, b: &Array, axis: usize, shape: Vec<usize>) -> Array {
    let block = |x: &Array| x.shape[axis..].iter().product::<usize>().max(1);
    let blocks = a.values.chunks(block(a)).zip(b.values.chunks(block(b)));
    let values = blocks.flat_map(|(a, b)| a.iter().chain(b)).copied().collect();
    Array { shape, values }
}

/// `[B, C*f*f, H, W]` -> `[B, C, H*f, W*f]`, channel `c*f*f + i*f + j` to row `i`, column `j`.
pub(super) fn pixel_shuffle(x: &Array, factor: usize, shape: Vec<usize>) -> Array {
    let [.., height, width] = *x.shape.as_slice() else { return x.clone() };
    let planes = x.values.len() / (height * width * factor * factor).max(1);
    let apart = Array { shape: vec![planes, factor, factor, height, width], values: x.values.clone() };
    // [plane, i, j, h, w] -> [plane, h, i, w, j]
    let woven = permute(&apart, &[0, 3, 1, 4, 2], vec![planes, height, factor, width, factor]);
    Array { shape, values: woven.values }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(shape: &[usize]) -> Array {
        let count: usize = shape.iter().product();
        Array { shape: shape.to_vec(), values: (0..count).map(|i| i as f32).collect() }
    }

    #[test]
    fn axes_move() {
        let y = permute(&counting(&[1, 2, 3]), &[0, 2, 1], vec![1, 3, 2]);
        assert_eq!(y.values, [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }

    #[test]
    fn parts_and_wholes() {
        let x = counting(&[2, 3, 2]);
        let first = slice(&x, 1, 0, vec![2, 1, 2]);
        let rest = slice(&x, 1, 1, vec![2, 2, 2]);
        assert_eq!(first.values, [0.0, 1.0, 6.0, 7.0]);
        assert_eq!(concat(&first, &rest, 1, vec![2, 3, 2]), x);
    }

    #[test]
    fn pixels_are_woven_row_by_row() {
        let y = pixel_shuffle(&counting(&[1, 4, 1, 2]), 2, vec![1, 1, 2, 4]);
        assert_eq!(y.values, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
    }
}
