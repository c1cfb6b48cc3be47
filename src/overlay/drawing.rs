//! Follows a recipe over a frame: visits the gaps of the grid that have something to paint, row by row of the
//! frame, and paints each two rows.
//!
//! A mask that does not fit the frame (another size, numbers that do not go together) is not painted at all: it
//! is of another picture.

use super::field::{Row, sample};
use super::grid::{Kind, Nodes};
use super::measures::Measures;
use super::{Scratch, Settings, Style};
use crate::frame::Canvas;
use crate::segmentation::Shown;
use crate::simd::{Work, widest};

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
        widest(Drawing { shown, canvas, scratch });
    }
}

/// A mask to be painted as `scratch.recipe` says.
struct Drawing<'a, 'c, 's> {
    shown: &'a Shown<'s>,
    canvas: &'a mut Canvas<'c>,
    scratch: &'a mut Scratch,
}

impl Work for Drawing<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { shown, canvas, scratch } = self;
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
        dashes.fit(dash, size.width.max(size.height));

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
            let here = Row { along: *along, scale: rows.scale, flat, by_row: dashes.at(y) };
            for (kind, gaps) in runs.iter() {
                let (from, to) = columns.pixels(gaps.0, gaps.1);
                let span = (left + from, left + to);
                if *kind == Kind::Solid {
                    if let Some([tint, ..]) = sheet.open(y, span) {
                        tint.fill(solid);
                    }
                } else {
                    let Some([tint, seam, line]) = sheet.open_lanes(y, span) else { continue };
                    let [upper, lower] = field.cut((from, to));
                    let upper = upper[0].iter().zip(upper[1]).zip(upper[2].iter().zip(upper[3]));
                    let lower = lower[0].iter().zip(lower[1]).zip(lower[2].iter().zip(lower[3]));
                    let patterns = hatching.row(span.0, y).iter().zip(dashes.from(span.0));
                    let layers = tint.iter_mut().zip(seam).zip(line);
                    // No closure stands in this loop's way: it is what is compiled for the widest vectors.
                    for (((upper, lower), (stripes, by_column)), ((tint, seam), line)) in
                        upper.zip(lower).zip(patterns).zip(layers)
                    {
                        let [upper, lower] =
                            [upper, lower].map(|((p, across), (down, own))| [p, across, down, own]);
                        let sample = sample(upper, lower, by_column, &here);
                        recipe.shade(&sample, stripes, [tint, seam, line]);
                    }
                    sheet.close_lanes(y, span);
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
}
