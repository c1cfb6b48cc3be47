//! A picture's file and its mask, decoded and checked.
//!
//! Not here: which files belong together ([`super::Importer`]).

use std::path::Path;

use image::{DynamicImage, ImageReader, Limits};
use polyp::frame::{MAX_SIDE_PX, Size};

use super::{Entry, Mask};
use crate::TrainingError;
use crate::data::Picture;

/// Mask samples above this are polyp: masks saved as JPEG have ringing around 0 and 255.
const POLYP_ABOVE: u8 = 127;

/// Decodes an entry's picture and mask.
///
/// # Errors
/// [`TrainingError`] naming the file: missing, not decodable, too large, or of two sizes.
pub(super) fn read(entry: &Entry) -> Result<Picture, TrainingError> {
    if let Mask::File(path) = &entry.mask
        && !path.exists()
    {
        let field = format!("mask of picture {}", entry.name);
        return Err(TrainingError::field(path, field, "a file", "none"));
    }
    let picture = decode(&entry.picture)?.into_rgb8();
    let size = Size::new(picture.width(), picture.height());
    let mask = match &entry.mask {
        Mask::File(path) => {
            let (mask, mask_size) = mask(path)?;
            if mask_size != size {
                let expected = format!("{size}, as its picture");
                return Err(TrainingError::field(path, "size", expected, mask_size.to_string()));
            }
            mask
        }
        Mask::Empty => vec![0; size.area()],
        Mask::Regions(regions) => regions.mask(&entry.name, size)?,
    };
    Ok(Picture { rgb: picture.into_raw(), mask, size })
}

/// A mask's file as zeros and ones, and its size.
pub(super) fn mask(path: &Path) -> Result<(Vec<u8>, Size), TrainingError> {
    let mask = decode(path)?.into_luma8();
    let size = Size::new(mask.width(), mask.height());
    Ok((mask.into_raw().into_iter().map(|sample| u8::from(sample > POLYP_ABOVE)).collect(), size))
}

/// Decodes one file, of whatever format its content has.
pub(super) fn decode(path: &Path) -> Result<DynamicImage, TrainingError> {
    let reader = ImageReader::open(path).map_err(TrainingError::file("open", path))?;
    let mut reader = reader.with_guessed_format().map_err(TrainingError::file("read", path))?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE_PX), Some(MAX_SIDE_PX));
    reader.limits(limits);
    reader.decode().map_err(TrainingError::image(path, "decode"))
}
