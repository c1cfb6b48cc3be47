//! PolypGen 2021, several centres: single frames and sequences, positive and negative.
//!
//! The layout, as programs that read the published folder describe it:
//!
//! | folder | holds |
//! |---|---|
//! | `data_C1` .. `data_C6` | a centre's single frames: `images_C1/NAME.jpg`, `masks_C1/NAME_mask.jpg` |
//! | `sequenceData/positive/seq1` .. | frames with a polyp: `images_seq1/NAME.jpg`, `masks_seq1/NAME_mask.jpg` (or `NAME.jpg`) |
//! | `sequenceData/negativeOnly/seq1_neg` .. (or `negative`) | frames without a polyp and without masks |
//!
//! `bbox_*`, `imagesAll_positive` and other folders are not looked at. A sequence is a group. The data set does
//! not say which single frames are of the same patient: each is a group of its own, unless they are grouped by
//! centre. Nor does it say whether a positive and a negative sequence are of one patient: they are two groups.
//! Nobody has tried this on the published folder yet.
//!
//! Not here: sides and draws ([`super::sides`]).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::folder::{files, folders};
use super::{Entry, Importer, Listing, Mask, Request};
use crate::TrainingError;

/// The importer of PolypGen's layout.
#[derive(Debug)]
pub struct PolypGen;

const SOURCE: &str = "PolypGen (Ali et al., Scientific Data 2023)";
const LICENCE: &str = "open access; the terms are those of its page, Synapse syn26376615";

impl Importer for PolypGen {
    fn name(&self) -> &'static str {
        "polypgen"
    }

    fn help(&self) -> &'static str {
        "data_C1 to data_C6 and sequenceData/; sides by sequence, centre or draw"
    }

    fn options(&self) -> &'static [&'static str] {
        &["group-by"]
    }

    fn list(&self, request: &Request) -> Result<Listing, TrainingError> {
        let by_centre = match request.options.group_by.as_deref() {
            None | Some("name") => false,
            Some("centre") => true,
            Some(other) => {
                return Err(TrainingError::field(&request.folder, "group by", "name or centre", other));
            }
        };
        let mut listing = Listing::default();
        for (name, path) in folders(&request.folder)? {
            let Some(centre) = name.strip_prefix("data_") else { continue };
            let group = by_centre.then_some(centre);
            pairs(&path, centre, centre, group, &mut listing)?;
        }
        let sequences = request.folder.join("sequenceData");
        for (name, path) in folders_if_there(&sequences.join("positive"))? {
            let group = format!("positive {name}");
            pairs(&path, &name, &format!("positive/{name}"), Some(group.as_str()), &mut listing)?;
        }
        for negative in ["negativeOnly", "negative"] {
            for (name, path) in folders_if_there(&sequences.join(negative))? {
                without_polyps(&path, &name, &mut listing)?;
            }
        }
        if listing.entries.is_empty() {
            let expected = "data_C1, .. or sequenceData/positive, .. with pictures";
            return Err(TrainingError::field(&request.folder, "folders", expected, "none"));
        }
        Ok(listing)
    }
}

fn folders_if_there(folder: &Path) -> Result<BTreeMap<String, PathBuf>, TrainingError> {
    if folder.exists() { folders(folder) } else { Ok(BTreeMap::new()) }
}

/// Adds `images_KEY` and `masks_KEY` of a folder, with names that begin with `prefix`.
fn pairs(
    folder: &Path,
    key: &str,
    prefix: &str,
    group: Option<&str>,
    listing: &mut Listing,
) -> Result<(), TrainingError> {
    let masks_folder = folder.join(format!("masks_{key}"));
    let masks = if masks_folder.exists() { files(&masks_folder)? } else { BTreeMap::new() };
    let mut used = BTreeSet::new();
    for (name, picture) in files(&folder.join(format!("images_{key}")))? {
        let mask = [format!("{name}_mask"), name.clone()].into_iter().find(|mask| masks.contains_key(mask));
        let missing = || masks_folder.join(format!("{name}_mask.jpg"));
        let path = mask.as_ref().and_then(|mask| masks.get(mask)).cloned().unwrap_or_else(missing);
        used.extend(mask);
        let name = format!("{prefix}/{name}");
        let group = group.unwrap_or(&name).to_owned();
        listing.entries.push(entry(name, group, picture, Mask::File(path)));
    }
    let orphans = masks.into_iter().filter(|(mask, _)| !used.contains(mask));
    listing.orphans.extend(orphans.map(|(_, path)| path));
    Ok(())
}

/// Adds a negative sequence's frames, which lie in its folder or in an `images_*` in it.
fn without_polyps(folder: &Path, name: &str, listing: &mut Listing) -> Result<(), TrainingError> {
    let below = folders(folder)?.into_iter().filter(|(name, _)| name.starts_with("images_"));
    for place in std::iter::once(folder.to_owned()).chain(below.map(|(_, path)| path)) {
        for (frame, picture) in files(&place)? {
            let (frame, group) = (format!("negative/{name}/{frame}"), format!("negative {name}"));
            listing.entries.push(entry(frame, group, picture, Mask::Empty));
        }
    }
    Ok(())
}

fn entry(name: String, group: String, picture: PathBuf, mask: Mask) -> Entry {
    let (source, licence) = (SOURCE.to_owned(), LICENCE.to_owned());
    Entry { name, group, side: None, picture, mask, source, licence }
}
