//! The style `contours`: how sure the network is, as lines of equal probability and a hatched band of doubt.

use super::recipe::{Recipe, Stroke, Tint, firmness};
use super::settings::scaled;
use super::{Settings, Style};
use crate::frame::Size;
use crate::segmentation::Shown;

/// The widths and strengths of the lines beside the main one, of its own.
const THIN: (f32, f32) = (0.6, 0.8);

/// Lines of equal calibrated probability, and a hatched band between the outermost: wide where the network doubts where
/// the polyp ends.
#[derive(Debug)]
pub(super) struct Contours;

impl Style for Contours {
    fn name(&self) -> &'static str {
        "contours"
    }

    fn help(&self) -> &'static str {
        "Lines of equal probability and a hatched band of doubt; shows how sure the edge is"
    }

    fn describe(&self, shown: &Shown<'_>, settings: &Settings, size: Size, recipe: &mut Recipe) {
        recipe.edge(shown, settings, size);
        let half_px = (scaled(settings.line_px * THIN.0, size) / 2.0).max(0.5);
        let strength = THIN.1 * firmness(shown);
        let others = settings.levels.iter().filter(|level| (*level - settings.threshold).abs() > 0.01);
        recipe.strokes.extend(others.map(|level| Stroke { level: *level, half_px, strength }));
        if let (Some(low), Some(high)) = (settings.levels.first(), settings.levels.last())
            && low < high
        {
            let strength = settings.opacity * firmness(shown);
            recipe.tint = Tint::Doubt { low: *low, high: *high, strength };
        }
    }
}
