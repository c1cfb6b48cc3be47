//! ONNX Runtime on the CPU: the portable one, and the peer that OpenVINO is compared with. And its part for TensorRT 10 ([`tensorrt`]).
//!
//! Not here: its other execution providers. They fall back to the CPU without a word unless they are told not to, which a cart must not.

#[cfg(feature = "ort")]
mod enabled;
#[cfg(feature = "ort")]
mod library;
#[cfg(feature = "ort")]
mod probe;
#[cfg(feature = "ort-tensorrt")]
pub mod tensorrt;

#[cfg(feature = "ort")]
pub use enabled::{available, open};
#[cfg(feature = "ort")]
pub(crate) use probe::Probe;
#[cfg(not(feature = "ort"))]
crate::backend::left_out::left_out!("ort");

/// TensorRT 10 through ONNX Runtime.
#[cfg(not(feature = "ort-tensorrt"))]
pub mod tensorrt {
    crate::backend::left_out::left_out!("ort-tensorrt", prepare);
}
