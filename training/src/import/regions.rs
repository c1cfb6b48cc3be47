//! Regions as COCO's annotations have them, and the masks that they make.
//!
//! * A polygon is a list x, y, x, y, .. in pixels, where the upper left pixel reaches from 0 to 1. A pixel is
//!   inside when its centre is, by the even-odd rule. COCO's own tools go another way about a polygon's edge
//!   and may differ by pixels on it.
//! * Runs count pixels column by column, outside and inside by turns, beginning outside. As text (Lin et al.,
//!   ECCV 2014, and the data set's own tools) each count is written in groups of five bits, lowest first, as
//!   characters from `0` on; the sixth bit says that another group follows, the fifth of the last one is the
//!   sign; from the fourth count on it is the difference from the count two before.
//!
//! Not here: the annotations' file ([`super::coco`]).

use std::path::PathBuf;
use std::sync::Arc;

use polyp::frame::Size;
use serde::Deserialize;

use crate::TrainingError;

/// One annotation's region.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Region {
    /// Outlines, which are filled.
    Polygons(Vec<Vec<f32>>),
    /// Runs.
    Runs {
        /// Height and width.
        size: [u32; 2],
        /// The runs.
        counts: Runs,
    },
}

/// Runs, as numbers or as text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Runs {
    /// As numbers.
    Numbers(Vec<u64>),
    /// As text.
    Text(String),
}

/// All regions of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Regions {
    /// The file that they come from.
    pub file: Arc<PathBuf>,
    /// What that file says of the picture's size.
    pub size: Size,
    /// The regions; none when there is no polyp.
    pub regions: Vec<Region>,
}

impl Regions {
    /// The mask of picture `name`, `[H,W]`: 1 where any region is, else 0.
    ///
    /// # Errors
    /// [`TrainingError::Field`] when the picture has another size, a polygon is not of pairs or runs do not
    /// fill the picture.
    pub fn mask(&self, name: &str, size: Size) -> Result<Vec<u8>, TrainingError> {
        let wrong = |field: &str, expected: String, found: String| {
            let field = format!("{field} of {name}");
            Err(TrainingError::field(&self.file, field, expected, found))
        };
        if size != self.size {
            return wrong("size", format!("{size}, as the picture"), self.size.to_string());
        }
        let mut mask = vec![0; size.area()];
        for region in &self.regions {
            match region {
                Region::Polygons(polygons) => {
                    for polygon in polygons {
                        let (points, rest) = polygon.as_chunks::<2>();
                        let finite = polygon.iter().all(|value| value.is_finite());
                        if !rest.is_empty() || points.len() < 3 || !finite {
                            let expected = "at least three pairs of finite numbers".to_owned();
                            return wrong("polygon", expected, format!("{} numbers", polygon.len()));
                        }
                        fill(points, size, &mut mask);
                    }
                }
                Region::Runs { size: [height, width], counts } => {
                    let of = Size::new(*width, *height);
                    if of != size {
                        return wrong("size of runs", size.to_string(), of.to_string());
                    }
                    let runs = match counts {
                        Runs::Numbers(runs) => Some(runs.clone()),
                        Runs::Text(text) => decode(text),
                    };
                    let total = runs.iter().flatten().try_fold(0_u64, |sum, run| sum.checked_add(*run));
                    match runs {
                        Some(runs) if total == Some(size.area() as u64) => set(&runs, size, &mut mask),
                        Some(_) => {
                            let found = total.map_or("more".to_owned(), |total| total.to_string());
                            return wrong("runs", format!("{} pixels", size.area()), found);
                        }
                        None => return wrong("runs", "runs as text".to_owned(), counts_start(counts)),
                    }
                }
            }
        }
        Ok(mask)
    }
}

/// The beginning of runs that can not be read.
fn counts_start(counts: &Runs) -> String {
    match counts {
        Runs::Text(text) => text.chars().take(20).flat_map(char::escape_default).collect(),
        Runs::Numbers(runs) => format!("{} numbers", runs.len()),
    }
}

/// Fills a polygon, row by row, between the crossings of the row's middle.
fn fill(points: &[[f32; 2]], size: Size, mask: &mut [u8]) {
    let width = size.width as usize;
    let mut crossings = Vec::new();
    for (row, line) in mask.chunks_exact_mut(width.max(1)).enumerate() {
        let y = row as f32 + 0.5;
        crossings.clear();
        for (index, [x0, y0]) in points.iter().enumerate() {
            let [x1, y1] = points[(index + 1) % points.len()];
            if (*y0 <= y) != (y1 <= y) {
                crossings.push(x0 + (y - y0) / (y1 - y0) * (x1 - x0));
            }
        }
        crossings.sort_by(f32::total_cmp);
        for [from, to] in crossings.as_chunks::<2>().0 {
            // Centres at column + 0.5, from <= centre < to; a cast of what lies outside stops at the edge.
            let (first, end) = ((from - 0.5).ceil() as usize, (to - 0.5).ceil() as usize);
            let end = end.min(width);
            line[first.min(end)..end].fill(1);
        }
    }
}

/// Sets every second run, column by column. The runs fill the picture.
fn set(runs: &[u64], size: Size, mask: &mut [u8]) {
    let (width, height) = (size.width as usize, size.height as usize);
    let mut place = 0;
    for (index, run) in runs.iter().enumerate() {
        let end = place + *run as usize;
        if index % 2 == 1 {
            for place in place..end {
                mask[(place % height) * width + place / height] = 1;
            }
        }
        place = end;
    }
}

/// Runs from text; none when it is no such text.
fn decode(text: &str) -> Option<Vec<u64>> {
    let mut runs: Vec<u64> = Vec::new();
    let (mut value, mut shift) = (0_i64, 0);
    for byte in text.bytes() {
        let group = i64::from(byte.checked_sub(b'0').filter(|group| *group < 64)?);
        if shift > 50 {
            return None;
        }
        value |= (group & 0x1f) << shift;
        shift += 5;
        if group & 0x20 != 0 {
            continue;
        }
        if group & 0x10 != 0 {
            value |= -1 << shift;
        }
        if let Some(before) = runs.len().checked_sub(2).filter(|_| runs.len() > 2) {
            value += i64::try_from(runs[before]).ok()?;
        }
        runs.push(u64::try_from(value).ok()?);
        (value, shift) = (0, 0);
    }
    (shift == 0).then_some(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(size: Size, regions: Vec<Region>) -> Result<String, String> {
        let regions = Regions { file: Arc::new("coco.json".into()), size, regions };
        let mask = regions.mask("a", size).map_err(|error| error.to_string())?;
        let rows = mask.chunks(size.width as usize);
        let text =
            |row: &[u8]| row.iter().map(|value| if *value == 1 { '#' } else { '.' }).collect::<String>();
        Ok(rows.map(text).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn a_square_has_its_area_and_a_hole_none() {
        let square = vec![1.0, 1.0, 4.0, 1.0, 4.0, 3.0, 1.0, 3.0];
        let drawn = mask(Size::new(5, 4), vec![Region::Polygons(vec![square])]).unwrap();
        assert_eq!(drawn, ".....\n.###.\n.###.\n.....");
        // Outside, around and back along the same line: the even-odd rule leaves the middle out.
        let ring = vec![0., 0., 5., 0., 5., 5., 0., 5., 0., 0., 2., 2., 2., 3., 3., 3., 3., 2., 2., 2.];
        let drawn = mask(Size::new(5, 5), vec![Region::Polygons(vec![ring])]).unwrap();
        assert_eq!(drawn, "#####\n#####\n##.##\n#####\n#####");
    }

    #[test]
    fn what_reaches_beyond_the_picture_is_cut() {
        let large = vec![-9.0, -9.0, 2.0, -9.0, 2.0, 90.0, -9.0, 90.0];
        let right = vec![3.0, 0.0, 1e9, 0.0, 1e9, 1.0, 3.0, 1.0];
        let drawn = mask(Size::new(4, 2), vec![Region::Polygons(vec![large, right])]).unwrap();
        assert_eq!(drawn, "##.#\n##..");
    }

    #[test]
    fn runs_go_down_the_columns_as_numbers_and_as_text() {
        let size = [3, 4];
        let runs = |counts| mask(Size::new(4, 3), vec![Region::Runs { size, counts }]);
        let drawn = "..#.\n..##\n.##.";
        assert_eq!(runs(Runs::Numbers(vec![5, 4, 1, 1, 1])).unwrap(), drawn);
        assert_eq!(runs(Runs::Text("541M0".to_owned())).unwrap(), drawn, "5 4 1, 4 - 3, 1 + 0");
        assert!(runs(Runs::Numbers(vec![5, 4])).unwrap_err().contains("expected 12 pixels, found 9"));
        assert!(runs(Runs::Text("5 4".to_owned())).unwrap_err().contains("runs of a: expected runs as text"));
        assert!(runs(Runs::Numbers(vec![u64::MAX, 2])).unwrap_err().contains("found more"));
    }

    #[test]
    fn long_runs_take_several_characters() {
        assert_eq!(decode("P2"), Some(vec![64]), "0 and a following 2");
        assert_eq!(decode("P"), None, "cut short");
        assert_eq!(decode("N"), None, "a negative run");
        assert_eq!(decode("PPPPPPPPPPPPPPP1"), None, "longer than any run");
    }

    #[test]
    fn polygons_that_are_none_and_other_sizes_are_refused() {
        let polygon = |numbers: &[f32]| mask(Size::new(4, 3), vec![Region::Polygons(vec![numbers.to_vec()])]);
        for numbers in [&[0.0, 0.0, 1.0, 1.0][..], &[0.0; 7], &[f32::NAN; 6]] {
            assert!(polygon(numbers).unwrap_err().contains("polygon of a: expected at least three pairs"));
        }
        let regions = Regions { file: Arc::new("coco.json".into()), size: Size::new(4, 3), regions: vec![] };
        let error = regions.mask("a", Size::new(3, 4)).unwrap_err().to_string();
        assert!(error.contains("size of a: expected 3x4, as the picture, found 4x3"), "{error}");
    }
}
