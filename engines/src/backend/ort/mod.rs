//! ONNX Runtime on the CPU: the portable one, and the peer that OpenVINO is compared with.
//!
//! Not here: its other execution providers. They fall back to the CPU without a word, which a cart must not.

#[cfg_attr(feature = "ort", path = "enabled.rs")]
#[cfg_attr(not(feature = "ort"), path = "disabled.rs")]
mod imp;

pub use imp::{available, open};
