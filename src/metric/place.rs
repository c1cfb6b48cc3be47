//! From the network's grid to the picture's own pixels.
//!
//! Not here: what is then measured ([`super::Score`]).

use crate::frame::Size;
use crate::segmentation::Segmentation;

/// The segmentation's probability (0 to 1) at the centre of every pixel of a frame of `size`, row by row:
/// bilinear between the cells' centres, and 0 outside of the part of the frame that was segmented.
pub fn to_picture(segmentation: &Segmentation, size: Size) -> Vec<f32> {
    let mut picture = vec![0.0; size.area()];
    let placement = segmentation.placement;
    let (source, target, side) = (placement.source, placement.target, segmentation.side());
    // The two cells between which a place lies, and how far it is from the first; never outside of `target`.
    let between = |place: f32, first: u32, length: u32| {
        let last = first + length.max(1) - 1;
        let place = (place - 0.5).clamp(first as f32, last as f32);
        (place as usize, (place as usize + 1).min(last as usize), place.fract())
    };
    let columns: Vec<_> = (source.x..(source.x + source.width).min(size.width))
        .map(|x| between(placement.to_input(x as f32 + 0.5, 0.0).0, target.x, target.width))
        .collect();
    let width = (size.width as usize).max(1);
    let inside = |y: &u32| (source.y..source.y + source.height).contains(y);
    for (y, row) in (0_u32..).zip(picture.chunks_mut(width)).filter(|(y, _)| inside(y)) {
        let (above, below, down) =
            between(placement.to_input(0.0, y as f32 + 0.5).1, target.y, target.height);
        let cell = |row: usize, column: usize| {
            f32::from(segmentation.probability.get(row * side + column).copied().unwrap_or(0)) / 255.0
        };
        for (pixel, (left, right, across)) in row.iter_mut().skip(source.x as usize).zip(&columns) {
            let upper = cell(above, *left) * (1.0 - across) + cell(above, *right) * across;
            let lower = cell(below, *left) * (1.0 - across) + cell(below, *right) * across;
            *pixel = upper * (1.0 - down) + lower * down;
        }
    }
    picture
}
