//! The lengths in which a recipe is painted: what depends on the frame's size, and on how the mask lies in it.

use super::axis;
use super::recipe::{Recipe, furthest_px, stop, unit};
use super::settings::{Settings, scaled};
use crate::frame::Size;
use crate::input::Placement;
use crate::segmentation::{Needed, Shown};
use crate::simd::LANES;

/// Width of one stripe of the hatching of doubt, in pixels of a frame 1080 pixels high.
const STRIPE_PX: f32 = 6.0;
/// Length of one dash and its gap, in pixels of a frame 1080 pixels high.
const DASH_PX: f32 = 16.0;
/// The shares of a dash that are drawn when a mask is hardly older than its frame, and when it is as old as it
/// may be.
const DASH_SHARE: (f32, f32) = (0.75, 0.35);

/// The lengths in which a recipe is painted on one frame. The mask's nodes are its cells' centres, and what lies
/// between two nodes is a gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// Gaps per frame pixel, across and down.
    pub scale: [f32; 2],
    /// How many gaps away from a gap that changes within itself pixels are still worked out one by one, across and
    /// down.
    pub reach: [usize; 2],
    /// The slope, in probability per pixel, under which levels are noise.
    pub flat: f32,
    /// Period of the hatching, in pixels: two stripes.
    pub hatching_px: u32,
    /// The dashes of a mask that is older than its frame; none when it is of that frame.
    pub dashes: Option<Dashes>,
}

/// Cells of a mask that lies like this in a frame of `size` that any style needs to paint it, moved or not. What is painted depends on
/// no other.
pub fn needed(settings: &Settings, placement: Placement, size: Size) -> Needed {
    let lowest = settings.levels.iter().copied().fold(settings.threshold, f32::min);
    let (source, target) = (placement.source, placement.target);
    let scale = [axis::scale(source.width, target.width), axis::scale(source.height, target.height)];
    let reach_px = furthest_px(settings, size);
    // A gap that is reached has nodes at both of its ends, and slopes are taken from the nodes beside those.
    let around = scale.map(|scale| (reach_px * scale).ceil() as u32 + 3);
    Needed { least: stop(lowest).max(1), around }
}

impl Measures {
    /// Those of `recipe` for `shown` on a frame of `size`. The mask's placement has to fit both: parts that are
    /// empty give numbers without meaning.
    pub fn new(recipe: &Recipe, shown: &Shown<'_>, size: Size) -> Self {
        let placement = shown.segmentation().placement;
        let (source, target) = (placement.source, placement.target);
        let scale = [axis::scale(source.width, target.width), axis::scale(source.height, target.height)];
        let reach_px = recipe.reach_px();
        let [across, down] = scale;
        Self {
            scale,
            reach: scale.map(|scale| (reach_px * scale).ceil() as usize),
            // A quarter of the smallest step that a byte can make between two nodes.
            flat: 0.25 / 255.0 * across.min(down),
            hatching_px: (2.0 * scaled(STRIPE_PX, size).max(2.0)).round() as u32,
            dashes: Dashes::new(shown, size),
        }
    }
}

/// How the lines of a held mask are cut: columns cut a line that is nearer to level, rows one that is nearer to
/// upright.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dashes {
    /// Length of a dash with its gap, in pixels.
    pub period_px: u32,
    /// Half the length of what is drawn of it, in pixels.
    pub half_px: f32,
}

impl Dashes {
    fn new(shown: &Shown<'_>, size: Size) -> Option<Self> {
        let period = scaled(DASH_PX, size).max(6.0).round();
        let share = DASH_SHARE.1 + (DASH_SHARE.0 - DASH_SHARE.1) * shown.freshness();
        (!shown.age().is_zero()).then_some(Self { period_px: period as u32, half_px: period * share / 2.0 })
    }

    /// How much of a line is drawn at a column or row, 0 to 1.
    fn weight(self, place: u32) -> f32 {
        unit(self.half_px - from_middle(place, self.period_px) + 0.5)
    }
}

/// A weight for every column or row of a frame and for [`LANES`] more, worked out when it changes: 1 where no dashes are wanted.
#[derive(Debug, Default)]
pub(super) struct Dashing {
    dashes: Option<Dashes>,
    weights: Vec<f32>,
}

impl Dashing {
    /// Makes it `dashes` for frames with so many columns or rows.
    pub(super) fn fit(&mut self, dashes: Option<Dashes>, places: u32) {
        let places = places + LANES as u32;
        if self.dashes == dashes && self.weights.len() == places as usize {
            return;
        }
        self.dashes = dashes;
        self.weights.clear();
        self.weights.extend((0..places).map(|place| dashes.map_or(1.0, |dashes| dashes.weight(place))));
    }

    /// How much of an upright line is drawn in row `row`.
    pub(super) fn at(&self, row: usize) -> f32 {
        self.weights.get(row).copied().unwrap_or(1.0)
    }

    /// How much of a level line is drawn in each column from `column` on.
    pub(super) fn from(&self, column: usize) -> &[[f32; LANES]] {
        self.weights.get(column..).unwrap_or_default().as_chunks().0
    }
}

/// How far the centre of pixel `place` is from the middle of its period, in pixels.
pub(super) fn from_middle(place: u32, period: u32) -> f32 {
    ((place % period) as f32 + 0.5 - period as f32 / 2.0).abs()
}
