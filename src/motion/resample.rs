//! A grid of probabilities, moved.

use super::Affine;
use crate::frame::{Rect, Size};
use crate::input::Placement;

/// Places are counted in this many parts of a cell.
const ONE: f32 = 65536.0;

/// Writes to `out` what `cells` (`side_px * side_px` of them) are after a motion whose way back, in frame pixels, is `back`:
/// bilinear between the cells' centres. `None` where the placement does not fit the cells. Cells whose place was not in the placement's target, where the network saw
/// nothing, are 0, as are those outside of the target.
pub(crate) fn resample(cells: &[u8], placement: Placement, back: &Affine, out: &mut Vec<u8>) -> Option<()> {
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
    for row in top..top + height {
        let start = back.apply([left as f32 + 0.5, row as f32 + 0.5]);
        let [mut x, mut y] = start.map(|at| fixed(at - 0.5));
        let from = row as usize * side + left as usize;
        for out in out.get_mut(from..from + width as usize)? {
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
