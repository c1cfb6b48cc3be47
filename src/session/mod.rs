//! Recorded sessions: the clean video and the masks in Matroska files, a journal of every frame, and where all of it came from.
//!
//! A session is a folder. `session.json` ([`About`]) says once what does not change; `journal.jsonl` ([`journal`]) has a line for
//! each frame, mask and event, each with a checksum of its own; `000000.mkv`, `000001.mkv`, … ([`matroska`]) hold video and masks in
//! clusters of at most half a second, each with its checksum. Files only grow while they are written, and what was written is made sure of
//! (`fdatasync`) with every cluster, so that a crash costs what came after the last one. docs/SESSIONS.md describes the format.
//!
//! [`repair()`] makes what is left after a crash whole; [`agreement()`] proves that video, masks and journal say the same.
//!
//! Not here: coding and decoding pictures (the elements do), and GStreamer.

mod about;
mod agreement;
mod doubt;
mod error;
pub mod journal;
mod lock;
pub mod matroska;
mod pairs;
mod play;
mod record;
mod recording;
mod repair;
mod rewrite;
mod stream;

use std::path::{Path, PathBuf};

pub use about::{ABOUT_FILE, About, Clock, FORMAT, Software, VERSION};
pub use agreement::{Agreement, agreement};
pub use doubt::doubt;
pub use error::SessionError;
pub use lock::Lock;
pub use play::{Played, Player};
pub use record::{
    EndRecord, EngineRecord, FrameRecord, MarkRecord, MaskRecord, Placed, Record, RepairRecord,
    SegmentRecord, SettingsRecord, UncountedRecord,
};
pub use recording::{Coded, Recording};
pub use repair::{Repaired, repair};
pub use stream::{
    STREAM_FORMAT, STREAM_VERSION, StreamFrame, StreamHead, StreamReader, StreamWriter, Streamed,
};

/// The name of a session's journal.
pub const JOURNAL_FILE: &str = "journal.jsonl";

/// One tick of the files' clocks, in nanoseconds. Exact times are in the journal.
pub const TICK_NS: u64 = 1_000_000;

/// The file of segment number `index` of the session in `folder`.
pub fn segment_path(folder: &Path, index: u32) -> PathBuf {
    folder.join(format!("{index:06}.mkv"))
}

/// The ticks from `base_ns` to `time_ns`, to the nearest; negative before it.
pub fn ticks(time_ns: u64, base_ns: u64) -> i64 {
    let tick = i128::from(TICK_NS);
    let ticks = (i128::from(time_ns) - i128::from(base_ns) + tick / 2).div_euclid(tick);
    i64::try_from(ticks).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
