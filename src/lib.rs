//! What is true of live polyp segmentation with no machine attached: frames, masks, overlays, the
//! network's description, budgets and configuration.
//!
//! No GStreamer, no CUDA, no torch and no `unsafe` in this library; the tool `polyp` (feature `cli`) drives
//! GStreamer as any application would. A frame's way through the modules:
//!
//! 1. [`frame`]: a borrowed picture in its own pixel format ([`frame::FrameView`]).
//!    [`frozen`]: whether it is one at all, or the one before again.
//! 2. [`roi`]: where in it the endoscope's picture lies.
//! 3. [`preprocess`]: that part, resized and normalised as [`input::InputSpec`] says, for the network.
//! 4. [`model`]: the network, described once and interpreted by the engines, the trainer and the exporter.
//! 5. [`decode`]: its logits, turned into a [`segmentation::Segmentation`].
//! 6. [`motion`]: a segmentation of an earlier frame, moved to this one ([`segmentation::Moved`]).
//!    [`alarm`]: whether enough of them say that there is a polyp.
//! 7. [`overlay`]: a [`segmentation::Shown`] painted on the frame.
//!
//! [`metric`] says how good masks are; [`random`] draws the same numbers everywhere; [`reuse`] spares allocations. [`config`] is a cart's
//! configuration file; [`clip`] and [`lettering`] serve the demonstration.
//!
//! Running a network on a device is `polyp-engine`'s job; moving buffers is `gst-plugin-polyp`'s.
#![forbid(unsafe_code)]

pub mod alarm;
pub mod clip;
pub mod colour;
pub mod config;
pub mod decode;
pub mod frame;
pub mod frozen;
pub mod input;
pub mod lettering;
pub mod metric;
pub mod model;
pub mod motion;
pub mod overlay;
#[cfg(test)]
mod picture;
pub mod preprocess;
pub mod random;
pub mod reuse;
pub mod roi;
pub mod segmentation;
pub mod session;
mod simd;
pub mod trace;
