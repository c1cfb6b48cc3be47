//! The Matroska files of a session: two tracks, clusters of at most half a second with a checksum each, an index at the end.
//!
//! A file is written from front to back. Its segment says that its size is unknown until it is finished, so that players open it at any
//! time; finishing adds the index (Cues) and fills in size, duration and the index' place, whose room is kept from the start.
//! `matroskamux` was the other road: it waits for both tracks, and masks come when the network answers; and it does not say when what
//! it wrote is on the disk.
//!
//! Not here: what the blocks mean ([`super::journal`]).

mod scan;
mod write;

use mkv_element::prelude::*;

pub use scan::{Block, Blocks, Cluster, Scan, Tracks, scan};
pub(super) use write::finish;
pub use write::{Colour, Layout, Track, Writer};

/// The track number of the video.
pub const VIDEO: u64 = 1;
/// The track number of the masks.
pub const MASKS: u64 = 2;
/// The longest cluster, in ticks: what a crash can cost.
pub const CLUSTER_TICKS: i64 = 500;

/// Matroska's name of H.264.
pub const H264: &str = "V_MPEG4/ISO/AVC";
/// Matroska's name of FFV1.
pub const FFV1: &str = "V_FFV1";

/// The year 2001, from which Matroska counts, in nanoseconds since 1970.
const EPOCH_NS: i128 = 978_307_200 * 1_000_000_000;

/// An element's identifier as it stands in the file.
fn id_bytes(id: VInt64) -> Vec<u8> {
    let bytes = id.as_encoded().to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.into_iter().skip(zeros).collect()
}

/// A size as it is written where its room is kept: eight bytes.
pub(super) fn size_bytes(size: u64) -> [u8; 8] {
    let mut bytes = size.to_be_bytes();
    bytes[0] = 1;
    bytes
}

/// The size of which nothing is known yet.
const UNKNOWN_SIZE: [u8; 8] = [1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

#[cfg(test)]
mod tests;
