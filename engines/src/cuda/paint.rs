//! The arguments of painting, laid out as the card reads them: the frame, the overlay and the badge.
//!
//! Of a frame with a mask: `polyp_sort` with a thread for each of [`Overlay::gaps`], then `polyp_paint` with one for each of
//! [`Overlay::blocks`]. With a badge: after that, `polyp_badge` with one for each of [`Plate::blocks`]. Threads beyond
//! those do nothing.
//!
//! Not here: what the kernels do with them (`paint.cu`), and what a style paints ([`polyp::overlay`]).

use polyp::frame::{Colorimetry, MAX_SIDE_PX, PixelFormat, Rect, Size};
use polyp::overlay::{self, Measures, Recipe, Stroke, Tint};
use polyp::segmentation::Shown;

use super::arguments::{DevicePlane, SourceFormat, fitting, refused};
use crate::error::EngineError;

/// Lines in an [`Overlay`], the seam among them.
const STROKES: usize = 16;
/// Levels at which something changes in an [`Overlay`].
const STOPS: usize = 15;
/// Layers of an overlay and of a badge.
const LAYERS: usize = 3;
/// A badge's height in dots, and the 32-bit words that hold a row of them.
const DOT_ROWS: usize = 13;
const DOT_WORDS: usize = 4;

/// A frame in memory that the kernels may paint on: `struct Surface`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surface {
    planes: [u64; 3],
    strides: [u32; 3],
    format: u32,
    size: [u32; 2],
}

impl Surface {
    /// A frame of `size` in `planes`.
    ///
    /// # Errors
    /// [`EngineError::Input`] when the size is out of bounds, or a plane is missing or too short.
    pub fn new(format: PixelFormat, size: Size, planes: &[DevicePlane]) -> Result<Self, EngineError> {
        let format = SourceFormat::Frame(format);
        let (planes, strides) = fitting(format, size, planes)?;
        Ok(Self { planes, strides, format: format.code(), size: [size.width, size.height] })
    }
}

/// What a style paints with one mask on one frame: `struct Overlay`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlay {
    source: [u32; 4],
    side: u32,
    target: [u32; 4],
    reach: [u32; 2],
    scale: [f32; 2],
    flat: f32,
    hatching_px: u32,
    dash_px: u32,
    half_dash_px: f32,
    tint: u32,
    low: f32,
    high: f32,
    strength: f32,
    strokes: u32,
    stroke: [[f32; 3]; STROKES],
    stops: u32,
    stop: [u8; STOPS],
    between: [u8; STOPS + 1],
    solid: u8,
    pens: [[u8; 3]; LAYERS],
}

impl Overlay {
    /// What `recipe` says for `shown` on a frame of that format, size and colorimetry; `None` where the mask is of
    /// another picture, on which nothing may be painted. Of `shown` only its age and placement count: its probabilities
    /// (as bytes, `[side_px, side_px]`) are the kernels' own argument, and may never have left the card.
    ///
    /// # Errors
    /// [`EngineError::Input`] when there are more lines or levels than the kernels take, or the mask is too large.
    pub fn new(
        recipe: &Recipe,
        shown: &Shown<'_>,
        format: PixelFormat,
        size: Size,
        colorimetry: Colorimetry,
    ) -> Result<Option<Self>, EngineError> {
        let placement = shown.segmentation().placement;
        let (source, target, side) = (placement.source, placement.target, placement.side_px);
        if !source.fits(size) || !target.fits(Size::new(side, side)) {
            return Ok(None);
        }
        at_most("mask's side", MAX_SIDE_PX as usize, side as usize)?;
        at_most("lines", STROKES - 1, recipe.strokes.len())?;
        at_most("levels", STOPS, recipe.stops.len())?;
        let measures = Measures::new(recipe, shown, size);
        let (tint, low, high, strength) = match recipe.tint {
            Tint::None => (0, 0.0, 0.0, 0.0),
            Tint::Inside { level, strength } => (1, level, level, strength),
            Tint::Doubt { low, high, strength } => (2, low, high, strength),
        };
        let mut stroke = [[0.0; 3]; STROKES];
        let none = Stroke { level: 0.0, half_px: 0.0, strength: 0.0 };
        let strokes = std::iter::once(recipe.seam.unwrap_or(none)).chain(recipe.strokes.iter().copied());
        for (to, stroke) in stroke.iter_mut().zip(strokes) {
            *to = [stroke.level, stroke.half_px + 0.5, stroke.strength * 255.0];
        }
        let mut stop = [0; STOPS];
        stop.iter_mut().zip(&recipe.stops).for_each(|(to, from)| *to = *from);
        Ok(Some(Self {
            source: numbers(source),
            side,
            target: numbers(target),
            // The kernels look no further than the mask's edge.
            reach: measures.reach.map(|gaps| gaps.min(side as usize) as u32),
            scale: measures.scale,
            flat: measures.flat,
            hatching_px: measures.hatching_px,
            dash_px: measures.dashes.map_or(0, |dashes| dashes.period_px),
            half_dash_px: measures.dashes.map_or(0.0, |dashes| dashes.half_px),
            tint,
            low,
            high,
            strength,
            strokes: recipe.strokes.len() as u32 + 1,
            stroke,
            stops: recipe.stops.len() as u32,
            stop,
            between: std::array::from_fn(|passed| recipe.between(passed as u8) as u8),
            solid: recipe.solid(),
            pens: recipe.colours(format, colorimetry).map(Option::unwrap_or_default),
        }))
    }

    /// The threads of `polyp_sort`, across and down; it writes a byte for each.
    pub fn gaps(&self) -> [u32; 2] {
        let [.., columns, rows] = self.target;
        [columns, rows].map(|nodes| nodes.saturating_sub(1).max(1))
    }

    /// The threads of `polyp_paint` on a frame of that format, across and down.
    pub fn blocks(&self, format: PixelFormat) -> [u32; 2] {
        blocks(format, self.source)
    }
}

/// A badge on one frame: `struct Plate`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plate {
    left: u32,
    top: u32,
    unit_px: u32,
    columns: u32,
    shape: [[u32; DOT_WORDS]; DOT_ROWS],
    words: [[u32; DOT_WORDS]; DOT_ROWS],
    ground: u8,
    pens: [[u8; 3]; LAYERS],
}

impl Plate {
    /// `plate` on a frame of that format and colorimetry.
    pub fn new(plate: &overlay::Plate, format: PixelFormat, colorimetry: Colorimetry) -> Self {
        let dots = |row: u128| std::array::from_fn(|word| (row >> (32 * word)) as u32);
        Self {
            left: plate.left as u32,
            top: plate.top as u32,
            unit_px: plate.unit_px as u32,
            columns: plate.width as u32,
            shape: plate.shape.map(dots),
            words: plate.words.map(dots),
            ground: plate.ground,
            pens: plate.colours(format, colorimetry),
        }
    }

    /// The threads of `polyp_badge` on a frame of that format, across and down. Those beyond the frame do nothing.
    pub fn blocks(&self, format: PixelFormat) -> [u32; 2] {
        blocks(format, [self.left, self.top, self.columns * self.unit_px, DOT_ROWS as u32 * self.unit_px])
    }
}

fn numbers(Rect { x, y, width, height }: Rect) -> [u32; 4] {
    [x, y, width, height]
}

/// How many blocks of pixels that share a chroma sample a part of a frame (left, top, width, height; not empty) touches,
/// across and down.
fn blocks(format: PixelFormat, [x, y, width, height]: [u32; 4]) -> [u32; 2] {
    let (shift_x, shift_y) = match format {
        PixelFormat::I420 | PixelFormat::Nv12 => (1, 1),
        PixelFormat::Yuy2 | PixelFormat::Uyvy => (1, 0),
        _ => (0, 0),
    };
    let touched =
        |start: u32, length: u32, shift: u32| ((start + length - 1) >> shift) - (start >> shift) + 1;
    [touched(x, width, shift_x), touched(y, height, shift_y)]
}

fn at_most(what: &str, most: usize, found: usize) -> Result<(), EngineError> {
    if found > most {
        return Err(refused(what, format!("at most {most}"), found.to_string()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use polyp::input::Placement;
    use polyp::overlay::{STYLES, Settings};
    use polyp::segmentation::Segmentation;

    use super::*;

    const SIZE: Size = Size::new(64, 48);

    fn made(placement: Placement, settings: &Settings) -> Result<Option<Overlay>, String> {
        let mask = Segmentation { probability: vec![], placement, pts: Duration::ZERO, sequence: 0 };
        let shown = mask.shown_on(Duration::ZERO, Duration::ZERO).unwrap();
        let mut recipe = Recipe::default();
        recipe.renew(STYLES[0], &shown, settings, SIZE);
        Overlay::new(&recipe, &shown, PixelFormat::Rgb, SIZE, Colorimetry::RGB)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_layout_is_the_kernels() {
        assert_eq!((size_of::<Surface>(), align_of::<Surface>()), (24 + 12 + 4 + 8, 8));
        assert_eq!((size_of::<Overlay>(), align_of::<Overlay>()), (88 + 192 + 4 + 41 + 3, 4));
        assert_eq!((size_of::<Plate>(), align_of::<Plate>()), (16 + 2 * 208 + 10 + 2, 4));
    }

    #[test]
    fn a_mask_of_another_picture_is_not_painted_and_one_that_is_too_much_is_refused() {
        let (settings, whole) = (Settings::default(), Rect::whole(SIZE));
        let placement = Placement { source: whole, target: Rect::whole(Size::new(32, 32)), side_px: 32 };
        assert!(matches!(made(placement, &settings), Ok(Some(_))));
        assert_eq!(made(Placement { source: Rect { x: 1, ..whole }, ..placement }, &settings), Ok(None));
        assert_eq!(made(Placement { side_px: 31, ..placement }, &settings), Ok(None));
        let many = Settings { levels: (1..40).map(|i| i as f32 / 40.0).collect(), ..settings };
        assert_eq!(made(placement, &many).unwrap_err(), "input lines: expected at most 15, found 39");
    }

    #[test]
    fn blocks_are_those_that_a_part_touches() {
        assert_eq!(blocks(PixelFormat::Nv12, [1, 1, 2, 1]), [2, 1]);
        assert_eq!(blocks(PixelFormat::Yuy2, [3, 3, 4, 5]), [3, 5]);
        assert_eq!(blocks(PixelFormat::Rgb, [3, 3, 4, 5]), [4, 5]);
    }
}
