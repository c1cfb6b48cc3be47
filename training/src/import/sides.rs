//! Which side a picture is on: by lists of names, by groups, by its folder, by a draw.
//!
//! Not here: near-duplicates, which are dealt with between the two halves of this ([`super::duplicates`]).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::folder::lines;
use super::{Entry, Request};
use crate::TrainingError;
use crate::data::{Random, Split};

/// A picture that has a side.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) entry: Entry,
    pub(super) split: Split,
}

/// What [`assign`] came to.
#[derive(Debug, Default)]
pub(super) struct Sides {
    pub(super) placed: Vec<Placed>,
    /// Pictures that nothing names.
    pub(super) unlisted: usize,
    /// Pictures to test on, by their folder, of a group that is learned from.
    pub(super) shared: usize,
}

/// Gives every picture its side: a list's, else its group's, else its folder's, else `rest`.
///
/// A group that folders have on two sides keeps the side to learn from, and its other pictures are left out.
///
/// # Errors
/// [`TrainingError::Field`] for a name or a group that is not there, is on two sides, or is divided by a list.
pub(super) fn assign(request: &Request, entries: Vec<Entry>) -> Result<Sides, TrainingError> {
    let lists = lists(request, &entries)?;
    let groups = groups(request, &entries)?;
    let draws = request.validation > 0 || request.validation_share > 0.0 || request.test_share > 0.0;
    let implied = (draws && lists.is_empty() && groups.is_empty()).then_some(Split::Train);
    let rest = request.rest.or(implied);
    let side = |entry: &Entry| {
        let named = lists.get(&entry.name).or_else(|| groups.get(&entry.group)).copied();
        named.or(entry.side).or(rest)
    };
    let learned: BTreeSet<String> = entries
        .iter()
        .filter(|entry| entry.side.is_some() && side(entry) == Some(Split::Train))
        .map(|entry| entry.group.clone())
        .collect();
    let mut sides = Sides::default();
    let mut of_group: BTreeMap<String, Split> = BTreeMap::new();
    for entry in entries {
        let Some(split) = side(&entry) else {
            sides.unlisted += 1;
            continue;
        };
        if split != Split::Train && entry.side == Some(split) && learned.contains(&entry.group) {
            sides.shared += 1;
            continue;
        }
        let first = *of_group.entry(entry.group.clone()).or_insert(split);
        if first != split {
            let field = format!("group {} of picture {}", entry.group, entry.name);
            let expected = format!("split {}, as the group's other pictures", first.name());
            return Err(TrainingError::field(&request.folder, field, expected, split.name()));
        }
        sides.placed.push(Placed { entry, split });
    }
    Ok(sides)
}

/// The sides that lists give, by name.
fn lists(request: &Request, entries: &[Entry]) -> Result<BTreeMap<String, Split>, TrainingError> {
    let mut sides = BTreeMap::new();
    if request.train.is_empty() && request.test.is_empty() {
        return Ok(sides);
    }
    let known: BTreeSet<&String> = entries.iter().map(|entry| &entry.name).collect();
    let mut read = |lists: &[PathBuf], split: Split| {
        for list in lists {
            for name in lines(list)? {
                if !known.contains(&name) {
                    return Err(TrainingError::field(list, format!("name {name}"), "a picture", "none"));
                }
                if sides.insert(name.clone(), split).is_some_and(|other| other != split) {
                    return Err(TrainingError::field(
                        list,
                        format!("name {name}"),
                        "one side",
                        "train and test",
                    ));
                }
            }
        }
        Ok(())
    };
    read(&request.train, Split::Train)?;
    read(&request.test, Split::Test)?;
    Ok(sides)
}

/// The sides that groups give, by the group's whole name.
fn groups(request: &Request, entries: &[Entry]) -> Result<BTreeMap<String, Split>, TrainingError> {
    let known: BTreeSet<&String> = entries.iter().map(|entry| &entry.group).collect();
    let mut sides = BTreeMap::new();
    let given = [(&request.validation_groups, Split::Validation), (&request.test_groups, Split::Test)];
    for (names, split) in given {
        for name in names {
            let is = |group: &&&String| **group == name || group.rsplit(' ').next() == Some(name.as_str());
            let field = || format!("group {name}");
            let mut found = known.iter().filter(is).peekable();
            if found.peek().is_none() {
                return Err(TrainingError::field(&request.folder, field(), "one", "none"));
            }
            for group in found {
                if sides.insert((*group).clone(), split).is_some_and(|other| other != split) {
                    let (expected, found) = ("one side", "validation and test");
                    return Err(TrainingError::field(&request.folder, field(), expected, found));
                }
            }
        }
    }
    Ok(sides)
}

/// Draws pictures to test on and then pictures to validate on from those to learn from.
///
/// # Errors
/// [`TrainingError::Field`] for a share that is none, a count and a share at once, or a draw that is empty or
/// takes everything.
pub(super) fn draw(request: &Request, placed: &mut [Placed]) -> Result<(), TrainingError> {
    let learning = |placed: &[Placed]| placed.iter().filter(|placed| placed.split == Split::Train).count();
    let shares = [("test share", request.test_share), ("validation share", request.validation_share)];
    for (field, share) in shares {
        if !(0.0..1.0).contains(&share) {
            return Err(TrainingError::field(&request.folder, field, "from 0 to below 1", share.to_string()));
        }
    }
    if request.validation > 0 && request.validation_share > 0.0 {
        let found = format!("{} and a share of {}", request.validation, request.validation_share);
        return Err(TrainingError::field(&request.folder, "validation", "a count or a share", found));
    }
    let pool = learning(placed);
    let of_share = |share: f64| if share > 0.0 { ((share * pool as f64).round() as usize).max(1) } else { 0 };
    let validation = request.validation.max(of_share(request.validation_share));
    draw_side(request, placed, of_share(request.test_share), Split::Test, &[request.seed, 2])?;
    draw_side(request, placed, validation, Split::Validation, &[request.seed])
}

/// Draws `count` pictures, whole groups at a time: fewer where no group fits any more.
fn draw_side(
    request: &Request,
    placed: &mut [Placed],
    count: usize,
    side: Split,
    generator: &[u64],
) -> Result<(), TrainingError> {
    if count == 0 {
        return Ok(());
    }
    let mut members: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (index, placed) in placed.iter().enumerate().filter(|(_, placed)| placed.split == Split::Train) {
        members.entry(&placed.entry.group).or_default().push(index);
    }
    let pool: usize = members.values().map(Vec::len).sum();
    let mut members: Vec<Vec<usize>> = members.into_values().collect();
    Random::new(generator).shuffle(&mut members);
    let mut drawn = Vec::with_capacity(count);
    for group in members {
        if drawn.len() + group.len() <= count {
            drawn.extend(group);
        }
    }
    if count >= pool || drawn.is_empty() {
        let expected = format!("fewer than the {pool} pictures to draw from, and no fewer than a group has");
        return Err(TrainingError::field(&request.folder, side.name(), expected, count.to_string()));
    }
    for index in drawn {
        placed[index].split = side;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Mask;

    fn entry(name: &str, group: &str, side: Option<Split>) -> Entry {
        let (name, group) = (name.to_owned(), group.to_owned());
        let (source, licence) = (String::new(), String::new());
        Entry { name, group, side, picture: PathBuf::new(), mask: Mask::Empty, source, licence }
    }

    fn numbered(count: usize, per_group: usize) -> Vec<Entry> {
        (0..count).map(|n| entry(&format!("{n:03}"), &format!("patient {}", n / per_group), None)).collect()
    }

    #[test]
    fn draws_take_whole_groups_and_the_same_ones_for_a_seed() {
        let request = Request { test_share: 0.2, validation_share: 0.1, seed: 4, ..Request::default() };
        let made = |request: &Request| {
            let mut placed = assign(request, numbered(100, 5)).unwrap().placed;
            draw(request, &mut placed).unwrap();
            placed
        };
        let placed = made(&request);
        let count = |side| placed.iter().filter(|placed| placed.split == side).count();
        assert_eq!([count(Split::Train), count(Split::Validation), count(Split::Test)], [70, 10, 20]);
        for five in placed.chunks(5) {
            assert!(five.iter().all(|placed| placed.split == five[0].split));
        }
        let sides = |placed: &[Placed]| placed.iter().map(|placed| placed.split).collect::<Vec<_>>();
        assert_eq!(sides(&placed), sides(&made(&request)));
        assert_ne!(sides(&placed), sides(&made(&Request { seed: 5, ..request })));
    }

    #[test]
    fn draws_that_can_not_be_are_refused() {
        for request in [
            Request { validation: 10, ..Request::default() },
            Request { validation: 4, ..Request::default() },
            Request { test_share: 1.0, ..Request::default() },
            Request { test_share: f64::NAN, rest: Some(Split::Train), ..Request::default() },
            Request { validation: 5, validation_share: 0.5, ..Request::default() },
        ] {
            let mut placed = assign(&request, numbered(10, 5)).unwrap().placed;
            let error = draw(&request, &mut placed).unwrap_err().to_string();
            assert!(error.contains("expected"), "{error}");
        }
    }

    #[test]
    fn a_group_is_named_by_its_last_word_and_wins_over_its_folder() {
        let entries = vec![
            entry("a", "case 1", Some(Split::Train)),
            entry("b", "case 1", Some(Split::Test)),
            entry("c", "case 2", Some(Split::Train)),
            entry("d", "case 2", Some(Split::Test)),
            entry("e", "case 3", Some(Split::Test)),
        ];
        let request = Request { validation_groups: vec!["1".to_owned()], ..Request::default() };
        let sides = assign(&request, entries.clone()).unwrap();
        let placed: Vec<_> = sides.placed.iter().map(|p| (p.entry.name.as_str(), p.split.name())).collect();
        assert_eq!(placed, [("a", "validation"), ("b", "validation"), ("c", "train"), ("e", "test")]);
        assert_eq!((sides.shared, sides.unlisted), (1, 0), "d is of a case that is learned from");
        let request = Request { test_groups: vec!["4".to_owned()], ..Request::default() };
        assert!(
            assign(&request, entries).unwrap_err().to_string().contains("group 4: expected one, found none")
        );
    }
}
