//! TensorRT on an NVIDIA card: TensorRT for RTX ([`rtx`]) or TensorRT 11 ([`full`]), of which a program has at most one.
//!
//! The card is asked for before the library: without a driver the library's own calls can not be trusted. A plan is made of the folder the
//! first time ([`crate::plan`]), and found after that.
//!
//! Not here: making plans, and the way of a frame ([`crate::cuda`]).

#[cfg(any(feature = "tensorrt-rtx", feature = "tensorrt"))]
mod enabled;

/// TensorRT for RTX.
pub mod rtx {
    #[cfg(feature = "tensorrt-rtx")]
    pub use super::enabled::{available, open, prepare};
    #[cfg(not(feature = "tensorrt-rtx"))]
    crate::backend::left_out::left_out!("tensorrt-rtx", prepare);
}

/// TensorRT 11.
pub mod full {
    #[cfg(feature = "tensorrt")]
    pub use super::enabled::{available, open, prepare};
    #[cfg(not(feature = "tensorrt"))]
    crate::backend::left_out::left_out!("tensorrt", prepare);
}
