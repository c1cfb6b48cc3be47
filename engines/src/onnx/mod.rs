//! The one file that fast backends read: an ONNX graph with its weights inside.
//!
//! [`GraphWriter`] is an interpreter of the network's description that writes down what it is asked to do. It
//! folds and fuses nothing: layer normalisation and GELU stay single operations, an attention stays two
//! products and a softmax, a parameter keeps its shape and its dotted path as its name. Optimising is what
//! run times are good at, and a plain graph is one that a person can read in a viewer.
//!
//! There are two exceptions, twins of the finished file with its norms folded: [`halve`] makes one in half precision, for cards,
//! [`quantise`] one in 8-bit integers, for CPUs.
//!
//! It implements `FrameOps` only. A selective scan in the frame graph does not compile.
//!
//! Source: the ONNX format, IR version 9, operator set 20 (<https://onnx.ai/onnx/intro/>).
//!
//! Not here: running a graph ([`crate::backend`]).

mod export;
mod fold;
mod graph;
mod halve;
mod ops;
mod proto;
mod quantise;
mod read;

pub use export::export;
pub use halve::halve;
pub use ops::{GraphWriter, Value};
pub use quantise::{Layer, Range, layers, quantise, watch};
pub use read::read_weights;
pub(crate) use read::{check_self_contained, weights};
