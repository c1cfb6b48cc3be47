//! How steeply something rises: a slope that a few odd points do not move.

/// Points that slopes are taken between; more are brought down to so many, each the middle of its neighbours.
const POINTS: usize = 400;

/// The slope of `points` (x, y) in y per x: the median of the slopes between all pairs (Theil 1950, Sen 1968). Nothing
/// of fewer than two, or where all x are the same.
pub(super) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let points = thinned(points);
    let mut slopes = Vec::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let later = points.iter().skip(index + 1).filter(|(later, _)| later > x);
        slopes.extend(later.map(|(later, value)| (value - y) / (later - x)));
    }
    median(&mut slopes)
}

/// At most [`POINTS`] points: medians of neighbours, both of x and of y.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let chunk = points.len().div_ceil(POINTS).max(1);
    let middle = |chunk: &[(f64, f64)]| {
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = chunk.iter().copied().unzip();
        median(&mut xs).zip(median(&mut ys))
    };
    points.chunks(chunk).filter_map(middle).collect()
}

/// The middle of `values`; nothing of none.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope_whatever_a_few_points_do() {
        let mut points: Vec<(f64, f64)> =
            (0..5000).map(|i| (f64::from(i), 3.0 + 0.5 * f64::from(i))).collect();
        assert!((slope(&points).unwrap() - 0.5).abs() < 1e-9);
        for index in [0, 17, 2000, 4999] {
            points[index].1 += 1e6;
        }
        assert!((slope(&points).unwrap() - 0.5).abs() < 1e-3);
        points.iter_mut().for_each(|point| point.1 = 7.0);
        assert_eq!(slope(&points), Some(0.0));
    }

    #[test]
    fn a_point_has_none() {
        assert_eq!(slope(&[]), None);
        assert_eq!(slope(&[(1.0, 1.0)]), None);
        assert_eq!(slope(&[(1.0, 1.0), (1.0, 2.0)]), None);
    }
}
