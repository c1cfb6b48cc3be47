//! From a listing to a file: the same for every layout.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Importer, Request, captions, pairs};
use crate::TrainingError;
use crate::data::{DataSetWriter, Info, Split};

/// How the captions' file and the pictures fit together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptionReport {
    /// Pictures written with at least one caption.
    pub with: usize,
    /// Pictures written without any.
    pub without: usize,
    /// Names in the file that the data set has not.
    pub unknown: usize,
}

/// What an import came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Pictures written, per side.
    pub written: BTreeMap<Split, usize>,
    /// Names left out as near-duplicates.
    pub dropped: Vec<String>,
    /// Pictures that no list and no group names.
    pub unlisted: usize,
    /// What was wrong with the pairs that were skipped.
    pub skipped: Vec<TrainingError>,
    /// What became of the captions, when there was a file of them.
    pub captions: Option<CaptionReport>,
}

/// Imports what `request` asks for into the file `out`. A bad pair (a mask or a picture that is missing, can
/// not be decoded, or of another size) ends the import, or is left out and reported when `skip_bad`. Tells
/// `progress` how many of how many pictures are done.
///
/// # Errors
/// [`TrainingError`] naming the file; then `out` is as it was.
pub fn run(
    importer: &dyn Importer,
    request: &Request,
    out: &Path,
    skip_bad: bool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Report, TrainingError> {
    let listing = importer.list(request)?;
    let mut report = Report { dropped: listing.dropped, unlisted: listing.unlisted, ..Report::default() };
    let bad = |error: TrainingError, report: &mut Report| {
        if !skip_bad {
            return Err(error);
        }
        report.skipped.push(error);
        Ok(())
    };
    for orphan in &listing.orphans {
        bad(TrainingError::field(orphan, "picture of this mask", "a file", "none"), &mut report)?;
    }
    if listing.entries.is_empty() {
        let expected = "at least one picture that a list or a group names";
        return Err(TrainingError::field(&request.folder, "pictures", expected, "none"));
    }
    let mut captions = request.captions.as_deref().map(captions::read).transpose()?;
    let mut counts = CaptionReport::default();
    let mut writer = DataSetWriter::create(out)?;
    let total = listing.entries.len();
    for (done, entry) in listing.entries.into_iter().enumerate() {
        match pairs::read(&entry) {
            Ok(picture) => {
                let captions = captions.as_mut().and_then(|all| all.remove(&entry.name)).unwrap_or_default();
                *if captions.is_empty() { &mut counts.without } else { &mut counts.with } += 1;
                let info = Info {
                    name: entry.name,
                    group: entry.group,
                    split: entry.split,
                    source: entry.source.to_owned(),
                    licence: entry.licence.to_owned(),
                    size: picture.size,
                    captions,
                };
                writer.add(info, &picture)?;
                *report.written.entry(entry.split).or_default() += 1;
            }
            Err(error) => bad(error, &mut report)?,
        }
        progress(done + 1, total);
    }
    writer.finish()?;
    report.captions = captions.map(|left| CaptionReport { unknown: left.len(), ..counts });
    Ok(report)
}
