//! One motion that most blocks agree on.
//!
//! Beginning with the shift that most blocks are near to (a consensus, after Fischler and Bolles, CACM 1981, whose candidates
//! are drawn evenly and not by chance), an affine map is fitted by least squares to the blocks that agree with the fit
//! before it, and the bound becomes narrower.

use super::affine::Affine;

/// How far a block may be off the fit to count in the next one, in cells.
const BOUNDS: [f32; 5] = [3.0, 2.0, 1.25, CONSISTENT, CONSISTENT];
/// How far a block may be off the motion and be said to agree with it, in cells.
const CONSISTENT: f32 = 0.8;

/// How many blocks name a shift to begin with.
const CANDIDATES: usize = 48;

/// A block that was found again: where its middle is, and by how much it moved; both in cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Vector {
    pub(super) at: [f32; 2],
    pub(super) moved: [f32; 2],
}

/// What blocks come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    /// In cells.
    pub(super) map: Affine,
    /// Blocks that agree with it.
    pub(super) consistent: usize,
}

/// The motion of `vectors`; `None` where there are too few for one, or they lie in a line.
pub(super) fn fit(vectors: &[Vector]) -> Option<Fit> {
    let mut map = most_common(vectors)?;
    for bound in BOUNDS {
        map = least_squares(vectors.iter().filter(|vector| off(vector, &map) < bound))?;
    }
    let consistent = vectors.iter().filter(|vector| off(vector, &map) < CONSISTENT).count();
    Some(Fit { map, consistent })
}

/// The shift that most vectors are near to, of those that some of them name. A median would need half of the vectors to
/// be right, and of a blurred frame far fewer are.
fn most_common(vectors: &[Vector]) -> Option<Affine> {
    let shifts = vectors.iter().step_by(vectors.len().div_ceil(CANDIDATES).max(1));
    let maps = shifts.map(|vector| Affine { offset: vector.moved, ..Affine::IDENTITY });
    maps.max_by_key(|map| vectors.iter().filter(|vector| off(vector, map) < BOUNDS[0]).count())
}

/// How far a vector is off a map, in cells.
fn off(vector: &Vector, map: &Affine) -> f32 {
    let [x, y] = map.apply(vector.at);
    (x - vector.at[0] - vector.moved[0]).hypot(y - vector.at[1] - vector.moved[1])
}

/// The affine map that is nearest to `vectors`.
fn least_squares<'a>(vectors: impl Iterator<Item = &'a Vector> + Clone) -> Option<Affine> {
    let mean = |pick: fn(&Vector) -> f32| {
        let (sum, count) = vectors.clone().fold((0.0, 0.0), |(sum, count), v| (sum + pick(v), count + 1.0));
        sum / count
    };
    let middle = [mean(|v| v.at[0]), mean(|v| v.at[1])];
    let moved = [mean(|v| v.moved[0]), mean(|v| v.moved[1])];
    // Around the means the offset drops out, and two unknowns are left for each row of the matrix.
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    let mut sums = [[0.0; 2]; 2];
    for vector in vectors {
        let [x, y] = [vector.at[0] - middle[0], vector.at[1] - middle[1]];
        (xx, xy, yy) = (xx + x * x, xy + x * y, yy + y * y);
        for (sum, (moved, mean)) in sums.iter_mut().zip(vector.moved.iter().zip(moved)) {
            let moved = moved - mean;
            *sum = [sum[0] + x * moved, sum[1] + y * moved];
        }
    }
    let determinant: f32 = xx * yy - xy * xy;
    if determinant.is_nan() || determinant < 1.0 {
        return None;
    }
    let [across, down] =
        sums.map(|[sx, sy]| [(yy * sx - xy * sy) / determinant, (xx * sy - xy * sx) / determinant]);
    let matrix = [[1.0 + across[0], across[1]], [down[0], 1.0 + down[1]]];
    let turned = Affine { matrix, offset: [0.0, 0.0] }.apply(middle);
    Some(Affine { matrix, offset: [0, 1].map(|axis: usize| middle[axis] + moved[axis] - turned[axis]) })
}
