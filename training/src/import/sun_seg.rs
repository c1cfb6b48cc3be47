//! SUN-SEG: clips of colonoscopies, with the sides that its folders give.
//!
//! The layout, as its authors' page draws it:
//!
//! | folder | side |
//! |---|---|
//! | `TrainDataset` | to learn from |
//! | `TestEasyDataset`, `TestHardDataset`, each with `Seen` and `Unseen` (in an older version without) | to test on |
//!
//! In each of them `Frame/caseN_M/NAME.jpg` and `GT/caseN_M/NAME.png`; `Edge`, `Scribble`, `Polygon` and other
//! folders are not looked at. The case (`caseN`, a polyp) is the group, whatever the clip (`_M`). The cases of
//! `Seen` are those of `TrainDataset`: their test frames would be of groups that are learned from, so they are
//! left out and counted. Nobody has tried this on the published folder yet.
//!
//! Not here: sides and draws ([`super::sides`]).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::folder::{files, folders};
use super::{Entry, Importer, Listing, Mask, Request};
use crate::TrainingError;
use crate::data::Split;

/// The importer of SUN-SEG's layout.
#[derive(Debug)]
pub struct SunSeg;

const SOURCE: &str = "SUN-SEG (Ji et al., MIR 2022) on SUN (Misawa et al., GIE 2021)";
const LICENCE: &str = "by request from the owners of SUN, for research and education only";

const SIDES: [(&str, Split); 3] =
    [("TrainDataset", Split::Train), ("TestEasyDataset", Split::Test), ("TestHardDataset", Split::Test)];

impl Importer for SunSeg {
    fn name(&self) -> &'static str {
        "sun-seg"
    }

    fn help(&self) -> &'static str {
        "TrainDataset/ and Test*Dataset/ with Frame/caseN_M and GT/caseN_M; sides by folder"
    }

    fn list(&self, request: &Request) -> Result<Listing, TrainingError> {
        let mut listing = Listing::default();
        for (name, side) in SIDES {
            let top = request.folder.join(name);
            for part in ["", "Seen", "Unseen"] {
                let folder = if part.is_empty() { top.clone() } else { top.join(part) };
                if folder.join("Frame").exists() {
                    let prefix = if part.is_empty() { name.to_owned() } else { format!("{name}/{part}") };
                    clips(&folder, &prefix, side, &mut listing)?;
                }
            }
        }
        if listing.entries.is_empty() {
            let expected = "TrainDataset, TestEasyDataset or TestHardDataset with Frame/caseN_M/NAME.jpg";
            return Err(TrainingError::field(&request.folder, "folders", expected, "none"));
        }
        Ok(listing)
    }
}

fn clips(folder: &Path, prefix: &str, side: Split, listing: &mut Listing) -> Result<(), TrainingError> {
    let frames = folders(&folder.join("Frame"))?;
    let truth = folder.join("GT");
    let masks_of = if truth.exists() { folders(&truth)? } else { BTreeMap::new() };
    for clip in frames.keys().chain(masks_of.keys()).collect::<BTreeSet<_>>() {
        let pictures = frames.get(clip).map(|path| files(path)).transpose()?.unwrap_or_default();
        let masks = masks_of.get(clip).map(|path| files(path)).transpose()?.unwrap_or_default();
        let case = clip.split('_').next().unwrap_or(clip);
        for (name, picture) in &pictures {
            let missing = || truth.join(clip).join(format!("{name}.png"));
            listing.entries.push(Entry {
                name: format!("{prefix}/{clip}/{name}"),
                group: case.to_owned(),
                side: Some(side),
                picture: picture.clone(),
                mask: Mask::File(masks.get(name).cloned().unwrap_or_else(missing)),
                source: SOURCE.to_owned(),
                licence: LICENCE.to_owned(),
            });
        }
        let orphans = masks.into_iter().filter(|(name, _)| !pictures.contains_key(name));
        listing.orphans.extend(orphans.map(|(_, path)| path));
    }
    Ok(())
}
