//! How sure figures are: bootstrap over groups of pictures.
//!
//! Pictures of one patient or one sequence are much alike, so it is groups that are drawn again, as many as there are,
//! with replacement; each draw gives every measure once, and the interval is the middle 95 % of [`DRAWS`] such values
//! (Efron and Tibshirani 1993, the percentile interval). Where a data set knows of no groups each picture is one,
//! and the interval is then too narrow.
//!
//! Not here: how pictures are judged ([`super::Score`]).

use std::collections::BTreeMap;

use super::{MEASURES, Measure, Sums};
use crate::random::Random;

/// Draws of a bootstrap.
pub const DRAWS: usize = 2000;

/// The middle 95 % of a bootstrap's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// 2.5 % of the values are below it.
    pub low: f64,
    /// 2.5 % of the values are above it.
    pub high: f64,
}

/// The sums of each group, in the order of the groups' names. `names` and `pictures` belong together one by one.
pub fn by_group<'a>(names: impl IntoIterator<Item = &'a str>, pictures: &[Sums]) -> Vec<Sums> {
    let mut groups: BTreeMap<&str, Sums> = BTreeMap::new();
    for (name, sums) in names.into_iter().zip(pictures) {
        groups.entry(name).or_default().add(sums);
    }
    groups.into_values().collect()
}

/// An interval for each of [`MEASURES`], by groups; none with fewer than two groups, or where most draws have no
/// value. The same seed gives the same.
pub fn intervals(groups: &[Sums], seed: u64) -> Vec<Option<Interval>> {
    resample(groups.len(), seed, |draw| {
        let total = Sums::total(draw.iter().filter_map(|group| groups.get(*group)));
        MEASURES.each_ref().map(|measure| measure.of(&total))
    })
}

/// An interval of the difference `second - first` for each of [`MEASURES`]: both were judged on the same pictures, and
/// each draw takes the same groups of both. As [`intervals`] otherwise.
pub fn differences(first: &[Sums], second: &[Sums], seed: u64) -> Vec<Option<Interval>> {
    let groups = first.len().min(second.len());
    resample(groups, seed, |draw| {
        let total = |of: &[Sums]| Sums::total(draw.iter().filter_map(|group| of.get(*group)));
        let (first, second) = (total(first), total(second));
        MEASURES.each_ref().map(|measure| difference(measure, &first, &second))
    })
}

/// The difference `second - first` of a measure; none where one has no value.
pub fn difference(measure: &Measure, first: &Sums, second: &Sums) -> Option<f64> {
    Some(measure.of(second)? - measure.of(first)?)
}

/// An interval of a mean over pictures, by groups: of each group the sum over its pictures and how many they are. As
/// [`intervals`] otherwise.
pub fn mean_interval(groups: &[(f64, usize)], seed: u64) -> Option<Interval> {
    let mean = |draw: &[usize]| {
        let drawn = draw.iter().filter_map(|group| groups.get(*group));
        let (sum, count) = drawn.fold((0.0, 0), |(sum, count), group| (sum + group.0, count + group.1));
        [(count > 0).then(|| sum / count as f64)]
    };
    resample(groups.len(), seed, mean).into_iter().next().flatten()
}

fn resample<const N: usize>(
    groups: usize,
    seed: u64,
    values: impl Fn(&[usize]) -> [Option<f64>; N],
) -> Vec<Option<Interval>> {
    let mut drawn = vec![Vec::with_capacity(DRAWS); N];
    if groups >= 2 {
        let mut random = Random::new(&[seed]);
        let mut draw = vec![0; groups];
        for _ in 0..DRAWS {
            draw.fill_with(|| random.below(groups));
            for (drawn, value) in drawn.iter_mut().zip(values(&draw)) {
                drawn.extend(value);
            }
        }
    }
    drawn.into_iter().map(middle).collect()
}

/// The middle 95 % of values, if there are enough of them.
fn middle(mut values: Vec<f64>) -> Option<Interval> {
    if values.len() < DRAWS / 2 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    Some(Interval { low: quantile(&values, 0.025)?, high: quantile(&values, 0.975)? })
}

/// A quantile of sorted values, linear between them.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let below = sorted.get(place as usize)?;
    let above = sorted.get(place.ceil() as usize)?;
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;
    use crate::metric::Score;

    /// Pictures of ten pixels of which five are true and `hits` of those claimed.
    fn pictures(hits: &[usize]) -> Vec<Sums> {
        let mut score = Score::new();
        let truth: Vec<bool> = (0..10).map(|i| i < 5).collect();
        for &hits in hits {
            let probability: Vec<f32> = (0..10).map(|i| if i < hits { 1.0 } else { 0.0 }).collect();
            score.add(&probability, &truth, Size::new(10, 1)).unwrap();
        }
        score.pictures().to_vec()
    }

    fn index(name: &str, per: &str) -> usize {
        MEASURES.iter().position(|measure| (measure.name, measure.per) == (name, per)).unwrap()
    }

    #[test]
    fn quantiles_by_hand() {
        let values: Vec<f64> = (0..=40).map(f64::from).collect();
        assert_eq!((quantile(&values, 0.025), quantile(&values, 0.975)), (Some(1.0), Some(39.0)));
        assert_eq!(quantile(&[2.0, 4.0], 0.25), Some(2.5));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn two_groups_give_every_mixture() {
        // IoU 0 and 1, one group each: a quarter of the draws is all of one, so the interval is everything.
        let groups = pictures(&[0, 5]);
        let found = intervals(&groups, 1);
        assert_eq!(found[index("iou", "image")], Some(Interval { low: 0.0, high: 1.0 }));
        assert_eq!(found, intervals(&groups, 1));
        // One group can not say how much groups differ.
        assert!(intervals(&groups[..1], 1).iter().all(Option::is_none));
        // Nothing was fitted, so there is no such coverage, and no picture is without a lesion.
        for (name, per) in [("coverage_95", "pooled"), ("false_alarms", "image")] {
            assert_eq!(found[index(name, per)], None, "{name}");
        }
    }

    #[test]
    fn intervals_of_many_groups_are_those_of_a_mean() {
        // 100 groups, half of them with IoU 1 and half with 0: the standard error is 0.05.
        let groups = pictures(&[0, 5].repeat(50));
        let found = intervals(&groups, 3)[index("iou", "image")].unwrap();
        assert!((found.low - 0.402).abs() < 0.02 && (found.high - 0.598).abs() < 0.02, "{found:?}");
        // Ten of the same in a group: ten groups, and more doubt.
        let names: Vec<String> = (0..100).map(|i| format!("{}", i % 10)).collect();
        let grouped = by_group(names.iter().map(String::as_str), &groups);
        assert_eq!((grouped.len(), grouped[3].pictures()), (10, 10));
        let wide = intervals(&grouped, 3)[index("iou", "image")].unwrap();
        assert!(wide.high - wide.low > 2.0 * (found.high - found.low), "{wide:?} {found:?}");
    }

    #[test]
    fn a_paired_difference_is_surer_than_its_parts() {
        // The second is always one pixel of five better: 0.2 of IoU in each group.
        let first = pictures(&[0, 4, 2, 1, 3, 0, 4]);
        let second = pictures(&[1, 5, 3, 2, 4, 1, 5]);
        let found = differences(&first, &second, 1)[index("iou", "image")].unwrap();
        assert!((found.low - 0.2).abs() < 1e-9 && (found.high - 0.2).abs() < 1e-9, "{found:?}");
    }
}
