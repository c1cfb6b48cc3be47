//! TensorRT for RTX on an NVIDIA card.
//!
//! The card is asked for before the library: without a driver the library's own calls can not be trusted. A plan is made of the folder the
//! first time ([`crate::plan`]), and found after that.
//!
//! Not here: making plans, and the way of a frame ([`crate::cuda`]).

#[cfg(feature = "tensorrt-rtx")]
mod enabled;

#[cfg(feature = "tensorrt-rtx")]
pub use enabled::{available, open, prepare};
#[cfg(not(feature = "tensorrt-rtx"))]
crate::backend::left_out::left_out!("tensorrt-rtx");

/// Refuses.
///
/// # Errors
/// Always [`crate::error::EngineError::Feature`].
#[cfg(not(feature = "tensorrt-rtx"))]
pub fn prepare(
    _folder: &crate::folder::EngineFolder,
    _options: &crate::engine::Options,
    _progress: &(dyn Fn(crate::engine::Progress) + Send + Sync),
) -> Result<(), crate::error::EngineError> {
    available()
}
