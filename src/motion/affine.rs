//! An affine map of the plane.

/// `out = matrix * in + offset`, both in the same unit (frame pixels, or cells of a plane).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Rows of the matrix, without unit.
    pub matrix: [[f32; 2]; 2],
    /// In the unit of the places.
    pub offset: [f32; 2],
}

impl Affine {
    /// Nothing moves.
    pub const IDENTITY: Self = Self { matrix: [[1.0, 0.0], [0.0, 1.0]], offset: [0.0, 0.0] };

    /// Places scaled by `scale` across and down, and then shifted by `offset`.
    pub const fn scaled(scale: [f32; 2], offset: [f32; 2]) -> Self {
        Self { matrix: [[scale[0], 0.0], [0.0, scale[1]]], offset }
    }

    /// Where a place comes to.
    pub fn apply(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let [[a, b], [c, d]] = self.matrix;
        [a * x + b * y + self.offset[0], c * x + d * y + self.offset[1]]
    }

    /// This map, and `next` after it.
    pub fn then(&self, next: &Self) -> Self {
        let [first, second] =
            [0, 1].map(|row: usize| next.linear([self.matrix[0][row], self.matrix[1][row]]));
        Self { matrix: [[first[0], second[0]], [first[1], second[1]]], offset: next.apply(self.offset) }
    }

    /// The way back; `None` where the map is flat (or nearly so) and has none.
    pub fn inverse(&self) -> Option<Self> {
        let [[a, b], [c, d]] = self.matrix;
        let determinant = a * d - b * c;
        if !(determinant.abs() > 1e-6 && determinant.is_finite()) {
            return None;
        }
        let matrix = [[d, -b], [-c, a]].map(|row| row.map(|value| value / determinant));
        let back = Self { matrix, offset: [0.0, 0.0] };
        Some(Self { offset: back.linear(self.offset).map(|value| -value), ..back })
    }

    /// This map of places in the unit that `unit` leads to, where `self` is one in the unit that it leads from.
    /// `None` where `unit` has no way back.
    pub fn in_unit(&self, unit: &Self) -> Option<Self> {
        Some(unit.inverse()?.then(self).then(unit))
    }

    fn linear(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let [[a, b], [c, d]] = self.matrix;
        [a * x + b * y, c * x + d * y]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Affine = Affine { matrix: [[0.9, -0.3], [0.2, 1.1]], offset: [5.0, -7.0] };

    fn near(a: [f32; 2], b: [f32; 2]) {
        assert!((a[0] - b[0]).abs() < 1e-3 && (a[1] - b[1]).abs() < 1e-3, "{a:?} {b:?}");
    }

    #[test]
    fn the_way_back_is_the_inverse() {
        let back = TURN.inverse().unwrap();
        near(back.apply(TURN.apply([30.0, 40.0])), [30.0, 40.0]);
        near(TURN.then(&back).apply([-3.0, 9.0]), [-3.0, 9.0]);
        assert_eq!(Affine::scaled([0.0, 1.0], [0.0, 0.0]).inverse(), None);
    }

    #[test]
    fn one_after_the_other_is_both() {
        let next = Affine { matrix: [[1.2, 0.1], [0.0, 0.8]], offset: [1.0, 2.0] };
        near(TURN.then(&next).apply([11.0, 13.0]), next.apply(TURN.apply([11.0, 13.0])));
    }

    #[test]
    fn another_unit_is_the_same_motion() {
        let unit = Affine::scaled([12.0, 12.0], [100.0, 50.0]);
        let frame = TURN.in_unit(&unit).unwrap();
        near(frame.apply(unit.apply([8.0, 9.0])), unit.apply(TURN.apply([8.0, 9.0])));
    }
}
