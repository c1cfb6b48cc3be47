//! The trainer of polyp: from folders of pictures to an engine folder that carts load.
//!
//! A picture's way through the modules:
//!
//! 1. [`import`]: a public data set's own folder layout becomes one HDF5 file.
//! 2. [`data`]: that file ([`data::DataSet`]) and batches of it, made off the training thread
//!    ([`data::Loader`]).
//! 3. [`augment`]: what may happen to a picture and its mask on the way.
//! 4. [`fit`]: a network learns from them, to make a [`loss`] small. The network is `polyp::model`,
//!    interpreted by [`ops`] on [`variables`].
//! 5. [`calibrate`]: how sure it is, made true on the validation side; [`score`]: how good it is, both through
//!    [`predict`], of a [`selection`] of pictures; [`report`]: that as tables and pictures, of one
//!    [`contestant`] or several; [`plot`]: how it came there.
//! 6. [`zoom`]: pictures with small lesions to score on, made of a data set's own.
//! 7. [`export`]: the engine folder that carts load.
//!
//! Beside that way, [`average`] makes one run of several, [`ablate`] runs all of it again and again with one thing
//! changed, and [`convert`] reads what PyTorch wrote.
//!
//! The `polyp-train` tool is this library with a command line.
//!
//! Not here: running a trained network on a cart (`polyp-engine`).
#![deny(unsafe_code)]

pub mod ablate;
pub mod augment;
pub mod average;
pub mod calibrate;
pub mod contestant;
pub mod convert;
pub mod data;
pub mod error;
pub mod export;
pub mod fit;
pub mod import;
mod json;
pub mod loss;
pub mod ops;
pub mod outline;
mod pickle;
pub mod plot;
pub mod predict;
pub mod report;
pub mod score;
pub mod selection;
pub mod variables;
pub mod zoom;

pub use error::TrainingError;
