//! A network in 8-bit integers beside the float one: calibrated on pictures, kept only if its masks are as good.
//!
//! Ranges are the means over the calibration's pictures of the least and the greatest value, so that one odd picture does not
//! make all others coarse. Layers whose rounding harms the logits most, each tried alone, can stay in floats.
//!
//! Calibration runs in ONNX Runtime. Whether integers are faster is the machine's matter ([`mod@crate::bench`]).
//!
//! Not here: the graph ([`crate::onnx::quantise`]), and judging it ([`crate::score`], [`crate::folder::write_int8`]).

#[cfg(feature = "ort")]
mod enabled;

#[cfg(feature = "ort")]
pub use enabled::{Calibration, calibrate};
