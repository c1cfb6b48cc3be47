//! TensorRT for RTX on an NVIDIA card.
//!
//! The card is asked for before the library: without a driver the library's own calls can not be trusted. A plan is made of the folder the
//! first time ([`crate::plan`]), and found after that.
//!
//! Not here: making plans, and the way of a frame ([`crate::cuda`]).

#[cfg_attr(feature = "tensorrt-rtx", path = "enabled.rs")]
#[cfg_attr(not(feature = "tensorrt-rtx"), path = "disabled.rs")]
mod imp;

pub use imp::{available, open, prepare};
