//! The style `outline`: one line where the probability crosses the threshold.

use super::drawing::draw;
use super::{Scratch, Settings, Style};
use crate::frame::Canvas;
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

    fn paint(&self, shown: &Shown<'_>, settings: &Settings, canvas: &mut Canvas<'_>, scratch: &mut Scratch) {
        scratch.recipe.clear();
        scratch.recipe.edge(shown, settings, canvas.size());
        draw(shown, canvas, scratch);
    }
}
