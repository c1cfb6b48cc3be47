//! A block's vector to parts of a cell: Gauss-Newton steps on the squared difference, with an offset of brightness left
//! free (Lucas and Kanade, IJCAI 1981).

use super::luma::Level;
use super::texture::{BLOCK, Texture};

/// Steps, at most, and the length (in cells) of one after which no other is taken.
const STEPS: usize = 3;
const ENOUGH: f32 = 0.06;
/// How far from the whole-cell vector the result may lie, in cells.
const FURTHEST: f32 = 1.2;

/// The vector of the block at `place` of `of`, whose whole-cell vector is `start`; `None` where it runs away or leaves the
/// plane.
#[inline(always)]
pub(super) fn refine(
    of: &Level,
    place: (usize, usize),
    texture: &Texture,
    within: &Level,
    start: [i16; 2],
) -> Option<[f32; 2]> {
    let [xx, xy, yy] = texture.tensor();
    let determinant = xx * yy - xy * xy;
    if determinant <= 0.0 {
        return None;
    }
    let start = start.map(f32::from);
    let mut at = start;
    for _ in 0..STEPS {
        let [right, down] = slope_of_error(of, place, texture, within, at)?;
        let step = [(xy * down - yy * right) / determinant, (xy * right - xx * down) / determinant];
        at = [at[0] + step[0], at[1] + step[1]];
        if square([at[0] - start[0], at[1] - start[1]]) > FURTHEST * FURTHEST {
            return None;
        }
        if square(step) < ENOUGH * ENOUGH {
            break;
        }
    }
    Some(at)
}

/// The square of a vector's length.
#[inline(always)]
fn square([x, y]: [f32; 2]) -> f32 {
    x * x + y * y
}

/// Sums over the block of slope times error, both around their means.
#[inline(always)]
fn slope_of_error(
    of: &Level,
    (x, y): (usize, usize),
    texture: &Texture,
    within: &Level,
    [dx, dy]: [f32; 2],
) -> Option<[f32; 2]> {
    let (to_x, to_y) = (x as f32 + dx, y as f32 + dy);
    if to_x < 0.0 || to_y < 0.0 {
        return None;
    }
    let (left, top) = (to_x as usize, to_y as usize);
    if left + BLOCK >= within.width || top + BLOCK >= within.height {
        return None;
    }
    let (along, down) = (to_x.fract(), to_y.fract());
    let weights = [(1.0 - along) * (1.0 - down), along * (1.0 - down), (1.0 - along) * down, along * down];
    let mut from = of.values.get((y - 1) * of.width + x - 1..)?.chunks(of.width);
    let mut to = within.values.get(top * within.width + left..)?.chunks(within.width);
    let (mut above, mut here) = (wide(from.next()?)?, wide(from.next()?)?);
    let mut upper = to.next()?.first_chunk::<{ BLOCK + 1 }>()?;
    let mut sums = [[0.0_f32; BLOCK]; 3];
    for _ in 0..BLOCK {
        let below = wide(from.next()?)?;
        let lower = to.next()?.first_chunk::<{ BLOCK + 1 }>()?;
        for i in 0..BLOCK {
            let seen = weights[0] * f32::from(upper[i])
                + weights[1] * f32::from(upper[i + 1])
                + weights[2] * f32::from(lower[i])
                + weights[3] * f32::from(lower[i + 1]);
            let error = seen - f32::from(here[i + 1]);
            sums[0][i] += error;
            sums[1][i] += error * (f32::from(here[i + 2]) - f32::from(here[i]));
            sums[2][i] += error * (f32::from(below[i + 1]) - f32::from(above[i + 1]));
        }
        (above, here, upper) = (here, below, lower);
    }
    let [error, right, down] = sums.map(|lanes| lanes.iter().sum::<f32>());
    let mean = error / (BLOCK * BLOCK) as f32;
    // Differences of neighbours are twice the slope.
    Some([(right - mean * texture.x as f32) / 2.0, (down - mean * texture.y as f32) / 2.0])
}

#[inline(always)]
fn wide(row: &[u8]) -> Option<&[u8; BLOCK + 2]> {
    row.first_chunk()
}
