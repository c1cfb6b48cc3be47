//! Follows a recipe over a frame: visits the gaps of the grid that have something to paint, row by row of the
//! frame, and paints each two rows.
//!
//! A mask that does not fit the frame (another size, numbers that do not go together) is not painted at all: it
//! is of another picture.

use super::field::Row;
use super::grid::{Kind, Nodes};
use super::measures::Measures;
use super::{Scratch, Settings, Style};
use crate::frame::Canvas;
use crate::segmentation::Shown;
use crate::simd::widest;

impl dyn Style + '_ {
    /// Paints `shown` on `canvas`. Pixels that it does not cover stay as they are, to the bit.
    pub fn paint(
        &self,
        shown: &Shown<'_>,
        settings: &Settings,
        canvas: &mut Canvas<'_>,
        scratch: &mut Scratch,
    ) {
        scratch.recipe.renew(self, shown, settings, canvas.size());
        widest(|| draw(shown, canvas, scratch));
    }
}

/// Paints what `scratch.recipe` says.
#[inline(always)]
fn draw(shown: &Shown<'_>, canvas: &mut Canvas<'_>, scratch: &mut Scratch) {
    let Scratch { recipe, hatching, grid, columns, rows, field, sheet, runs, dashes } = scratch;
    let placement = shown.segmentation().placement;
    let (source, target, size) = (placement.source, placement.target, canvas.size());
    let Some(nodes) = Nodes::of(shown.segmentation()) else { return };
    if !source.fits(size) {
        return;
    }
    columns.fit(source.width, target.width);
    rows.fit(source.height, target.height);
    let Measures { reach, flat, hatching_px, dashes: dash, .. } = Measures::new(recipe, shown, size);
    grid.sort(&nodes, &recipe.stops, |passed| recipe.between(passed), reach);
    hatching.fit(size.width, hatching_px);
    sheet.fit(size.width as usize);
    dashes.clear();
    dashes.extend(dash.into_iter().flat_map(|dash| {
        let places = 0..size.width.max(size.height);
        places.map(move |place| dash.weight(place))
    }));

    let (pens, solid) = (recipe.pens(), recipe.solid());
    let mut turned = None;
    let (left, top) = (source.x as usize, source.y as usize);
    for (y, (row, along)) in (top..).zip(rows.gap.iter().zip(&rows.along)) {
        let row = usize::from(*row);
        if turned != Some(row) {
            turned = Some(row);
            grid.runs(row, runs);
            if !runs.is_empty() {
                let sampled = runs.iter().filter(|(kind, _)| *kind == Kind::Field).map(|(_, span)| *span);
                field.turn(&nodes, row, columns, rows.scale, sampled);
            }
        }
        for (kind, gaps) in runs.iter() {
            let (from, to) = columns.pixels(gaps.0, gaps.1);
            let Some(layers) = sheet.open(y, (left + from, left + to)) else { continue };
            if *kind == Kind::Solid {
                let [tint, ..] = layers;
                tint.fill(solid);
            } else {
                let row = Row { along: *along, scale: rows.scale, flat, dashes };
                let sample = field.sample((from, to), left, y, &row);
                recipe.shade(&sample, hatching, layers);
            }
        }
        if y % 2 == 1 {
            sheet.flush(canvas, y - 1, pens);
        }
    }
    // The last row, if it was an even one.
    let last = top + source.height as usize - 1;
    sheet.flush(canvas, last - last % 2, pens);
}
