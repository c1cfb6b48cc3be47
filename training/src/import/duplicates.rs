//! Near-duplicates: pictures with different names that are the same or nearly the same. One on each side of a
//! split makes a score a lie.
//!
//! Not here: finding them (a data set's folder may bring a list).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::folder::columns;
use crate::TrainingError;

/// Pairs of names, from a table `corr,name_a,name_b`.
#[derive(Clone, Debug, Default)]
pub(super) struct Duplicates(Vec<(String, String)>);

impl Duplicates {
    pub(super) fn read(path: &Path) -> Result<Self, TrainingError> {
        let rows = columns(path, ["name_a", "name_b"])?;
        Ok(Self(rows.into_iter().map(|[a, b]| (a, b)).collect()))
    }

    /// Takes out of `learning` what is a near-duplicate of a name in `test`, and then, of each pair within
    /// `learning`, the second. Gives back what was taken out.
    pub(super) fn drop_from(&self, learning: &mut Vec<String>, test: &BTreeSet<String>) -> Vec<String> {
        let mut kept: BTreeSet<String> = learning.iter().cloned().collect();
        for (a, b) in &self.0 {
            if test.contains(a) {
                kept.remove(b);
            }
            if test.contains(b) {
                kept.remove(a);
            }
        }
        for (a, b) in &self.0 {
            if a != b && kept.contains(a) && kept.contains(b) {
                kept.remove(b);
            }
        }
        let (kept_in_order, dropped) = learning.drain(..).partition(|name| kept.contains(name));
        *learning = kept_in_order;
        dropped
    }

    /// The group of every name that has near-duplicates among `names`: the first name of them all.
    pub(super) fn groups(&self, names: &BTreeSet<String>) -> BTreeMap<String, String> {
        let mut group: BTreeMap<String, String> = BTreeMap::new();
        for (a, b) in self.0.iter().filter(|(a, b)| names.contains(a) && names.contains(b)) {
            let of = |name: &String| group.get(name).unwrap_or(name).clone();
            let (one, other) = (of(a), of(b));
            let first = one.clone().min(other.clone());
            for value in group.values_mut() {
                if *value == one || *value == other {
                    value.clone_from(&first);
                }
            }
            group.insert(a.clone(), first.clone());
            group.insert(b.clone(), first);
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Duplicates {
        Duplicates(pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_tested_one_of_a_pair_stays_and_one_of_two_learned_ones() {
        let mut learning: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let dropped =
            pairs(&[("a", "t"), ("t", "c"), ("b", "d"), ("a", "b")]).drop_from(&mut learning, &set(&["t"]));
        assert_eq!(learning, ["b"]);
        assert_eq!(dropped, ["a", "c", "d"]);
    }

    #[test]
    fn chains_are_one_group() {
        let groups =
            pairs(&[("c", "d"), ("a", "b"), ("d", "b"), ("b", "x")]).groups(&set(&["a", "b", "c", "d"]));
        assert_eq!(groups.values().collect::<Vec<_>>(), ["a"; 4]);
        assert!(!groups.contains_key("x"));
    }
}
