//! The libraries that run frames. One folder each: `enabled.rs` with the cargo feature of that name,
//! `disabled.rs` without it, the same two functions in both.
//!
//! Not here: the slice of them all ([`crate::engine::BACKENDS`]).

pub(crate) mod interface;
pub mod openvino;
pub mod ort;
pub(crate) mod ports;
pub mod reference;
pub mod tensorrt_rtx;
