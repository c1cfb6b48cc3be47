//! The style `outline`: one line where the probability crosses the threshold.

use super::recipe::Recipe;
use super::{Settings, Style};
use crate::frame::Size;
use crate::segmentation::Shown;

/// One line where the probability crosses the threshold.
#[derive(Debug)]
pub(super) struct Outline;

impl Style for Outline {
    fn name(&self) -> &'static str {
        "outline"
    }

    fn help(&self) -> &'static str {
        "One line where the probability crosses the threshold; hides least"
    }

    fn describe(&self, shown: &Shown<'_>, settings: &Settings, size: Size, recipe: &mut Recipe) {
        recipe.edge(shown, settings, size);
    }
}
