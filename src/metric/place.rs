//! From the network's grid to the picture's own pixels, and back.
//!
//! Not here: what is then measured ([`super::Score`]).

use crate::frame::Size;
use crate::input::Placement;
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

/// What a network that is right would say of a picture of `size` whose truth is `truth`, row by row, in the cells that
/// `placement` describes: the share of each cell that is true, 255 for all of it. 0 outside of the placement's target.
pub fn to_grid(truth: &[bool], size: Size, placement: &Placement) -> Vec<u8> {
    let (target, side) = (placement.target, placement.side_px as usize);
    let mut grid = vec![0; side * side];
    // The pixels that a span of the picture touches, and how much of it lies in each.
    let parts = |from: f32, to: f32| {
        let share =
            move |pixel: u32| (to.min(pixel as f32 + 1.0) - from.max(pixel as f32)).max(0.0) / (to - from);
        (from as u32..to.ceil() as u32).map(move |pixel| (pixel as usize, share(pixel)))
    };
    for row in target.y..target.y + target.height {
        for column in target.x..target.x + target.width {
            let (left, top) = placement.to_frame(column as f32, row as f32);
            let (right, bottom) = placement.to_frame(column as f32 + 1.0, row as f32 + 1.0);
            let mut share = 0.0;
            for (y, down) in parts(top, bottom) {
                for (x, across) in parts(left, right) {
                    let at = y * size.width as usize + x;
                    share += if truth.get(at).copied().unwrap_or(false) { down * across } else { 0.0 };
                }
            }
            if let Some(cell) = grid.get_mut(row as usize * side + column as usize) {
                *cell = (share * 255.0).round() as u8;
            }
        }
    }
    grid
}
