//! CVC-ClinicDB: `images/N.png`, `masks/N.png` and `meta.csv` with each frame's `sequence`. Frames of a
//! sequence show the same polyp, so the sequence is the group and the sides are lists of sequences.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::folder::{Folder, columns};
use super::{Entry, Importer, Listing, Request};
use crate::TrainingError;
use crate::data::Split;

/// The importer of CVC-ClinicDB's layout.
#[derive(Debug)]
pub struct ClinicDb;

const SOURCE: &str = "CVC-ClinicDB (Bernal et al., CMIG 2015)";
const LICENCE: &str = "research and education only, commercial use forbidden";

impl Importer for ClinicDb {
    fn name(&self) -> &'static str {
        "clinicdb"
    }

    fn help(&self) -> &'static str {
        "images/N.png, masks/N.png and meta.csv (name,sequence); sides by sequence"
    }

    fn list(&self, request: &Request) -> Result<Listing, TrainingError> {
        refuse_lists(request)?;
        let folder = Folder::list(&request.folder)?;
        let meta = request.folder.join("meta.csv");
        let sequences: BTreeMap<String, String> = columns(&meta, ["name", "sequence"])?
            .into_iter()
            .map(|[name, sequence]| (name, sequence))
            .collect();
        let sides = sides(&meta, request, &sequences)?;
        let mut listing = Listing { orphans: folder.orphans(), ..Listing::default() };
        for (name, picture) in &folder.pictures {
            let Some(sequence) = sequences.get(name) else {
                return Err(TrainingError::field(&meta, format!("line of {name}"), "one", "none"));
            };
            let Some(split) = sides.get(sequence).copied().or(request.rest) else {
                listing.unlisted += 1;
                continue;
            };
            listing.entries.push(Entry {
                name: name.clone(),
                group: format!("sequence {sequence}"),
                split,
                picture: picture.clone(),
                mask: folder.mask(name),
                source: SOURCE,
                licence: LICENCE,
            });
        }
        // Frames are numbered in the order of time: 2 comes before 10.
        listing
            .entries
            .sort_by_key(|entry| (entry.name.parse::<u64>().unwrap_or(u64::MAX), entry.name.clone()));
        Ok(listing)
    }
}

/// Lists of frames would divide a sequence.
fn refuse_lists(request: &Request) -> Result<(), TrainingError> {
    let by_frame = request.train.iter().chain(&request.test).chain(&request.drop_duplicates).next();
    if let Some(list) = by_frame {
        let found = "a list of frames";
        return Err(TrainingError::field(list, "sides of clinicdb", "sequences (test groups)", found));
    }
    if request.validation > 0 {
        let (expected, found) = ("0: name sequences as validation groups", request.validation.to_string());
        return Err(TrainingError::field(&request.folder, "validation", expected, found));
    }
    Ok(())
}

fn sides(
    meta: &Path,
    request: &Request,
    sequences: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Split>, TrainingError> {
    let known: BTreeSet<&String> = sequences.values().collect();
    let mut sides = BTreeMap::new();
    let lists = [(&request.validation_groups, Split::Validation), (&request.test_groups, Split::Test)];
    for (groups, split) in lists {
        for group in groups {
            if !known.contains(group) {
                return Err(TrainingError::field(meta, format!("sequence {group}"), "one", "none"));
            }
            if sides.insert(group.clone(), split).is_some_and(|other| other != split) {
                let (expected, found) = ("one side", "validation and test");
                return Err(TrainingError::field(meta, format!("sequence {group}"), expected, found));
            }
        }
    }
    Ok(sides)
}
