//! What a card does besides the network: frames in, masks out, and masks on frames.
//!
//! [`kernels`] is the source of all that runs on the card, with the words that a compiler needs before it;
//! [`arguments`] are the kernels' arguments as the card sees them, and [`paint`] those of painting. [`driver`] is the seam to the
//! hardware (and `nvidia` what is behind it), [`frame`] a frame on its way to the card, [`flow`] the way of a batch over it,
//! [`engine`] all of it as an engine, and [`painter`] paints frames that lie there.
//!
//! Not here: which library runs the network ([`crate::backend`]).

pub mod arguments;
pub mod driver;
pub mod engine;
pub mod flow;
pub mod frame;
pub mod kernels;
#[cfg(feature = "cuda")]
pub mod nvidia;
pub mod paint;
pub mod painter;

use driver::Driver;

use crate::error::EngineError;

/// Card number `ordinal` behind the seam, for the thread that calls this.
///
/// # Errors
/// [`EngineError::Card`] that says what is missing, and what to do.
#[cfg(feature = "cuda")]
pub fn open(ordinal: usize) -> Result<Box<dyn Driver>, EngineError> {
    let card = nvidia::open(ordinal).map_err(flow::failed("opening"))?;
    Ok(Box::new(card))
}

/// Refuses.
///
/// # Errors
/// Always [`EngineError::Feature`].
#[cfg(not(feature = "cuda"))]
pub fn open(_ordinal: usize) -> Result<Box<dyn Driver>, EngineError> {
    Err(EngineError::Feature { backend: "card", feature: "cuda" })
}
