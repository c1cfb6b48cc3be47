//! Follows a recipe over a frame: visits the gaps of the grid that have something to paint, row by row of the
//! frame, and paints each two rows.
//!
//! A mask that does not fit the frame (another size, numbers that do not go together) is not painted at all: it
//! is of another picture.

use super::Scratch;
use super::field::Row;
use super::grid::{Kind, Nodes};
use super::recipe::{STRIPE_PX, unit};
use super::settings::scaled;
use crate::frame::Canvas;
use crate::segmentation::Shown;

/// Length of one dash and its gap, in pixels of a frame 1080 pixels high.
const DASH_PX: f32 = 16.0;
/// The shares of a dash that are drawn when a mask is hardly older than its frame, and when it is as old as it
/// may be.
const DASH_SHARE: (f32, f32) = (0.75, 0.35);

/// Paints what `scratch.recipe` says.
pub(super) fn draw(shown: &Shown<'_>, canvas: &mut Canvas<'_>, scratch: &mut Scratch) {
    let Scratch { recipe, hatching, grid, columns, rows, field, sheet, runs, dashes } = scratch;
    let placement = shown.segmentation().placement;
    let (source, target, size) = (placement.source, placement.target, canvas.size());
    let Some(nodes) = Nodes::of(shown.segmentation()) else { return };
    if !source.fits(size) {
        return;
    }
    recipe.finish();
    columns.fit(source.width, target.width);
    rows.fit(source.height, target.height);
    let reach = recipe.reach_px();
    grid.sort(
        &nodes,
        &recipe.stops,
        |passed| recipe.between(passed),
        (columns.gaps(reach), rows.gaps(reach)),
    );
    hatching.fit(size.width as usize, scaled(STRIPE_PX, size));
    sheet.fit(size.width as usize);
    dash(dashes, shown, canvas);

    // A quarter of the smallest step that a byte can make between two nodes.
    let flat = 0.25 / 255.0 * columns.scale.min(rows.scale);
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

/// The dashes of a mask that is older than its frame, for every column or row; none when it is of that frame.
fn dash(dashes: &mut Vec<f32>, shown: &Shown<'_>, canvas: &Canvas<'_>) {
    dashes.clear();
    if shown.age().is_zero() {
        return;
    }
    let size = canvas.size();
    let period = scaled(DASH_PX, size).max(6.0).round();
    let share = DASH_SHARE.1 + (DASH_SHARE.0 - DASH_SHARE.1) * shown.freshness();
    dashes.extend((0..size.width.max(size.height)).map(|place| {
        let from_middle = (place as f32 % period + 0.5 - period / 2.0).abs();
        unit(period * share / 2.0 - from_middle + 0.5)
    }));
}
