//! Public data sets' own folder layouts, made one HDF5 file each.
//!
//! An [`Importer`] only lists what is there and decides each picture's side; reading, checking and writing are
//! the same for all ([`run`]). A new one is a file here, a line in [`IMPORTERS`] and a few tiny pictures in
//! the tests.
//!
//! Not here: the HDF5 file's layout ([`crate::data`]).

mod captions;
mod clinicdb;
mod duplicates;
mod folder;
mod kvasir;
mod pairs;
mod run;

use std::path::PathBuf;

use crate::TrainingError;
use crate::data::Split;

pub use clinicdb::ClinicDb;
pub use kvasir::Kvasir;
pub use run::{CaptionReport, Report, run};

/// Every layout that can be imported.
pub const IMPORTERS: &[&dyn Importer] = &[&Kvasir, &ClinicDb];

/// One data set's own folder layout.
pub trait Importer: Sync {
    /// As the command line calls it.
    fn name(&self) -> &'static str;

    /// The layout, in a few words.
    fn help(&self) -> &'static str;

    /// What of the folder becomes part of the data set, and on which side.
    ///
    /// # Errors
    /// [`TrainingError`] naming the file and what is wrong in it.
    fn list(&self, request: &Request) -> Result<Listing, TrainingError>;
}

/// The importer of that name.
pub fn importer(name: &str) -> Option<&'static dyn Importer> {
    IMPORTERS.iter().copied().find(|importer| importer.name() == name)
}

/// What to import, and how to divide it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The data set's folder.
    pub folder: PathBuf,
    /// Lists of names (one a line) to learn from.
    pub train: Vec<PathBuf>,
    /// Lists of names (one a line) to test on.
    pub test: Vec<PathBuf>,
    /// How many of those to learn from are drawn for validation.
    pub validation: usize,
    /// Names the draw.
    pub seed: u64,
    /// Groups (sequences) to validate on, where the layout has groups.
    pub validation_groups: Vec<String>,
    /// Groups (sequences) to test on, where the layout has groups.
    pub test_groups: Vec<String>,
    /// The side of whatever no list and no group names; left out when none.
    pub rest: Option<Split>,
    /// A list of near-duplicate pictures (`corr,name_a,name_b`) of which one a pair is left out: never the one
    /// to test on.
    pub drop_duplicates: Option<PathBuf>,
    /// Captions by name, in JSON lines.
    pub captions: Option<PathBuf>,
}

/// What an [`Importer`] found.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The pictures, in the order in which they are written.
    pub entries: Vec<Entry>,
    /// Names left out as near-duplicates of another picture.
    pub dropped: Vec<String>,
    /// Masks without a picture, which are an error unless bad pairs are skipped.
    pub orphans: Vec<PathBuf>,
    /// How many pictures no list and no group names.
    pub unlisted: usize,
}

/// A picture to import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name; unique.
    pub name: String,
    /// What must stay on one side.
    pub group: String,
    /// Its side.
    pub split: Split,
    /// The picture's file.
    pub picture: PathBuf,
    /// The mask's file, which may be missing.
    pub mask: PathBuf,
    /// The data set.
    pub source: &'static str,
    /// Its terms.
    pub licence: &'static str,
}
