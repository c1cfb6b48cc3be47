//! OpenVINO on the CPU: the default.
//!
//! It reads `model.onnx` as it is and computes in float32 or, where the CPU multiplies it, in bfloat16.
//!
//! Not here: OpenVINO's GPU and NPU devices.

#[cfg_attr(feature = "openvino", path = "enabled.rs")]
#[cfg_attr(not(feature = "openvino"), path = "disabled.rs")]
mod imp;

pub use imp::{available, open};
