//! The plain CPU interpreter: what the network means, operation by operation.
//!
//! Every other interpreter is compared with this one, so it is written to be read: one loop for each
//! operation, float32 tensors, float64 sums. It runs on several cores, and that is all it does for speed; a
//! frame takes a second or so where a backend takes hundredths.
//!
//! Not here: anything a cart should run frames with ([`crate::backend`]), and training.

mod activation;
mod attention;
mod convolution;
mod layout;
mod matmul;
mod norm;
mod ops;
mod scan;

use std::sync::Arc;

pub use ops::ReferenceOps;

use crate::weights::Array;

/// The reference's tensor: an array that is shared, never changed.
pub type Tensor = Arc<Array>;
