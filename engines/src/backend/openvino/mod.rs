//! OpenVINO on the CPU: the default.
//!
//! It reads `model.onnx` as it is and computes in float32 or, where the CPU multiplies it, in bfloat16.
//!
//! Not here: OpenVINO's GPU and NPU devices.

#[cfg(feature = "openvino")]
mod enabled;
#[cfg(feature = "openvino")]
mod library;

#[cfg(feature = "openvino")]
pub use enabled::{available, open};
#[cfg(not(feature = "openvino"))]
crate::backend::left_out::left_out!("openvino");
