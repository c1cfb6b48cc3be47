//! CVC-ClinicDB: `images/N.png`, `masks/N.png` and `meta.csv` with each frame's `sequence`. Frames of a
//! sequence show the same polyp, so the sequence is the group and the sides are lists of sequences.
//!
//! Not here: sides and draws ([`super::sides`]).

use std::collections::BTreeMap;

use super::folder::{Folder, columns};
use super::{Entry, Importer, Listing, Mask, Request};
use crate::TrainingError;

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
        if let Some(list) = request.train.iter().chain(&request.test).next() {
            let found = "a list of frames, which would divide a sequence";
            return Err(TrainingError::field(list, "sides of clinicdb", "sequences (test groups)", found));
        }
        let folder = Folder::list(&request.folder)?;
        let meta = request.folder.join("meta.csv");
        let sequences: BTreeMap<String, String> = columns(&meta, ["name", "sequence"])?
            .into_iter()
            .map(|[name, sequence]| (name, sequence))
            .collect();
        let mut listing = Listing { orphans: folder.orphans(), ..Listing::default() };
        for (name, picture) in &folder.pictures {
            let Some(sequence) = sequences.get(name) else {
                return Err(TrainingError::field(&meta, format!("line of {name}"), "one", "none"));
            };
            listing.entries.push(Entry {
                name: name.clone(),
                group: format!("sequence {sequence}"),
                side: None,
                picture: picture.clone(),
                mask: Mask::File(folder.mask(name)),
                source: SOURCE.to_owned(),
                licence: LICENCE.to_owned(),
            });
        }
        // Frames are numbered in the order of time: 2 comes before 10.
        listing
            .entries
            .sort_by_key(|entry| (entry.name.parse::<u64>().unwrap_or(u64::MAX), entry.name.clone()));
        Ok(listing)
    }
}
