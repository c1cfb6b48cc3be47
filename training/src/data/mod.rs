//! Data sets on disk and in batches.
//!
//! One HDF5 file per data set ([`DataSet`], written by [`DataSetWriter`]): pictures and masks at their own size, and
//! for each its name, its group (a sequence, a patient: what must never be on two sides), its split, where it
//! comes from, its licence and its captions, if it has any. [`Loader`] makes batches of it off the training thread.
//!
//! Not here: other folder layouts ([`crate::import`]).

mod captions;
mod loader;
mod resize;
mod set;
mod write;

pub use captions::Captions;
pub use loader::{Batch, Loader, Pass};
pub use polyp::random::Random;
pub use resize::Squash;
pub(crate) use resize::mask_at;
pub use set::{CACHE_BYTES, DataSet, Info, Picture, Split};
pub use write::{DataSetWriter, FORMAT, FORMAT_VERSION};
