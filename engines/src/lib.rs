//! The polyp network on a device.
//!
//! From a folder on disk to a mask, module by module:
//!
//! 1. [`manifest`], [`folder`]: an engine folder, checked when it is opened: what it says of itself, and that
//!    every file is the one that was written.
//! 2. [`weights`]: named arrays, read from and written to safetensors.
//! 3. [`prompt`], [`memory`]: a sentence, made the six small tensors that every frame is asked about.
//! 4. [`engine`]: what runs frames ([`engine::Engine`]) and the slice of what can ([`engine::BACKENDS`]).
//! 5. [`mod@reference`], [`backend`]: the plain CPU interpreter that is the specification, and the libraries that
//!    are fast. [`onnx`] writes the one file that they read.
//! 6. [`plan`]: what TensorRT makes of a folder ahead of time; [`cuda`]: what a card does to a frame before and after
//!    the network.
//! 7. [`worker`]: a thread that owns an engine, and waits that always end.
//! 8. `isolation`: the same engine in a process of its own.
//! 9. [`quantise`]: a twin of the network in 8-bit integers.
//! 10. [`verify`], [`score`], [`mod@bench`]: whether an engine computes the right thing, how good and how fast it is.
//!
//! [`deps`] knows where the libraries that are opened at run time lie. Every error is an
//! [`error::EngineError`].
//!
//! Not here: frames, pixels and the network's description (`polyp`), GStreamer, and learning.

pub mod backend;
pub mod bench;
pub mod cuda;
pub mod deps;
pub mod engine;
pub mod error;
pub mod folder;
#[cfg(unix)]
pub mod isolation;
pub mod manifest;
pub mod memory;
pub mod onnx;
pub mod plan;
pub mod prompt;
pub mod quantise;
pub mod reference;
pub mod score;
pub mod verify;
pub mod weights;
pub mod worker;
