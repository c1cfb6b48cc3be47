//! What a card does besides the network: frames in, masks out, and masks on frames.
//!
//! [`kernels`] is the source of all that runs on the card, with the words that a compiler needs before it;
//! [`arguments`] are the kernels' arguments as the card sees them, and [`paint`] those of painting.
//!
//! Not here: running the network ([`crate::backend`]).

pub mod arguments;
pub mod kernels;
pub mod paint;
