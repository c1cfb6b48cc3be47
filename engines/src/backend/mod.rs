//! The libraries that run frames. One folder each, with `enabled.rs` where a cargo feature of the backend's name brings it in; without the
//! feature, functions of the same names refuse (`left_out.rs`).
//!
//! Not here: the slice of them all ([`crate::engine::BACKENDS`]).

pub(crate) mod interface;
pub(crate) mod left_out;
pub mod openvino;
pub mod ort;
pub(crate) mod ports;
pub mod reference;
pub mod tensorrt;
