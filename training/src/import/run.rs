//! From a listing to a file: the same for every layout.
//!
//! Pictures are decoded twice, by several threads: small, to find near-duplicates before sides are drawn, and
//! then to be written, in order and by this thread alone. So memory does not grow with the pictures' size, and
//! only by about two kilobytes with their number.
//!
//! Not here: what is in a folder ([`Importer`]).

use std::collections::BTreeMap;
use std::path::Path;

use super::looks::{Look, NearPair};
use super::sides::Placed;
use super::{Importer, Request, captions, duplicates, looks, pairs, parallel, sides};
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
    /// Names left out because a list of near-duplicates says so.
    pub dropped: Vec<String>,
    /// Near-duplicates that were found: enough pairs to join all that belong together.
    pub near: Vec<NearPair>,
    /// Names left out as near-duplicates of pictures to test on.
    pub left_out: Vec<String>,
    /// Names that went from learning to validation or back, to be with their near-duplicates.
    pub moved: Vec<String>,
    /// Pictures that nothing names.
    pub unlisted: usize,
    /// Pictures to test on that are of a group that is learned from, and so were left out.
    pub shared: usize,
    /// What was wrong with the pairs that were skipped.
    pub skipped: Vec<TrainingError>,
    /// What became of the captions, when there was a file of them.
    pub captions: Option<CaptionReport>,
}

/// Imports what `request` asks for into the file `out`. A bad pair (a mask or a picture that is missing, can
/// not be decoded, or of another size) ends the import, or is left out and reported when `skip_bad`. Tells
/// `progress` how many of how many pictures are done, for the search and then for the writing.
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
    check_options(importer, request)?;
    let captions = request.captions.as_deref().map(captions::read).transpose()?;
    let listing = importer.list(request)?;
    let mut report = Report::default();
    for orphan in &listing.orphans {
        let error = TrainingError::field(orphan, "picture of this mask", "a file", "none");
        bad(error, skip_bad, &mut report)?;
    }
    let sides = sides::assign(request, listing.entries)?;
    (report.unlisted, report.shared) = (sides.unlisted, sides.shared);
    let mut placed = sides.placed;
    if placed.is_empty() {
        let expected = "at least one picture that a list or a group names";
        return Err(TrainingError::field(&request.folder, "pictures", expected, "none"));
    }
    if let Some(list) = &request.drop_duplicates {
        report.dropped = duplicates::drop_listed(&mut placed, &duplicates::listed(list)?);
    }
    let found = if request.keep_duplicates { Vec::new() } else { search(&placed, progress)? };
    let mut near: Vec<(usize, usize)> = found.iter().map(|(a, b, _)| (*a, *b)).collect();
    near.extend(by_index(&placed, &listing.near));
    report.near = found
        .into_iter()
        .map(|(a, b, correlation)| {
            let name = |index: usize| placed[index].entry.name.clone();
            NearPair { a: name(a), b: name(b), correlation }
        })
        .collect();
    let resolved = duplicates::resolve(&mut placed, &near);
    (report.left_out, report.moved) = (resolved.left_out, resolved.moved);
    sides::draw(request, &mut placed)?;
    write(&placed, captions, out, skip_bad, &mut report, progress)?;
    Ok(report)
}

/// An option that the layout has not would be passed over in silence.
fn check_options(importer: &dyn Importer, request: &Request) -> Result<(), TrainingError> {
    let unknown = request.options.given().into_iter().find(|name| !importer.options().contains(name));
    let Some(unknown) = unknown else { return Ok(()) };
    let known = importer.options();
    let expected = if known.is_empty() { "no options of its own".to_owned() } else { known.join(", ") };
    let field = format!("options of layout {}", importer.name());
    Err(TrainingError::field(&request.folder, field, expected, unknown))
}

/// A bad pair ends the import or is left out.
fn bad(error: TrainingError, skip_bad: bool, report: &mut Report) -> Result<(), TrainingError> {
    if !skip_bad {
        return Err(error);
    }
    report.skipped.push(error);
    Ok(())
}

/// Near-duplicates of different groups. A picture that can not be decoded has none here, and is reported when
/// it is to be written.
fn search(
    placed: &[Placed],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<(usize, usize, f32)>, TrainingError> {
    let mut all = Vec::with_capacity(placed.len());
    let look = |placed: &Placed| pairs::decode(&placed.entry.picture).ok().map(|picture| Look::new(&picture));
    parallel::in_order(placed, look, |index, look| {
        all.push(look);
        progress(index + 1, placed.len());
        Ok::<_, TrainingError>(())
    })?;
    Ok(looks::pairs(&all, |a, b| placed[a].entry.group != placed[b].entry.group))
}

/// Pairs of names as indices; those that name a picture which is not here are passed over.
fn by_index(placed: &[Placed], pairs: &[(String, String)]) -> Vec<(usize, usize)> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let indices: BTreeMap<&str, usize> =
        placed.iter().enumerate().map(|(index, placed)| (placed.entry.name.as_str(), index)).collect();
    let of = |name: &String| indices.get(name.as_str()).copied();
    pairs.iter().filter_map(|(a, b)| Some((of(a)?, of(b)?))).collect()
}

fn write(
    placed: &[Placed],
    mut captions: Option<captions::ByName>,
    out: &Path,
    skip_bad: bool,
    report: &mut Report,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), TrainingError> {
    let mut counts = CaptionReport::default();
    let mut writer = DataSetWriter::create(out)?;
    let read = |placed: &Placed| pairs::read(&placed.entry);
    parallel::in_order(placed, read, |index, read| {
        let Placed { entry, split } = &placed[index];
        let captions = captions.as_mut().and_then(|all| all.remove(&entry.name)).unwrap_or_default();
        match read {
            Ok(picture) => {
                *if captions.is_empty() { &mut counts.without } else { &mut counts.with } += 1;
                let info = Info {
                    name: entry.name.clone(),
                    group: entry.group.clone(),
                    split: *split,
                    source: entry.source.clone(),
                    licence: entry.licence.clone(),
                    size: picture.size,
                    captions,
                };
                writer.add(info, &picture)?;
                *report.written.entry(*split).or_default() += 1;
            }
            Err(error) => bad(error, skip_bad, report)?,
        }
        progress(index + 1, placed.len());
        Ok::<_, TrainingError>(())
    })?;
    writer.finish()?;
    report.captions = captions.map(|left| CaptionReport { unknown: left.len(), ..counts });
    Ok(())
}
