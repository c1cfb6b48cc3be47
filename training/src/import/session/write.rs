//! Every frame of a session that has a mask, as a data set.

use std::collections::BTreeMap;
use std::path::Path;

use polyp::frame::Size;
use polyp::metric::to_picture;
use polyp::session::{EngineRecord, Streamed};

use super::super::{Entry, Mask, Request as Sides, sides};
use super::read::{Tool, masks};
use super::{Place, frame_name, mask_of, sessions};
use crate::TrainingError;
use crate::data::{Captions, DataSetWriter, Info, Picture, Split};

/// What is taken of sessions.
#[derive(Clone, Debug)]
pub struct Request {
    /// The program that decodes.
    pub tool: Tool,
    /// Of so many frames that have a mask one is taken.
    pub every: u64,
    /// Rows and columns of the pictures, in pixels: the region that the network saw, squashed.
    pub side: u32,
    /// The probability from which on a pixel is polyp.
    pub threshold: f32,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Pictures, per side.
    pub pictures: BTreeMap<Split, usize>,
    /// Sessions that nothing gives a side.
    pub unlisted: usize,
}

/// Writes the sessions in `sides.folder` into `out`. A session is one group; `sides` says by its name on which side it is, and
/// everything is learned from where nothing is said.
///
/// # Errors
/// [`TrainingError`] naming the session; then `out` is as it was.
pub fn write(
    request: &Request,
    sides: &Sides,
    out: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Written, TrainingError> {
    let places = sessions(&sides.folder)?;
    let placed = on_sides(&places, sides)?;
    let total = places.iter().map(|place| masks(&place.folder)).sum::<Result<usize, _>>()?;
    let total = total / usize::try_from(request.every).unwrap_or(1).max(1);
    let mut written = Written { unlisted: places.len() - placed.len(), ..Written::default() };
    let mut writer = DataSetWriter::create(out)?;
    let arguments =
        ["--side".to_owned(), request.side.to_string(), "--every".to_owned(), request.every.to_string()];
    let size = Size::new(request.side, request.side);
    for (place, split) in placed {
        let mut source = source(&place.name, None);
        for streamed in request.tool.frames(&place.folder, &arguments)? {
            let (frame, rgb, cells) = match streamed? {
                Streamed::Engine(engine) => {
                    source = self::source(&place.name, Some(&engine));
                    continue;
                }
                Streamed::Frame(frame, rgb, cells) => (frame, rgb, cells),
            };
            let probability = to_picture(&mask_of(&frame, cells), size);
            let mask = probability.iter().map(|p| u8::from(*p >= request.threshold)).collect();
            let info = Info {
                name: frame_name(&place.name, frame.sequence),
                group: place.name.clone(),
                split,
                source: source.clone(),
                licence: sides.options.licence.clone().unwrap_or_else(|| "not stated".to_owned()),
                size,
                captions: Captions::default(),
            };
            writer.add(info, &Picture { rgb, mask, size })?;
            *written.pictures.entry(split).or_default() += 1;
            progress(written.pictures.values().sum(), total);
        }
    }
    writer.finish()?;
    Ok(written)
}

/// What the column `source` says.
fn source(session: &str, engine: Option<&EngineRecord>) -> String {
    match engine {
        Some(engine) => {
            let manifest = engine.manifest_sha256.get(..12).unwrap_or(&engine.manifest_sha256);
            format!("session {session}, masks by engine {} {manifest}, not corrected", engine.name)
        }
        None => format!("session {session}, masks by an engine that is not known, not corrected"),
    }
}

fn on_sides(places: &[Place], sides: &Sides) -> Result<Vec<(Place, Split)>, TrainingError> {
    let named = !sides.validation_groups.is_empty() || !sides.test_groups.is_empty();
    let rest = sides.rest.or((!named).then_some(Split::Train));
    let sides = Sides { rest, ..sides.clone() };
    let entry = |place: &Place| Entry {
        name: place.name.clone(),
        group: place.name.clone(),
        side: None,
        picture: place.folder.clone(),
        mask: Mask::Empty,
        source: String::new(),
        licence: String::new(),
    };
    let mut placed = sides::assign(&sides, places.iter().map(entry).collect())?.placed;
    sides::draw(&sides, &mut placed)?;
    let place = |placed: sides::Placed| {
        (Place { folder: placed.entry.picture, name: placed.entry.name }, placed.split)
    };
    Ok(placed.into_iter().map(place).collect())
}
