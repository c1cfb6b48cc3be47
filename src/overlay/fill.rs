//! The style `fill`: the mask as a tinted area, with its outline.

use super::drawing::draw;
use super::recipe::{Tint, firmness};
use super::{Scratch, Settings, Style};
use crate::frame::Canvas;
use crate::segmentation::Shown;

/// The mask as a tinted area, with its outline.
#[derive(Debug)]
pub(super) struct Fill;

impl Style for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn help(&self) -> &'static str {
        "The mask as a tinted area with its outline; seen from far, hides texture"
    }

    fn paint(&self, shown: &Shown<'_>, settings: &Settings, canvas: &mut Canvas<'_>, scratch: &mut Scratch) {
        let recipe = &mut scratch.recipe;
        recipe.clear();
        recipe.edge(shown, settings, canvas.size());
        let strength = settings.opacity * firmness(shown);
        recipe.tint = Tint::Inside { level: settings.threshold, strength };
        draw(shown, canvas, scratch);
    }
}
