//! Convolutions as matrix products, and the average pool.

use polyp::model::Conv2d;
use rayon::prelude::*;

use super::matmul::{matmul, transpose};

/// Rows and columns of a picture.
pub(super) type Size = [usize; 2];

/// One picture `[C,H,W]` with weight `[O,C/groups,kh,kw]` -> `[O,H',W']`.
pub(super) fn convolve(
    x: &[f32],
    size: Size,
    weight: &[f32],
    kernel: Size,
    geometry: Conv2d,
    out_size: Size,
) -> Vec<f32> {
    let cells = kernel[0] * kernel[1];
    let pixels = out_size[0] * out_size[1];
    let per_group = x.len() / geometry.groups;
    let inner = per_group / (size[0] * size[1]) * cells;
    let parts: Vec<Vec<f32>> = x
        .par_chunks(per_group.max(1))
        .zip(weight.par_chunks((weight.len() / geometry.groups).max(1)))
        .map(|(x, weight)| {
            let columns = unfold(x, size, kernel, geometry, out_size);
            matmul(weight, &columns, inner, pixels)
        })
        .collect();
    parts.concat()
}

/// `[C,H,W]` -> `[C*kh*kw, H'*W']`: what each cell of the kernel sees at each place, zeros outside.
fn unfold(x: &[f32], size: Size, kernel: Size, geometry: Conv2d, out_size: Size) -> Vec<f32> {
    let Conv2d { stride, padding: [top, left, ..], .. } = geometry;
    let [height, width] = size;
    let mut columns = Vec::new();
    for plane in x.chunks(height * width) {
        for cell in 0..kernel[0] * kernel[1] {
            let (down, right) = (cell / kernel[1], cell % kernel[1]);
            for row in 0..out_size[0] {
                let from_row = (row * stride + down).checked_sub(top).filter(|&y| y < height);
                columns.extend((0..out_size[1]).map(|column| {
                    let from = (column * stride + right).checked_sub(left).filter(|&x| x < width);
                    from_row.zip(from).map_or(0.0, |(y, x)| plane[y * width + x])
                }));
            }
        }
    }
    columns
}

/// One picture `[C,H,W]` with weight `[C,O,2,2]`, stride 2 -> `[O,2H,2W]`.
pub(super) fn convolve_transposed(x: &[f32], [height, width]: Size, weight: &[f32], out: usize) -> Vec<f32> {
    let pixels = height * width;
    let channels = x.len() / pixels;
    // Every pixel becomes four, each a product of its own: [O*2*2, H*W].
    let spread = matmul(&transpose(weight, out * 4), x, channels, pixels);
    let mut y = vec![0.0; out * 4 * pixels];
    for (index, value) in spread.into_iter().enumerate() {
        let (plane, cell, row, column) =
            (index / (4 * pixels), index / pixels % 4, index % pixels / width, index % width);
        y[(plane * 2 * height + 2 * row + cell / 2) * 2 * width + 2 * column + cell % 2] = value;
    }
    y
}

/// Mean of `window * window` cells of a plane `[H,W]`, stride 1; what the window sees past the plane does not count.
pub(super) fn average(
    x: &[f32],
    size: Size,
    window: usize,
    [top, left, ..]: [usize; 4],
    out: Size,
) -> Vec<f32> {
    let [height, width] = size;
    let mut means = Vec::with_capacity(out[0] * out[1]);
    for row in 0..out[0] {
        let rows = row.saturating_sub(top)..(row + window).saturating_sub(top).min(height);
        for column in 0..out[1] {
            let columns = column.saturating_sub(left)..(column + window).saturating_sub(left).min(width);
            let sum: f64 = rows
                .clone()
                .flat_map(|y| columns.clone().map(move |x| y * width + x))
                .map(|index| f64::from(x[index]))
                .sum();
            means.push((sum / (rows.len() * columns.len()) as f64) as f32);
        }
    }
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_by_hand() {
        // 1 2 / 3 4 seen through a 2 x 2 window that begins a row and a column before the plane.
        let means = average(&[1.0, 2.0, 3.0, 4.0], [2, 2], 2, [1, 1, 0, 0], [2, 2]);
        assert_eq!(means, [1.0, 1.5, 2.0, 2.5]);
    }

    #[test]
    fn a_convolution_by_hand() {
        // 1 2 3 / 4 5 6 / 7 8 9, kernel 1 0 / 0 -1, a zero row above: 0*1 - x.
        let x: Vec<f32> = (1..=9_u8).map(f32::from).collect();
        let weight = [1.0, 0.0, 0.0, -1.0];
        let geometry = Conv2d { stride: 1, padding: [1, 0, 0, 0], groups: 1 };
        let y = convolve(&x, [3, 3], &weight, [2, 2], geometry, [3, 2]);
        assert_eq!(y, [-2.0, -3.0, 1.0 - 5.0, 2.0 - 6.0, 4.0 - 8.0, 5.0 - 9.0]);
    }

    #[test]
    fn depthwise_with_stride_and_uneven_padding() {
        // Two channels, each with its own 3x3 kernel that picks the last cell; stride 2, zeros at the end.
        let x: Vec<f32> = (0..32_u8).map(f32::from).collect();
        let mut weight = vec![0.0; 18];
        weight[8] = 1.0;
        weight[17] = 2.0;
        let geometry = Conv2d { stride: 2, padding: [0, 0, 1, 1], groups: 2 };
        let y = convolve(&x, [4, 4], &weight, [3, 3], geometry, [2, 2]);
        assert_eq!(y, [10.0, 0.0, 0.0, 0.0, 52.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn every_pixel_becomes_four() {
        let y = convolve_transposed(
            &[1.0, 2.0, 10.0, 20.0],
            [1, 2],
            &[1.0, 2.0, 3.0, 4.0, 0.0, 1.0, 0.0, 0.0],
            1,
        );
        assert_eq!(y, [1.0, 2.0 + 10.0, 2.0, 4.0 + 20.0, 3.0, 4.0, 6.0, 8.0]);
    }
}
