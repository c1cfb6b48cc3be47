//! The style `fill`: the mask as a tinted area, with its outline.

use super::recipe::{Recipe, Tint, firmness};
use super::{Settings, Style};
use crate::frame::Size;
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

    fn describe(&self, shown: &Shown<'_>, settings: &Settings, size: Size, recipe: &mut Recipe) {
        recipe.edge(shown, settings, size);
        let strength = settings.opacity * firmness(shown);
        recipe.tint = Tint::Inside { level: settings.threshold, strength };
    }
}
