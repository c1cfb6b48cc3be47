//! A grid of probabilities, moved.

use std::ops::Range;

use super::Affine;
use crate::frame::{Rect, Size};
use crate::input::Placement;
use crate::segmentation::Needed;

/// Places are counted in this many parts of a cell.
const ONE: f32 = 65536.0;

/// Writes to `out` what `cells` (`side_px * side_px` of them) are after a motion whose way back, in frame pixels, is `back`:
/// bilinear between the cells' centres. `None` where the placement does not fit the cells. Cells whose place was not in the placement's target, where the network saw
/// nothing, are 0, as are those outside of the target, and those that are not `needed`.
pub(crate) fn resample(
    cells: &[u8],
    placement: Placement,
    back: &Affine,
    needed: Needed,
    out: &mut Vec<u8>,
) -> Option<()> {
    let Placement { source, target, side_px } = placement;
    let side = side_px as usize;
    if cells.len() != side * side || !target.fits(Size::new(side_px, side_px)) {
        return None;
    }
    out.clear();
    out.resize(side * side, 0);
    let scale = [source.width as f32 / target.width as f32, source.height as f32 / target.height as f32];
    let offset = [source.x as f32 - target.x as f32 * scale[0], source.y as f32 - target.y as f32 * scale[1]];
    // From cells to frame pixels, and the way back in cells.
    let unit = Affine::scaled(scale, offset).inverse()?;
    let back = back.in_unit(&unit)?;
    let Rect { x: left, y: top, width, height } = target;
    let fixed = |value: f32| (value * ONE) as i64;
    let [step_x, step_y] = [fixed(back.matrix[0][0]), fixed(back.matrix[1][0])];
    // Centres of the first and last cells: between an edge and the centre next to it the cell is as it is at its centre.
    let (first_x, last_x) = (fixed(left as f32), fixed((left + width) as f32 - 1.0));
    let (first_y, last_y) = (fixed(top as f32), fixed((top + height) as f32 - 1.0));
    let half = fixed(0.5);
    let forth = back.inverse()?;
    let Some((columns, rows)) = reached(cells, placement, &forth, needed) else { return Some(()) };
    for row in rows {
        let start = back.apply([left as f32 + 0.5, row as f32 + 0.5]);
        let skipped = i64::from(columns.start - left);
        let [mut x, mut y] = start.map(|at| fixed(at - 0.5));
        (x, y) = (x + skipped * step_x, y + skipped * step_y);
        let from = row as usize * side;
        for out in out.get_mut(from + columns.start as usize..from + columns.end as usize)? {
            if (first_x - half..=last_x + half).contains(&x) && (first_y - half..=last_y + half).contains(&y)
            {
                let (x, y) = (x.clamp(first_x, last_x), y.clamp(first_y, last_y));
                let (right, down) = ((x & 65535) as i32, (y & 65535) as i32);
                let (column, row) = ((x >> 16) as usize, (y >> 16) as usize);
                let next = row * side + column;
                let beside = usize::from(right > 0);
                let below = if down > 0 { side } else { 0 };
                let at = |i: usize| i32::from(cells.get(i).copied().unwrap_or(0));
                let (right, down) = (right >> 8, down >> 8);
                let upper = (at(next) << 8) + (at(next + beside) - at(next)) * right;
                let lower = (at(next + below) << 8) + (at(next + below + beside) - at(next + below)) * right;
                *out = (((upper << 8) + (lower - upper) * down + (1 << 15)) >> 16) as u8;
            }
            x += step_x;
            y += step_y;
        }
    }
    Some(())
}

/// The columns and rows of the target outside of which no cell is needed after the motion `forth`, in cells; `None` where none is.
fn reached(
    cells: &[u8],
    Placement { target, side_px, .. }: Placement,
    forth: &Affine,
    Needed { least, around }: Needed,
) -> Option<(Range<u32>, Range<u32>)> {
    let side = side_px as usize;
    let rows = || cells.chunks_exact(side).enumerate().skip(target.y as usize).take(target.height as usize);
    let is_empty = |row: &[u8]| row.iter().fold(0, |any, cell| any.max(*cell)) < least;
    let top = rows().find(|(_, row)| !is_empty(row))?.0;
    let bottom = rows().rfind(|(_, row)| !is_empty(row))?.0;
    let (mut first, mut last) = (side, 0);
    for row in cells.get(top * side..(bottom + 1) * side)?.chunks_exact(side) {
        // Only what is further out than that of the rows before is looked through.
        first = row.iter().take(first).position(|cell| *cell >= least).unwrap_or(first);
        last = row.iter().skip(last).rposition(|cell| *cell >= least).map_or(last, |beyond| last + beyond);
    }
    // A cell's value reaches to the centres of its neighbours; one more cell is for what rounding moves.
    let (xs, ys) = ([first as f32 - 1.5, last as f32 + 2.5], [top as f32 - 1.5, bottom as f32 + 2.5]);
    let corners = xs.map(|x| ys.map(|y| forth.apply([x, y])));
    let span = |axis: usize, start: u32, length: u32| {
        let places = || corners.iter().flatten().map(|corner| corner[axis]);
        let (nearest, furthest) =
            (places().fold(f32::INFINITY, f32::min), places().fold(f32::NEG_INFINITY, f32::max));
        let around = around[axis] as f32;
        // `as` clips what is negative to 0.
        let from = ((nearest - 1.0 - around) as u32).clamp(start, start + length);
        from..((furthest + 2.0 + around) as u32).clamp(from, start + length)
    };
    Some((span(0, target.x, target.width), span(1, target.y, target.height)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is left out because it stays 0 would have been 0: a mask with one cell that is not, in its place, makes all be visited.
        #[test]
        fn what_is_not_reached_stays_nothing(
            at in [4_u32..28, 4_u32..28],
            matrix in [[0.8_f32..1.2, -0.3_f32..0.3], [-0.3_f32..0.3, 0.8_f32..1.2]],
            offset in [-40.0_f32..40.0, -40.0_f32..40.0],
        ) {
            let source = Rect { x: 10, y: 20, width: 320, height: 200 };
            let target = Rect { x: 2, y: 1, width: 29, height: 30 };
            let placement = Placement { source, target, side_px: 32 };
            let back = Affine { matrix, offset };
            let mut cells = vec![0; 32 * 32];
            for (dx, dy) in [(0, 0), (1, 0), (2, 1), (0, 3)] {
                cells[((at[1] + dy).min(30) * 32 + (at[0] + dx).min(30)) as usize] = 200;
            }
            let (mut few, mut all) = (Vec::new(), Vec::new());
            resample(&cells, placement, &back, Needed::ALL, &mut few).unwrap();
            // The least value everywhere else: it is less than a step of the mixture.
            let ground: Vec<u8> = cells.iter().map(|cell| (*cell).max(1)).collect();
            resample(&ground, placement, &back, Needed::ALL, &mut all).unwrap();
            for (few, all) in few.iter().zip(&all) {
                prop_assert!(few.abs_diff(*all) <= 1, "{few} where {all} was expected");
            }
        }

        /// What is needed is what it would have been.
        #[test]
        fn what_is_needed_is_as_it_would_be(
            at in [8_u32..24, 8_u32..24],
            matrix in [[0.8_f32..1.2, -0.3_f32..0.3], [-0.3_f32..0.3, 0.8_f32..1.2]],
            offset in [-40.0_f32..40.0, -40.0_f32..40.0],
            around in [0_u32..5, 0_u32..5],
        ) {
            let source = Rect { x: 10, y: 20, width: 320, height: 200 };
            let target = Rect { x: 2, y: 1, width: 29, height: 30 };
            let placement = Placement { source, target, side_px: 32 };
            let back = Affine { matrix, offset };
            // A hill on ground that is nowhere 0.
            let cells: Vec<u8> = (0..32 * 32_u32)
                .map(|i| 200_u32.saturating_sub(30 * (i % 32).abs_diff(at[0]).max((i / 32).abs_diff(at[1]))).max(7) as u8)
                .collect();
            let needed = Needed { least: 60, around };
            let (mut few, mut all) = (Vec::new(), Vec::new());
            resample(&cells, placement, &back, needed, &mut few).unwrap();
            resample(&cells, placement, &back, Needed::ALL, &mut all).unwrap();
            let high: Vec<usize> = (0..all.len()).filter(|i| all[*i] >= needed.least).collect();
            for (place, (few, all)) in few.iter().zip(&all).enumerate() {
                let is_near = |other: &usize| {
                    (place % 32).abs_diff(other % 32) <= around[0] as usize
                        && (place / 32).abs_diff(other / 32) <= around[1] as usize
                };
                if high.iter().any(is_near) {
                    prop_assert_eq!(few, all, "at {}", place);
                } else {
                    prop_assert!(few == all || *few == 0, "at {place}");
                }
            }
        }
    }
}
