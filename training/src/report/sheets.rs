//! Contact sheets: pictures with the truth and the network's contours drawn on them, the worst and the best ones.
//!
//! Not here: the overlay that carts show (`polyp::overlay`).

use std::path::Path;
use std::sync::Arc;

use image::imageops::{FilterType, overlay, resize};
use image::{Rgb, RgbImage};
use polyp::frame::Size;
use polyp::lettering::Lettering;
use polyp::metric::{CONTOURS, Sums, boundary};
use polyp_engine::score::Scorer;

use crate::TrainingError;
use crate::data::{Picture, mask_at};
use crate::predict::Predictor;
use crate::score::{Reading, run};
use crate::selection::Selection;

/// Pictures on a sheet.
pub const PICTURES: usize = 12;

const COLUMNS: u32 = 4;
const CELL: Size = Size::new(320, 320);
const CAPTION_PX: u32 = 28;
const FOOT_PX: u32 = 30;
const GROUND: Rgb<u8> = Rgb([24, 24, 28]);
const WORDS: [u8; 3] = [225; 3];
const TRUTH: Rgb<u8> = Rgb([255, 220, 0]);
const MASK: Rgb<u8> = Rgb([0, 255, 255]);
const FOOT: &str = "Yellow: truth. Cyan: the network, thick at the probability 0.5, thin at 0.05 and 0.95.";

/// One picture of a sheet.
#[derive(Clone, Debug)]
pub struct Tile {
    /// What stands below it.
    pub caption: String,
    /// The picture and its truth.
    pub picture: Arc<Picture>,
    /// The network's probabilities (0 to 1) at the picture's own size, row by row.
    pub probability: Vec<f32>,
}

/// Writes two sheets, `worst` and `best` (PNG or JPEG by their endings), of up to [`PICTURES`] pictures of a selection,
/// by their Dice. `pictures` are the selection's sums. The network runs on those pictures again.
///
/// # Errors
/// [`TrainingError`] when a picture can not be read or run, or a sheet can not be written.
pub fn sheets(
    [worst, best]: [&Path; 2],
    predictor: &mut dyn Predictor,
    reading: &Reading,
    selection: &Selection<'_>,
    pictures: &[Sums],
) -> Result<(), TrainingError> {
    let dice =
        |place: &usize| pictures.get(*place).and_then(Sums::per_image).map_or(f64::NAN, |(dice, _)| dice);
    let mut order: Vec<usize> = (0..pictures.len()).collect();
    order.sort_by(|a, b| dice(a).total_cmp(&dice(b)));
    let worst_first: Vec<usize> = order.iter().copied().take(PICTURES).collect();
    let best_first: Vec<usize> = order.iter().rev().copied().take(PICTURES).collect();
    for (path, places) in [(worst, worst_first), (best, best_first)] {
        let only = selection.only(&places);
        let mut tiles = Vec::new();
        let mut scorer = Scorer::new(reading.decoder.clone(), reading.rules);
        run(predictor, &only, &mut |_, _| {}, &mut |judged| {
            let dice = places.get(tiles.len()).map_or(f64::NAN, dice);
            tiles.push(Tile {
                caption: format!("{} Dice {dice:.3}", judged.info.name),
                picture: Arc::clone(judged.picture),
                probability: scorer.probability(judged.logits, judged.placement, judged.info.size)?,
            });
            Ok(())
        })?;
        sheet(&tiles).save(path).map_err(TrainingError::image(path, "write"))?;
    }
    Ok(())
}

/// A sheet of these pictures.
pub fn sheet(tiles: &[Tile]) -> RgbImage {
    let rows = u32::try_from(tiles.len()).unwrap_or(0).div_ceil(COLUMNS);
    let height = rows * (CELL.height + CAPTION_PX) + FOOT_PX;
    let mut sheet = RgbImage::from_pixel(COLUMNS * CELL.width, height, GROUND);
    for (place, tile) in (0_u32..).zip(tiles) {
        let (left, top) = (place % COLUMNS * CELL.width, place / COLUMNS * (CELL.height + CAPTION_PX));
        let cell = cell(tile);
        let beside = (CELL.width - cell.width()) / 2;
        overlay(&mut sheet, &cell, i64::from(left + beside), i64::from(top));
        let caption: String = tile.caption.chars().take(44).collect();
        text(&mut sheet, &caption, left + 6, top + CELL.height + 8);
    }
    text(&mut sheet, FOOT, 6, height - FOOT_PX + 9);
    sheet
}

/// A picture as large as a cell allows, with its lines.
fn cell(tile: &Tile) -> RgbImage {
    let Size { width, height } = tile.picture.size;
    let scale = (CELL.width as f32 / width as f32).min(CELL.height as f32 / height as f32);
    let side = |length: u32, most: u32| ((length as f32 * scale).round() as u32).clamp(1, most);
    let size = Size::new(side(width, CELL.width), side(height, CELL.height));
    let picture = RgbImage::from_raw(width, height, tile.picture.rgb.clone()).unwrap_or_default();
    let mut cell = resize(&picture, size.width, size.height, FilterType::Triangle);
    // Where the cell's pixels lie in the picture.
    let place = |x: u32, y: u32| ((x as f32 + 0.5) / scale - 0.5, (y as f32 + 0.5) / scale - 0.5);
    let grid = |of: &dyn Fn(f32, f32) -> bool| -> Vec<bool> {
        let row = |y: u32| (0..size.width).map(move |x| place(x, y));
        (0..size.height).flat_map(row).map(|(x, y)| of(x, y)).collect()
    };
    let reaches = |level: f32| grid(&|x, y| value_at(&tile.probability, tile.picture.size, x, y) >= level);
    let [outermost, innermost] = CONTOURS;
    for level in [outermost, innermost] {
        line(&mut cell, &reaches(level), size, MASK, false);
    }
    line(&mut cell, &reaches(0.5), size, MASK, true);
    let truth = grid(&|x, y| mask_at(&tile.picture.mask, tile.picture.size, x, y) > 0.5);
    line(&mut cell, &truth, size, TRUTH, false);
    cell
}

/// The probability of the pixel that is closest.
fn value_at(probability: &[f32], size: Size, x: f32, y: f32) -> f32 {
    let within = |place: f32, length: u32| (place.round().max(0.0) as usize).min(length as usize - 1);
    let place = within(y, size.height) * size.width as usize + within(x, size.width);
    probability.get(place).copied().unwrap_or(0.0)
}

/// Draws the boundary of a mask, one or three pixels wide.
fn line(cell: &mut RgbImage, mask: &[bool], size: Size, colour: Rgb<u8>, thick: bool) {
    for (x, y) in boundary(mask, size) {
        cell.put_pixel(x, y, colour);
        if thick {
            for (x, y) in [(x + 1, y), (x, y + 1), (x.wrapping_sub(1), y), (x, y.wrapping_sub(1))] {
                if x < size.width && y < size.height {
                    cell.put_pixel(x, y, colour);
                }
            }
        }
    }
}

fn text(sheet: &mut RgbImage, line: &str, x: u32, y: u32) {
    let width = sheet.width();
    Lettering::plain(10.0).draw_rgb(line, (x, y), WORDS, sheet, width);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_yellow_and_the_mask_cyan() {
        let size = Size::new(64, 32);
        let inside =
            |i: usize, from: usize| (from..from + 20).contains(&(i % 64)) && (8..24).contains(&(i / 64));
        let picture = Picture {
            rgb: vec![120; size.area() * 3],
            mask: (0..size.area()).map(|i| u8::from(inside(i, 30))).collect(),
            size,
        };
        let probability = (0..size.area()).map(|i| if inside(i, 4) { 0.7 } else { 0.0 }).collect();
        let tile = Tile { caption: "bar".to_owned(), picture: Arc::new(picture), probability };
        let drawn = sheet(&[tile.clone(), tile]);
        assert_eq!(drawn.dimensions(), (1280, 320 + 28 + 30));
        // The picture is five times as large: the truth's left edge is at 150, the mask's at 20.
        let is = |x: u32, y: u32, colour: Rgb<u8>| (x - 2..=x + 2).any(|x| *drawn.get_pixel(x, y) == colour);
        assert!(is(150, 80, TRUTH) && !is(150, 80, MASK));
        assert!(is(20, 80, MASK) && !is(20, 80, TRUTH));
        assert!(is(320 + 150, 80, TRUTH), "the second beside the first");
        // Where nothing is drawn the picture is as it was, and below it is a caption.
        assert_eq!(*drawn.get_pixel(60, 80), Rgb([120; 3]));
        assert!((320..348).any(|y| *drawn.get_pixel(7, y) != GROUND));
    }
}
