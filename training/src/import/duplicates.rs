//! What becomes of near-duplicates. One on each side of a split makes a score a lie.
//!
//! Not here: finding them ([`super::looks`]; a data set's folder may bring a list).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::folder::columns;
use super::sides::Placed;
use crate::TrainingError;
use crate::data::Split;

/// Pairs of names, from a table `corr,name_a,name_b`.
pub(super) fn listed(path: &Path) -> Result<Vec<(String, String)>, TrainingError> {
    let rows = columns(path, ["name_a", "name_b"])?;
    Ok(rows.into_iter().map(|[a, b]| (a, b)).collect())
}

/// Sets of indices that only ever grow together.
#[derive(Debug)]
pub(super) struct Joined(Vec<usize>);

impl Joined {
    /// Every index alone.
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// The index that stands for all that `index` is joined with.
    pub(super) fn root(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    /// Makes one set of two.
    pub(super) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}

/// Takes out every picture that is a near-duplicate of one to test on and is not one itself, and then, of each
/// pair to learn from, the second. Gives back the names of what was taken out.
pub(super) fn drop_listed(placed: &mut Vec<Placed>, pairs: &[(String, String)]) -> Vec<String> {
    let learned = |placed: &&Placed| placed.split != Split::Test;
    let mut kept: BTreeSet<String> = placed.iter().filter(learned).map(|p| p.entry.name.clone()).collect();
    let test: BTreeSet<&String> = placed.iter().filter(|p| !learned(p)).map(|p| &p.entry.name).collect();
    for (a, b) in pairs {
        if test.contains(a) {
            kept.remove(b);
        }
        if test.contains(b) {
            kept.remove(a);
        }
    }
    for (a, b) in pairs {
        if a != b && kept.contains(a) && kept.contains(b) {
            kept.remove(b);
        }
    }
    take_out(placed, |placed| placed.split == Split::Test || kept.contains(&placed.entry.name))
}

/// What [`resolve`] did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Resolved {
    /// Names left out because of a near-duplicate to test on.
    pub(super) left_out: Vec<String>,
    /// Names that changed between learning and validation.
    pub(super) moved: Vec<String>,
}

/// Keeps near-duplicates on one side: of those with a picture to test on, only what is tested stays; the groups
/// of the others become one, which goes to the side where most of its pictures are.
pub(super) fn resolve(placed: &mut Vec<Placed>, pairs: &[(usize, usize)]) -> Resolved {
    let mut joined = Joined::new(placed.len());
    for (a, b) in pairs {
        joined.join(*a, *b);
    }
    let tested: BTreeSet<usize> = (0..placed.len())
        .filter(|index| placed[*index].split == Split::Test)
        .map(|index| joined.root(index))
        .collect();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let numbers: Vec<usize> = placed
        .iter()
        .map(|placed| {
            let next = names.len();
            *names.entry(placed.entry.group.clone()).or_insert(next)
        })
        .collect();
    let kept: Vec<bool> = (0..placed.len())
        .map(|index| placed[index].split == Split::Test || !tested.contains(&joined.root(index)))
        .collect();
    let mut groups = Joined::new(names.len());
    for (a, b) in pairs.iter().filter(|(a, b)| kept[*a] && kept[*b]) {
        groups.join(numbers[*a], numbers[*b]);
    }
    // The first of its groups' names is the new group's.
    let mut first: BTreeMap<usize, &String> = BTreeMap::new();
    for (name, number) in &names {
        first.entry(groups.root(*number)).or_insert(name);
    }
    let mut sides: BTreeMap<usize, [usize; 2]> = BTreeMap::new();
    for (index, placed) in placed.iter().enumerate().filter(|(index, _)| kept[*index]) {
        let counts = sides.entry(groups.root(numbers[index])).or_default();
        match placed.split {
            Split::Train => counts[0] += 1,
            Split::Validation => counts[1] += 1,
            Split::Test => {}
        }
    }
    let mut resolved = Resolved::default();
    for (index, placed) in placed.iter_mut().enumerate().filter(|(index, _)| kept[*index]) {
        let root = groups.root(numbers[index]);
        if let Some(name) = first.get(&root) {
            placed.entry.group.clone_from(name);
        }
        let [train, validation] = sides.get(&root).copied().unwrap_or_default();
        let side = if validation > train { Split::Validation } else { Split::Train };
        if placed.split != Split::Test && placed.split != side {
            placed.split = side;
            resolved.moved.push(placed.entry.name.clone());
        }
    }
    let mut kept = kept.into_iter();
    resolved.left_out = take_out(placed, |_| kept.next().unwrap_or(true));
    resolved
}

/// Takes out what is not to be kept, and gives back its names.
fn take_out(placed: &mut Vec<Placed>, mut keep: impl FnMut(&Placed) -> bool) -> Vec<String> {
    let mut names = Vec::new();
    placed.retain(|placed| {
        let keep = keep(placed);
        if !keep {
            names.push(placed.entry.name.clone());
        }
        keep
    });
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{Entry, Mask};

    /// `name group side`, each a word.
    fn placed(lines: &[&str]) -> Vec<Placed> {
        let of = |line: &&str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let entry = Entry {
                name: words[0].clone(),
                group: words[1].clone(),
                side: None,
                picture: "".into(),
                mask: Mask::Empty,
                source: String::new(),
                licence: String::new(),
            };
            Placed { entry, split: Split::from_name(&words[2]).unwrap() }
        };
        lines.iter().map(of).collect()
    }

    fn lines(placed: &[Placed]) -> Vec<String> {
        let line = |p: &Placed| format!("{} {} {}", p.entry.name, p.entry.group, p.split.name());
        placed.iter().map(line).collect()
    }

    #[test]
    fn the_tested_one_of_a_listed_pair_stays_and_one_of_two_learned_ones() {
        let mut all = placed(&["a a train", "b b train", "c c train", "d d train", "t t test"]);
        let pairs = [("a", "t"), ("t", "c"), ("b", "d"), ("a", "b")];
        let pairs: Vec<_> = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(drop_listed(&mut all, &pairs), ["a", "c", "d"]);
        assert_eq!(lines(&all), ["b b train", "t t test"]);
    }

    #[test]
    fn chains_are_one_group() {
        let mut all = placed(&["a a train", "b b train", "c c train", "d d train", "e e train"]);
        assert_eq!(resolve(&mut all, &[(2, 3), (0, 1), (3, 1)]), Resolved::default());
        assert_eq!(lines(&all), ["a a train", "b a train", "c a train", "d a train", "e e train"]);
    }

    #[test]
    fn what_is_nearly_a_tested_picture_is_left_out_alone() {
        let mut all = placed(&["a p train", "b p train", "c q validation", "t r test", "u s test"]);
        let resolved = resolve(&mut all, &[(0, 3), (2, 0), (3, 4)]);
        assert_eq!(resolved.left_out, ["a", "c"], "c by way of a; the rest of a's group stays");
        assert_eq!(lines(&all), ["b p train", "t r test", "u r test"]);
    }

    #[test]
    fn joined_groups_go_to_the_side_of_most() {
        let mut all = placed(&[
            "a p train",
            "b p train",
            "c q validation",
            "d r train",
            "e s validation",
            "f s validation",
        ]);
        let resolved = resolve(&mut all, &[(1, 2), (3, 4)]);
        assert_eq!(resolved.moved, ["c", "d"]);
        assert_eq!(
            lines(&all),
            ["a p train", "b p train", "c p train", "d r validation", "e r validation", "f r validation"]
        );
    }
}
