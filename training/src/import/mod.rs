//! Public data sets' own folder layouts, made one HDF5 file each.
//!
//! An [`Importer`] only lists what is there, which pictures belong together and what the folder itself says of
//! sides. The rest is the same for all ([`run`]): sides by lists, groups and draws, the search for
//! near-duplicates, reading, checking and writing. A new one is a file here, a line in [`IMPORTERS`] and a few
//! tiny pictures in the tests.
//!
//! Not here: the HDF5 file's layout ([`crate::data`]).

mod captions;
mod clinicdb;
mod coco;
mod duplicates;
mod folder;
mod kvasir;
mod looks;
mod pairs;
mod parallel;
mod plain;
mod polypgen;
mod regions;
mod run;
pub mod session;
mod sides;
mod sun_seg;

use std::path::PathBuf;

use crate::TrainingError;
use crate::data::Split;

pub use clinicdb::ClinicDb;
pub use coco::Coco;
pub use kvasir::Kvasir;
pub use looks::{CORRELATION, NearPair};
pub use plain::Plain;
pub use polypgen::PolypGen;
pub use regions::{Region, Regions, Runs};
pub use run::{CaptionReport, Report, run};
pub use session::Session;
pub use sun_seg::SunSeg;

/// Every layout that can be imported.
pub const IMPORTERS: &[&dyn Importer] = &[&Kvasir, &ClinicDb, &PolypGen, &SunSeg, &Plain, &Coco, &Session];

/// One data set's own folder layout.
pub trait Importer: Sync {
    /// As the command line calls it.
    fn name(&self) -> &'static str;

    /// The layout, in a few words.
    fn help(&self) -> &'static str;

    /// Those of [`Options`] that mean something here, by name; [`run`] refuses the others.
    fn options(&self) -> &'static [&'static str] {
        &[]
    }

    /// What is in the folder.
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
    /// Groups (sequences, patients) to validate on: a group's whole name or its last word.
    pub validation_groups: Vec<String>,
    /// Groups to test on, likewise.
    pub test_groups: Vec<String>,
    /// The side of whatever no list, no group and no folder names; left out when none. With a draw and neither
    /// lists nor groups it is the side to learn from.
    pub rest: Option<Split>,
    /// How many of those to learn from are drawn for validation, whole groups at a time.
    pub validation: usize,
    /// That number as a share of those to learn from, 0 to 1.
    pub validation_share: f64,
    /// The share of those to learn from that is drawn to test on, before validation is drawn.
    pub test_share: f64,
    /// Names the draws.
    pub seed: u64,
    /// A list of near-duplicate pictures (`corr,name_a,name_b`) of which one a pair is left out: never the one
    /// to test on.
    pub drop_duplicates: Option<PathBuf>,
    /// Do not look for near-duplicates.
    pub keep_duplicates: bool,
    /// Captions by name, in JSON lines.
    pub captions: Option<PathBuf>,
    /// What only some layouts have.
    pub options: Options,
}

/// What only some layouts have; see [`Importer::options`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A regular expression whose first capture in a picture's name is its group.
    pub group_pattern: Option<String>,
    /// What single pictures are grouped by.
    pub group_by: Option<String>,
    /// The only category of annotations that counts.
    pub category: Option<String>,
    /// A picture without a mask shows no polyp, instead of being an error.
    pub empty_without_mask: bool,
    /// Where the pictures come from.
    pub source: Option<String>,
    /// Their terms.
    pub licence: Option<String>,
}

impl Options {
    /// The names of those that are given, as on the command line.
    pub fn given(&self) -> Vec<&'static str> {
        let all = [
            (self.group_pattern.is_some(), "group-pattern"),
            (self.group_by.is_some(), "group-by"),
            (self.category.is_some(), "category"),
            (self.empty_without_mask, "empty-without-mask"),
            (self.source.is_some(), "source"),
            (self.licence.is_some(), "licence"),
        ];
        all.into_iter().filter_map(|(given, name)| given.then_some(name)).collect()
    }
}

/// What an [`Importer`] found.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The pictures, in the order in which they are written.
    pub entries: Vec<Entry>,
    /// Pairs of names that the folder itself lists as near-duplicates.
    pub near: Vec<(String, String)>,
    /// Masks without a picture, which are an error unless bad pairs are skipped.
    pub orphans: Vec<PathBuf>,
}

/// A picture to import.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name; unique.
    pub name: String,
    /// What must stay on one side.
    pub group: String,
    /// Its side, where the folder itself says so.
    pub side: Option<Split>,
    /// The picture's file.
    pub picture: PathBuf,
    /// Where there is a polyp in it.
    pub mask: Mask,
    /// The data set.
    pub source: String,
    /// Its terms.
    pub licence: String,
}

/// How a layout says where the polyps are.
#[derive(Clone, Debug)]
pub enum Mask {
    /// In a picture of the same size, which may be missing: bright is polyp.
    File(PathBuf),
    /// Nowhere.
    Empty,
    /// As outlines or runs.
    Regions(Regions),
}
