//! Kvasir-SEG: `images/NAME.jpg`, `masks/NAME.png` (or `.jpg`), sides by lists of names. A list
//! `near_duplicates.csv` in the folder, if there is one, is taken as if the pairs had been found.
//!
//! Not here: sides and draws ([`super::sides`]).

use super::duplicates::listed;
use super::folder::Folder;
use super::{Entry, Importer, Listing, Mask, Request};
use crate::TrainingError;

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
        let duplicates = request.folder.join("near_duplicates.csv");
        let near = if duplicates.exists() { listed(&duplicates)? } else { Vec::new() };
        let entry = |(name, picture): (&String, &std::path::PathBuf)| Entry {
            name: name.clone(),
            group: name.clone(),
            side: None,
            picture: picture.clone(),
            mask: Mask::File(folder.mask(name)),
            source: SOURCE.to_owned(),
            licence: LICENCE.to_owned(),
        };
        Ok(Listing { entries: folder.pictures.iter().map(entry).collect(), near, orphans: folder.orphans() })
    }
}
