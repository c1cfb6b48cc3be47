//! Kvasir-SEG: `images/NAME.jpg`, `masks/NAME.png` (or `.jpg`), sides by lists of names.
//!
//! Validation is drawn from the pictures to learn from; near-duplicates (`near_duplicates.csv`, if the folder
//! has one) stay on one side of that draw.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::duplicates::Duplicates;
use super::folder::{Folder, lines};
use super::{Entry, Importer, Listing, Request};
use crate::TrainingError;
use crate::data::{Random, Split};

/// The importer of Kvasir-SEG's layout.
#[derive(Debug)]
pub struct Kvasir;

const SOURCE: &str = "Kvasir-SEG (Jha et al., MMM 2020)";
const LICENCE: &str =
    "open access for research and education; commercial use needs the publisher's permission";

impl Importer for Kvasir {
    fn name(&self) -> &'static str {
        "kvasir"
    }

    fn help(&self) -> &'static str {
        "images/NAME.jpg and masks/NAME.png; sides by lists of names"
    }

    fn list(&self, request: &Request) -> Result<Listing, TrainingError> {
        let folder = Folder::list(&request.folder)?;
        let mut learning = names(&request.train, &folder)?;
        let mut test: BTreeSet<String> = names(&request.test, &folder)?.into_iter().collect();
        if let Some(both) = learning.iter().find(|name| test.contains(*name)) {
            let expected = format!("no name of a test list, as {both} is");
            return Err(TrainingError::field(&request.folder, "train list", expected, both.clone()));
        }
        let listed: BTreeSet<String> = learning.iter().chain(&test).cloned().collect();
        let unlisted: Vec<String> =
            folder.pictures.keys().filter(|name| !listed.contains(*name)).cloned().collect();
        let mut validation = BTreeSet::new();
        let mut left_out = 0;
        match request.rest {
            Some(Split::Train) => learning.extend(unlisted),
            Some(Split::Validation) => validation.extend(unlisted),
            Some(Split::Test) => test.extend(unlisted),
            None => left_out = unlisted.len(),
        }
        let dropped = match &request.drop_duplicates {
            Some(path) => Duplicates::read(path)?.drop_from(&mut learning, &test),
            None => Vec::new(),
        };
        let pool: BTreeSet<String> = learning.iter().cloned().collect();
        let groups = known_duplicates(&request.folder)?.groups(&pool);
        validation.extend(draw(&request.folder, &pool, &groups, request.validation, request.seed)?);

        let sides = learning.into_iter().map(|name| (name, Split::Train));
        let mut sides: BTreeMap<String, Split> =
            sides.chain(test.into_iter().map(|n| (n, Split::Test))).collect();
        sides.extend(validation.into_iter().map(|name| (name, Split::Validation)));
        let entry = |(name, split): (String, Split)| Entry {
            group: groups.get(&name).unwrap_or(&name).clone(),
            split,
            picture: folder.pictures.get(&name).cloned().unwrap_or_default(),
            mask: folder.mask(&name),
            source: SOURCE,
            licence: LICENCE,
            name,
        };
        let entries = sides.into_iter().map(entry).collect();
        Ok(Listing { entries, dropped, orphans: folder.orphans(), unlisted: left_out })
    }
}

/// The names of some lists, each of a picture in the folder, in order and once.
fn names(lists: &[PathBuf], folder: &Folder) -> Result<Vec<String>, TrainingError> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    for list in lists {
        for name in lines(list)? {
            if !folder.pictures.contains_key(&name) {
                return Err(TrainingError::field(list, format!("name {name}"), "a picture", "none"));
            }
            if seen.insert(name.clone()) {
                all.push(name);
            }
        }
    }
    Ok(all)
}

fn known_duplicates(folder: &Path) -> Result<Duplicates, TrainingError> {
    let path = folder.join("near_duplicates.csv");
    if path.exists() { Duplicates::read(&path) } else { Ok(Duplicates::default()) }
}

/// Draws exactly `count` of `pool`, whole groups at a time.
fn draw(
    folder: &Path,
    pool: &BTreeSet<String>,
    groups: &BTreeMap<String, String>,
    count: usize,
    seed: u64,
) -> Result<Vec<String>, TrainingError> {
    let mut members: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    for name in pool {
        members.entry(groups.get(name).unwrap_or(name)).or_default().push(name);
    }
    let mut members: Vec<Vec<&String>> = members.into_values().collect();
    Random::new(&[seed]).shuffle(&mut members);
    let mut drawn = Vec::with_capacity(count);
    for group in members {
        if drawn.len() + group.len() <= count {
            drawn.extend(group.into_iter().cloned());
        }
    }
    if drawn.len() < count || (count > 0 && drawn.len() == pool.len()) {
        let expected = format!("fewer than the {} to draw from", pool.len());
        return Err(TrainingError::field(folder, "validation", expected, count.to_string()));
    }
    Ok(drawn)
}
