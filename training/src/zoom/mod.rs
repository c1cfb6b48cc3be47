//! Pictures with small lesions, generated from real ones: a lesion and what is around it are shrunk and set onto
//! mucosa of another picture.
//!
//! Data sets of still pictures are taken from close by, and say little about lesions that take one hundredth of the
//! frame. These pictures are no substitute for real ones of that kind: texture and light are real, how a distant lesion
//! looks is guessed. So the source of each says that it was generated.
//!
//! Not here: scoring on them (`polyp-train score`).

mod ground;
mod paste;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use image::RgbImage;
use image::imageops::{self, FilterType};
use polyp::frame::Size;
use polyp::metric::bounds;

use crate::TrainingError;
use crate::data::{Captions, DataSet, DataSetWriter, Info, Picture, Random, Split};
use ground::{Ground, grounds};
use paste::{Patch, paste};

/// What to make.
#[derive(Clone, Debug)]
pub struct ZoomOut {
    /// The side whose pictures are used.
    pub split: Split,
    /// The lesion's share of the frame: at least the start and less than the end.
    pub share: Range<f64>,
    /// Names the draw of grounds, shares and places.
    pub seed: u64,
}

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zoomed {
    /// Pictures written.
    pub written: usize,
    /// Names of those left out, because they have no lesion, it is cut off or small already, or fits nowhere.
    pub left_out: Vec<String>,
}

/// Room that the lesion's surroundings get on each side, in widths and heights of its box.
const ROOM: f32 = 1.0;
/// Grounds and places that are tried for each lesion; the one that fits best is taken.
const TRIES: usize = 16;
/// What fits worse than this shows its seam.
const MISFIT: f32 = 0.15;

/// Writes a data set of zoomed-out pictures, telling `progress` how many of how many are done.
///
/// # Errors
/// [`TrainingError`] when the side has no pictures or none that will do, or a file can not be read or written.
pub fn zoom_out(
    data: &DataSet,
    plan: &ZoomOut,
    out: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Zoomed, TrainingError> {
    let indices = data.indices(plan.split);
    let grounds = grounds(data, &indices)?;
    let mut writer = DataSetWriter::create(out)?;
    let mut zoomed = Zoomed::default();
    for (done, &index) in indices.iter().enumerate() {
        let picture = data.read(index)?;
        let Some(info) = data.info(index) else { continue };
        let mut random = Random::new(&[plan.seed, index as u64]);
        match one(data, &picture, index, plan, &grounds, &mut random)? {
            Some(made) => {
                writer.add(described(info), &made)?;
                zoomed.written += 1;
            }
            None => zoomed.left_out.push(info.name.clone()),
        }
        progress(done + 1, indices.len());
    }
    if zoomed.written == 0 {
        let field = format!("split {}", plan.split.name());
        let expected = "a picture with a whole lesion that is larger than asked for";
        return Err(TrainingError::field(data.path(), field, expected, "none"));
    }
    writer.finish()?;
    Ok(zoomed)
}

/// What is known of the picture that was made from one.
fn described(info: &Info) -> Info {
    let (name, origin) = info.source.split_once(" (").unwrap_or((&info.source, "no more is known)"));
    Info {
        name: format!("{}-zoom", info.name),
        // The others say how large the lesion is and where.
        captions: Captions::new(
            [1, 2, 3, 0, 0, 0].map(|p| info.captions.p(p).unwrap_or_default().to_owned()),
        ),
        source: format!("{name} zoomed out (generated from real pictures; {origin}"),
        ..info.clone()
    }
}

/// Makes a picture of one; none where that one will not do.
fn one(
    data: &DataSet,
    picture: &Arc<Picture>,
    index: usize,
    plan: &ZoomOut,
    grounds: &[Ground],
    random: &mut Random,
) -> Result<Option<Picture>, TrainingError> {
    let others: Vec<&Ground> = grounds.iter().filter(|ground| ground.index != index).collect();
    let size = picture.size;
    let mut best: Option<(f32, Picture)> = None;
    for _ in 0..TRIES {
        let Some(ground) = others.get(random.below(others.len())) else { break };
        let Some(patch) = shrunk(picture, plan, ground.enlarged, random) else { continue };
        let (width, height) = patch.rgb.dimensions();
        let (Some(free_x), Some(free_y)) = (size.width.checked_sub(width), size.height.checked_sub(height))
        else {
            continue;
        };
        let at = (random.below(free_x as usize + 1) as u32, random.below(free_y as usize + 1) as u32);
        let source = data.read(ground.index)?;
        let mut rgb = ground.cut(&source, size, random.chance(0.5));
        let mut mask = vec![0; size.area()];
        let Some(misfit) = paste(&mut rgb, &mut mask, &patch, at) else { continue };
        if misfit < best.as_ref().map_or(MISFIT, |(least, _)| *least) {
            best = Some((misfit, Picture { rgb: rgb.into_raw(), mask, size }));
        }
    }
    Ok(best.map(|(_, picture)| picture))
}

/// The lesion with its surroundings, shrunk to a drawn share of the frame; none when it is hardly larger or there is
/// none.
fn shrunk(picture: &Picture, plan: &ZoomOut, enlarged: f32, random: &mut Random) -> Option<Patch> {
    let Size { width, height } = picture.size;
    let truth: Vec<bool> = picture.mask.iter().map(|value| *value == 1).collect();
    let lesion = bounds(&truth, picture.size)?;
    let now = truth.iter().filter(|truth| **truth).count() as f64 / truth.len() as f64;
    // Evenly on a logarithmic scale, with a little distance from both ends: counting pixels rounds.
    let between = f64::from(random.between(0.04, 0.96));
    let (low, high) = (plan.share.start.max(1e-4).ln(), plan.share.end.ln());
    let scale = ((low + (high - low) * between).exp() / now).sqrt() as f32;
    if scale >= 0.9 {
        return None;
    }
    let room = ((lesion.width as f32 * ROOM) as u32, (lesion.height as f32 * ROOM) as u32);
    let cut = polyp::metric::grown(lesion, room, picture.size);
    let side = |length: u32| ((length as f32 * scale).round() as u32).max(1);
    let (to_width, to_height) = (side(cut.width), side(cut.height));
    let rgb = RgbImage::from_raw(width, height, picture.rgb.clone())?;
    let rgb = imageops::crop_imm(&rgb, cut.x, cut.y, cut.width, cut.height).to_image();
    let mask =
        image::GrayImage::from_raw(width, height, picture.mask.iter().map(|value| value * 255).collect())?;
    let mask = imageops::crop_imm(&mask, cut.x, cut.y, cut.width, cut.height).to_image();
    let mut rgb = imageops::resize(&rgb, to_width, to_height, FilterType::Triangle);
    let mask = imageops::resize(&mask, to_width, to_height, FilterType::Triangle);
    // What is shrunk is sharper than the enlarged mucosa that it comes to lie on.
    if enlarged > 1.2 {
        rgb = imageops::blur(&rgb, 0.4 * (enlarged - 0.9));
    }
    Some(Patch { rgb, mask: mask.pixels().map(|pixel| pixel.0 >= [128]).collect() })
}
