//! Mucosa without a lesion, as large as a data set has it.
//!
//! Not here: what is set onto it ([`super::paste`]).

use image::RgbImage;
use image::imageops::{self, FilterType};
use polyp::frame::{Rect, Size};
use polyp::metric::{grown, parts};

use crate::TrainingError;
use crate::data::{DataSet, Picture};

/// Rows into which a picture is divided to look for free parts.
const ROWS: usize = 48;
/// Pixels whose brightest sample is below this are not mucosa: the black around the endoscope's picture, and its panels.
const DARK: u8 = 48;
/// Pixels whose darkest sample is above this are not mucosa either: letters, panels, large reflections.
const WHITE: u8 = 190;
/// The share of a cell's pixels that may be dark or white: folds have shadows, and small reflections are everywhere.
const OTHER_SHARE: f64 = 0.05;
/// The share of all pictures' grounds that are used: the largest ones.
const USED: f64 = 0.35;

/// A part of a picture without a lesion and without black, of the picture's own shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ground {
    /// The picture's number in its data set.
    pub(super) index: usize,
    /// Where it is.
    pub(super) rect: Rect,
    /// How much it has to be enlarged to be as large as the picture.
    pub(super) enlarged: f32,
}

/// The largest grounds of some pictures, the largest first; of each picture at most one.
pub(super) fn grounds(data: &DataSet, indices: &[usize]) -> Result<Vec<Ground>, TrainingError> {
    let mut all = Vec::new();
    for &index in indices {
        let picture = data.read(index)?;
        if let Some(rect) = largest_free(&picture) {
            let enlarged = picture.size.height as f32 / rect.height as f32;
            all.push(Ground { index, rect, enlarged });
        }
    }
    all.sort_by(|a, b| a.enlarged.total_cmp(&b.enlarged).then(a.index.cmp(&b.index)));
    all.truncate(((all.len() as f64 * USED).ceil() as usize).max(2));
    Ok(all)
}

impl Ground {
    /// It, enlarged to `size`, mirrored if so asked.
    pub(super) fn cut(&self, picture: &Picture, size: Size, mirrored: bool) -> RgbImage {
        let Rect { x, y, width, height } = self.rect;
        let whole = RgbImage::from_raw(picture.size.width, picture.size.height, picture.rgb.clone());
        let part = imageops::crop_imm(&whole.unwrap_or_default(), x, y, width, height).to_image();
        let mut large = imageops::resize(&part, size.width, size.height, FilterType::CatmullRom);
        if mirrored {
            imageops::flip_horizontal_in_place(&mut large);
        }
        large
    }
}

/// The largest rectangle of the picture's own shape without lesion, its surroundings or black.
fn largest_free(picture: &Picture) -> Option<Rect> {
    let Size { width, height } = picture.size;
    let free = free_cells(picture);
    // The side of the largest square of free cells that ends in each cell.
    let mut sides = vec![[0_usize; ROWS]; ROWS];
    let mut best = (0, 0, 0);
    for row in 0..ROWS {
        for column in 0..ROWS {
            let at = |row: Option<usize>, column: Option<usize>| {
                let side = || sides.get(row?)?.get(column?).copied();
                side().unwrap_or(0)
            };
            let (above, before) = (row.checked_sub(1), column.checked_sub(1));
            let least = at(above, Some(column)).min(at(Some(row), before)).min(at(above, before));
            let is_free = free.get(row).and_then(|row| row.get(column)).copied().unwrap_or(false);
            let side = if is_free { least + 1 } else { 0 };
            if let Some(place) = sides.get_mut(row).and_then(|row| row.get_mut(column)) {
                *place = side;
            }
            if side > best.0 {
                best = (side, row + 1 - side, column + 1 - side);
            }
        }
    }
    let (side, row, column) = best;
    let pixels = |cells: usize, length: u32| (cells * length as usize / ROWS) as u32;
    let rect = Rect {
        x: pixels(column, width),
        y: pixels(row, height),
        width: pixels(side, width),
        height: pixels(side, height),
    };
    (rect.width > 0 && rect.height > 0).then_some(rect)
}

/// Which cells of a picture are free, row by row.
fn free_cells(picture: &Picture) -> Vec<[bool; ROWS]> {
    let Size { width, height } = picture.size;
    let truth: Vec<bool> = picture.mask.iter().map(|value| *value == 1).collect();
    let lesions: Vec<Rect> = parts(&truth, picture.size)
        .into_iter()
        .map(|part| {
            let by = (part.bounds.width.div_ceil(8), part.bounds.height.div_ceil(8));
            grown(part.bounds, by, picture.size)
        })
        .collect();
    let mut others = vec![[0_u32; ROWS]; ROWS];
    let mut pixels = vec![[0_u32; ROWS]; ROWS];
    for (place, pixel) in picture.rgb.as_chunks::<3>().0.iter().enumerate() {
        let (x, y) = (place % width as usize, place / width as usize);
        let (row, column) = (y * ROWS / height as usize, x * ROWS / width as usize);
        let add = |counts: &mut Vec<[u32; ROWS]>, more: u32| {
            if let Some(count) = counts.get_mut(row).and_then(|row| row.get_mut(column)) {
                *count += more;
            }
        };
        add(&mut pixels, 1);
        let inside = |rect: &Rect| {
            (rect.x..rect.x + rect.width).contains(&(x as u32))
                && (rect.y..rect.y + rect.height).contains(&(y as u32))
        };
        let strange = pixel.iter().all(|sample| *sample < DARK) || pixel.iter().all(|sample| *sample > WHITE);
        // A lesion's pixel is as good as a whole cell of others.
        add(&mut others, if lesions.iter().any(inside) { u32::from(u16::MAX) } else { u32::from(strange) });
    }
    let cell = |(others, pixels): (&u32, &u32)| {
        *pixels > 0 && f64::from(*others) <= OTHER_SHARE * f64::from(*pixels)
    };
    let row = |(others, pixels): (&[u32; ROWS], &[u32; ROWS])| {
        let mut free = [false; ROWS];
        for (free, counts) in free.iter_mut().zip(others.iter().zip(pixels)) {
            *free = cell(counts);
        }
        free
    };
    others.iter().zip(&pixels).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_free_part_has_no_lesion_and_no_black() {
        let size = Size::new(96, 96);
        let at = |i: usize| (i % 96, i / 96);
        // Black in the left eighth, a lesion in the right half's middle.
        let rgb = (0..size.area()).flat_map(|i| if at(i).0 < 12 { [0; 3] } else { [150, 90, 80] }).collect();
        let lesion = |(x, y): (usize, usize)| (60..76).contains(&x) && (40..56).contains(&y);
        let mask = (0..size.area()).map(|i| u8::from(lesion(at(i)))).collect();
        let found = largest_free(&Picture { rgb, mask, size }).unwrap();
        // Between the black (until 12) and the lesion with its surroundings (from 58).
        assert_eq!(found, Rect { x: 12, y: 0, width: 46, height: 46 });
        let black = Picture { rgb: vec![0; size.area() * 3], mask: vec![0; size.area()], size };
        assert_eq!(largest_free(&black), None);
    }

    #[test]
    fn a_ground_is_enlarged_and_may_be_mirrored() {
        let size = Size::new(8, 4);
        let rgb = (0..32).flat_map(|i| [if i % 8 < 2 { 200 } else { 100 }; 3]).collect();
        let picture = Picture { rgb, mask: vec![0; 32], size };
        let ground = Ground { index: 0, rect: Rect { x: 0, y: 0, width: 4, height: 2 }, enlarged: 2.0 };
        let (plain, mirrored) = (ground.cut(&picture, size, false), ground.cut(&picture, size, true));
        assert_eq!((plain.dimensions(), plain.get_pixel(0, 0).0), ((8, 4), [200; 3]));
        assert_eq!((mirrored.get_pixel(7, 0).0, mirrored.get_pixel(0, 0).0), ([200; 3], [100; 3]));
    }
}
