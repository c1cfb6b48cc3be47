//! Any folder with `images/` and `masks/`, a mask having its picture's name (the ending may differ).
//!
//! A picture's group is its own name, or what a pattern finds in the name (a patient, a sequence).
//!
//! Not here: sides and draws ([`super::sides`]).

use regex::Regex;

use super::folder::Folder;
use super::{Entry, Importer, Listing, Mask, Request};
use crate::TrainingError;

/// The importer of plain folders.
#[derive(Debug)]
pub struct Plain;

impl Importer for Plain {
    fn name(&self) -> &'static str {
        "folder"
    }

    fn help(&self) -> &'static str {
        "images/NAME.* and masks/NAME.*; sides by lists, groups or shares"
    }

    fn options(&self) -> &'static [&'static str] {
        &["group-pattern", "empty-without-mask", "source", "licence"]
    }

    fn list(&self, request: &Request) -> Result<Listing, TrainingError> {
        let folder = Folder::list(&request.folder)?;
        let groups = Groups::new(request)?;
        let mut listing = Listing { orphans: folder.orphans(), ..Listing::default() };
        for (name, picture) in &folder.pictures {
            let empty = request.options.empty_without_mask && !folder.has_mask(name);
            listing.entries.push(Entry {
                name: name.clone(),
                group: groups.of(name)?,
                side: None,
                picture: picture.clone(),
                mask: if empty { Mask::Empty } else { Mask::File(folder.mask(name)) },
                source: source(request),
                licence: licence(request),
            });
        }
        Ok(listing)
    }
}

/// The source that is given, else the folder's name.
pub(super) fn source(request: &Request) -> String {
    let folder = || request.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    request.options.source.clone().unwrap_or_else(folder)
}

/// The licence that is given.
pub(super) fn licence(request: &Request) -> String {
    request.options.licence.clone().unwrap_or_else(|| "not stated".to_owned())
}

/// From a name to its group.
pub(super) struct Groups<'a> {
    request: &'a Request,
    pattern: Option<Regex>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(request: &'a Request) -> Result<Self, TrainingError> {
        let compiled = |pattern: &String| {
            let wrong = |found: String| {
                let expected = "a regular expression with a capture, as (case[0-9]+)_";
                TrainingError::field(&request.folder, "group pattern", expected, found)
            };
            // The library draws the place of the mistake on lines of its own.
            let one_line =
                |error: regex::Error| error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            let regex = Regex::new(pattern).map_err(|error| wrong(one_line(error)))?;
            if regex.captures_len() < 2 { Err(wrong(format!("{pattern}, without one"))) } else { Ok(regex) }
        };
        let pattern = request.options.group_pattern.as_ref().map(compiled).transpose()?;
        Ok(Self { request, pattern })
    }

    pub(super) fn of(&self, name: &str) -> Result<String, TrainingError> {
        let Some(pattern) = &self.pattern else { return Ok(name.to_owned()) };
        match pattern.captures(name).and_then(|captures| captures.get(1)) {
            Some(group) => Ok(group.as_str().to_owned()),
            None => {
                let expected = format!("a match of {pattern}");
                Err(TrainingError::field(&self.request.folder, format!("group of {name}"), expected, "none"))
            }
        }
    }
}
