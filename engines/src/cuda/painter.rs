//! Painting on frames in a card's memory: what [`polyp::overlay`] paints, by the kernels, where the frame lies.
//!
//! Not here: whether a mask may be shown ([`polyp::segmentation::Shown`]), and the kernels' arguments ([`super::paint`]).

use std::fmt;

use polyp::frame::{Colorimetry, PixelFormat, Size};
use polyp::overlay::{self, Badge, Recipe, Settings, Style};
use polyp::segmentation::Shown;

use super::arguments::{DevicePlane, refused};
use super::driver::{
    Address, Argument, Card, CardError, Driver, Event, Pinned, PinnedSource, Priority, Stream,
};
use super::flow::failed;
use super::paint::{Overlay, Plate, Surface};
use crate::error::EngineError;

/// Threads of a block, on either side.
const BLOCK: u32 = 16;
const STEP: &str = "painting a frame";

/// A frame in the card's memory that is painted on.
#[derive(Clone, Copy, Debug)]
pub struct CardCanvas<'a> {
    /// Its format.
    pub format: PixelFormat,
    /// Its size in pixels.
    pub size: Size,
    /// What its numbers mean.
    pub colorimetry: Colorimetry,
    /// Its planes, with the card's addresses.
    pub planes: &'a [DevicePlane],
}

/// What is painted on one frame.
#[derive(Clone, Copy, Debug)]
pub struct Drawing<'a> {
    /// The mask and its style, where one is shown.
    pub mask: Option<(&'static dyn Style, &'a Shown<'a>)>,
    /// What the overlay is worth.
    pub badge: Badge,
    /// How both are painted.
    pub settings: &'a Settings,
}

impl Drawing<'_> {
    /// Whether nothing of a frame of that size would be touched.
    pub fn is_empty(&self, size: Size) -> bool {
        self.mask.is_none() && self.badge.plate(self.settings, size).is_none()
    }
}

/// A card with what painting needs. One thread has it: the one that opened the card.
pub struct Painter {
    driver: Box<dyn Driver>,
    pinned: PinnedSource,
    stream: Stream,
    done: Event,
    /// The mask on its way to the card.
    staged: Option<Pinned>,
    mask: Room,
    kinds: Room,
    recipe: Recipe,
}

/// Memory of the card that grows when it has to.
#[derive(Clone, Copy, Default)]
struct Room {
    place: Address,
    bytes: usize,
}

impl Room {
    fn at_least(&mut self, bytes: usize, driver: &mut dyn Driver) -> Result<Address, CardError> {
        if self.bytes < bytes {
            // The old place stays the driver's, so it at least doubles: all that was outgrown is less than what is there.
            let bytes = bytes.next_power_of_two();
            *self = Self { place: driver.allocate(bytes)?, bytes };
        }
        Ok(self.place)
    }
}

impl Painter {
    /// Opens the first card, in and for the thread that calls this. Takes hundreds of milliseconds.
    ///
    /// # Errors
    /// [`EngineError::Feature`] in a program without the feature `cuda`; [`EngineError::Card`] when no card can be used.
    pub fn open() -> Result<Self, EngineError> {
        Self::new(super::open(0)?)
    }

    /// Paints with `driver`.
    ///
    /// # Errors
    /// [`EngineError::Card`] when the card gives no stream or event.
    pub fn new(mut driver: Box<dyn Driver>) -> Result<Self, EngineError> {
        // What waits for it is the picture.
        let stream = driver.stream(Priority::High).map_err(failed(STEP))?;
        let done = driver.event().map_err(failed(STEP))?;
        let (pinned, recipe) = (driver.pinned(), Recipe::default());
        let (mask, kinds) = (Room::default(), Room::default());
        Ok(Self { driver, pinned, stream, done, staged: None, mask, kinds, recipe })
    }

    /// The card.
    pub fn card(&self) -> &Card {
        self.driver.card()
    }

    /// Paints `drawing` on `canvas` and waits until that is done. A mask of another picture is not painted. Memory is
    /// only asked for while masks grow.
    ///
    /// # Errors
    /// [`EngineError::Input`] when a plane is too short, or the mask is not as long as it says or has too many lines;
    /// [`EngineError::Card`] when the card fails. The frame may be half painted then, and is painted on no longer.
    ///
    /// # Safety
    /// The planes are memory that kernels of this card can reach, and nobody else writes or reads them meanwhile.
    pub unsafe fn paint(
        &mut self,
        canvas: &CardCanvas<'_>,
        drawing: &Drawing<'_>,
    ) -> Result<(), EngineError> {
        if drawing.is_empty(canvas.size) {
            return Ok(());
        }
        let surface = Surface::new(canvas.format, canvas.size, canvas.planes)?;
        // SAFETY: the caller's promise.
        let begun = unsafe { self.begin(canvas, &surface, drawing) };
        // Also after an error: what was begun still uses the frame and the mask.
        let ended = self.settle().map_err(failed(STEP));
        begun.and(ended)
    }

    /// # Safety
    /// As [`Self::paint`], until the stream has settled.
    unsafe fn begin(
        &mut self,
        canvas: &CardCanvas<'_>,
        surface: &Surface,
        drawing: &Drawing<'_>,
    ) -> Result<(), EngineError> {
        let CardCanvas { format, size, colorimetry, .. } = *canvas;
        if let Some((style, shown)) = drawing.mask {
            self.recipe.renew(style, shown, drawing.settings, size);
            if let Some(overlay) = Overlay::new(&self.recipe, shown, format, size, colorimetry)? {
                let segmentation = shown.segmentation();
                let side = segmentation.placement.side_px as usize;
                let probability = &segmentation.probability;
                if probability.len() != side * side {
                    let (expected, found) = (format!("{} bytes", side * side), probability.len().to_string());
                    return Err(refused("mask", expected, found));
                }
                // SAFETY: the caller's promise; the mask is as long as the overlay says.
                unsafe { self.overlay(surface, &overlay, probability, format) }.map_err(failed(STEP))?;
            }
        }
        if let Some(plate) = drawing.badge.plate(drawing.settings, size) {
            // SAFETY: the caller's promise.
            unsafe { self.badge(surface, &plate, format, colorimetry) }.map_err(failed(STEP))?;
        }
        Ok(())
    }

    /// # Safety
    /// As [`Self::begin`], and `probability` is as long as `overlay` says.
    unsafe fn overlay(
        &mut self,
        surface: &Surface,
        overlay: &Overlay,
        probability: &[u8],
        format: PixelFormat,
    ) -> Result<(), CardError> {
        let [columns, rows] = overlay.gaps();
        let driver = self.driver.as_mut();
        let mask = self.mask.at_least(probability.len(), driver)?;
        let kinds = self.kinds.at_least(columns as usize * rows as usize, driver)?;
        let staged = match self.staged.take().filter(|staged| staged.len() >= probability.len()) {
            Some(staged) => staged,
            None => (self.pinned)(self.mask.bytes)?,
        };
        let staged = self.staged.insert(staged);
        if let Some(to) = staged.bytes_mut().get_mut(..probability.len()) {
            to.copy_from_slice(probability);
        }
        // SAFETY: both are at least that long; the pinned one is not changed before the stream has settled.
        unsafe { driver.upload(staged.start(), mask, probability.len(), self.stream) }?;
        let (mask, kinds) = (Argument::Address(mask), Argument::Address(kinds));
        let overlay_by_value = Argument::Overlay(overlay);
        // SAFETY: those of `paint.cu`; the mask is as long as it says and there is a byte for every gap.
        unsafe { self.launch("polyp_sort", overlay.gaps(), &[overlay_by_value, mask, kinds]) }?;
        let arguments = [Argument::Surface(surface), overlay_by_value, mask, kinds];
        // SAFETY: as above, and the frame's planes were checked.
        unsafe { self.launch("polyp_paint", overlay.blocks(format), &arguments) }
    }

    /// # Safety
    /// As [`Self::begin`].
    unsafe fn badge(
        &mut self,
        surface: &Surface,
        plate: &overlay::Plate,
        format: PixelFormat,
        colorimetry: Colorimetry,
    ) -> Result<(), CardError> {
        let plate = Plate::new(plate, format, colorimetry);
        let arguments = [Argument::Surface(surface), Argument::Plate(&plate)];
        // SAFETY: those of `paint.cu`, and the frame's planes were checked.
        unsafe { self.launch("polyp_badge", plate.blocks(format), &arguments) }
    }

    /// # Safety
    /// The arguments are those that the kernel's source asks for.
    unsafe fn launch(
        &mut self,
        kernel: &'static str,
        threads: [u32; 2],
        arguments: &[Argument<'_>],
    ) -> Result<(), CardError> {
        let [across, down] = threads.map(|threads| threads.div_ceil(BLOCK));
        // SAFETY: the caller's promise.
        unsafe { self.driver.launch(kernel, [across, down, 1], [BLOCK, BLOCK, 1], arguments, self.stream) }
    }

    fn settle(&mut self) -> Result<(), CardError> {
        self.driver.record(self.done, self.stream)?;
        self.driver.synchronise(self.done)
    }
}

impl fmt::Debug for Painter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Painter").field("card", self.card()).finish_non_exhaustive()
    }
}
