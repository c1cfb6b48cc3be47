//! What of a picture is not given away.

use image::{Rgb, RgbImage};
use polyp::frame::{Rect, Size};

use crate::cli::failure::Failure;

/// The least red share of what is mucosa: of a pixel's red, green and blue, so much is red. Mucosa and blood are redder; drapes, walls, gloves
/// and paper are not.
const RED: f32 = 0.38;
/// The least sum of red, green and blue of a pixel that is looked at: shadows have no colour.
const LIT: u16 = 60;
/// The least part of the lit pixels of a frame inside of a body that is red. None of Kvasir-SEG's 1000 pictures has less than 0.76, and none of
/// CVC-ClinicDB's sequences 1 to 15 (317) less than 0.64. How many frames out of a body have more is not known: none were at hand.
const INSIDE: f32 = 0.4;

/// What is covered, and what is left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Privacy {
    /// Black out all but the region that the network saw.
    pub(super) corners: bool,
    /// Black out these parts.
    pub(super) black: Vec<Rect>,
    /// Leave out frames that do not look like the inside of a body.
    pub(super) drop_out_of_body: bool,
}

impl Privacy {
    /// Whether anything is covered or left out.
    pub(super) fn covers(&self) -> bool {
        self.corners || self.drop_out_of_body || !self.black.is_empty()
    }

    /// Covers what is to be covered of a picture of which the network saw `region`; whether the frame may be exported at all.
    ///
    /// # Errors
    /// When a part does not lie in the frame, or nothing is known that could be covered.
    pub(super) fn apply(&self, picture: &mut RgbImage, region: Rect) -> Result<bool, Failure> {
        let size = Size::new(picture.width(), picture.height());
        if self.drop_out_of_body && red_share(picture, region) < INSIDE {
            return Ok(false);
        }
        if self.corners {
            if region == Rect::whole(size) {
                let sentence = "--mask-corners: the network saw whole frames, so that it is not known what lies beside the \
                                endoscope's picture; name the parts with --black";
                return Err(Failure::Usage(sentence.to_owned()));
            }
            for (x, y, pixel) in picture.enumerate_pixels_mut() {
                let inside = (region.x..region.x + region.width).contains(&x)
                    && (region.y..region.y + region.height).contains(&y);
                if !inside {
                    *pixel = Rgb([0; 3]);
                }
            }
        }
        for part in &self.black {
            if !part.fits(size) {
                return Err(Failure::Usage(format!("--black {part}: expected a part of a frame of {size}")));
            }
            for y in part.y..part.y + part.height {
                for x in part.x..part.x + part.width {
                    picture.put_pixel(x, y, Rgb([0; 3]));
                }
            }
        }
        Ok(true)
    }
}

/// The part of the region's lit pixels that are red enough to be mucosa; 0 where none is lit.
pub(super) fn red_share(picture: &RgbImage, region: Rect) -> f32 {
    let (mut lit, mut red) = (0_u32, 0_u32);
    // Every fourth pixel of every fourth row says as much.
    for y in (region.y..(region.y + region.height).min(picture.height())).step_by(4) {
        for x in (region.x..(region.x + region.width).min(picture.width())).step_by(4) {
            let Rgb([r, g, b]) = *picture.get_pixel(x, y);
            let sum = u16::from(r) + u16::from(g) + u16::from(b);
            if sum >= LIT {
                lit += 1;
                red += u32::from(f32::from(r) >= RED * f32::from(sum));
            }
        }
    }
    red as f32 / lit.max(1) as f32
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn mucosa_is_told_from_what_is_not() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kvasir-seg/images");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let picture = image::open(&path).unwrap().into_rgb8();
            let share = red_share(&picture, Rect::whole(Size::new(picture.width(), picture.height())));
            assert!(share > INSIDE, "{}: {share}", path.display());
        }
        let of = |pixel: [u8; 3]| {
            red_share(&RgbImage::from_pixel(64, 64, Rgb(pixel)), Rect::whole(Size::new(64, 64)))
        };
        for outside in [[200, 200, 200], [60, 140, 120], [30, 60, 160], [0, 0, 0], [230, 220, 190]] {
            assert!(of(outside) < INSIDE, "{outside:?}");
        }
    }
}
