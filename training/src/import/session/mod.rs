//! Recorded sessions: all of their frames with the masks that the network made, or some of them, picked by doubt, for somebody to correct.
//!
//! | step | what |
//! |---|---|
//! | [`write()`] | every frame that has a mask, as a data set: the masks are the network's own, and the column `source` says so |
//! | [`pick()`] | the frames that the network knows least about, in a folder with a sheet to review them by |
//! | [`Session`] | that folder, when somebody has been through it, as a data set |
//!
//! Video is decoded by the tool `polyp`, which is started for it ([`Tool`]): nothing here knows GStreamer.
//!
//! Not here: the sessions' format (docs/SESSIONS.md), and how much a single mask leaves open (`polyp::session::doubt`).

mod pick;
mod read;
mod review;
mod write;

use std::path::{Path, PathBuf};

use polyp::segmentation::Segmentation;
use polyp::session::{ABOUT_FILE, StreamFrame};

use super::folder::folders;
use crate::TrainingError;

pub use pick::{Measures, Picked, Request as PickRequest, pick};
pub use read::Tool;
pub use review::{REVIEW_FILE, Session};
pub use write::{Request as WriteRequest, Written, write};

/// A session's folder, and its name, which is its group: all of it stays on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder.
    pub folder: PathBuf,
    /// Its last part.
    pub name: String,
}

/// Whether `folder` is a session or has sessions in it; a folder under review is neither.
pub fn is_recorded(folder: &Path) -> bool {
    !folder.join(REVIEW_FILE).exists()
}

/// The session in `folder`, or those in the folders in it.
///
/// # Errors
/// [`TrainingError`] when there is none.
pub fn sessions(folder: &Path) -> Result<Vec<Place>, TrainingError> {
    let place = |folder: PathBuf| {
        let whole = std::fs::canonicalize(&folder).unwrap_or_else(|_unreadable| folder.clone());
        let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Place { folder, name }
    };
    if folder.join(ABOUT_FILE).exists() {
        return Ok(vec![place(folder.to_owned())]);
    }
    let below = folders(folder)?.into_values().filter(|folder| folder.join(ABOUT_FILE).exists());
    let found: Vec<Place> = below.map(place).collect();
    if found.is_empty() {
        let expected = format!("{ABOUT_FILE} (a session), sessions' folders, or {REVIEW_FILE} (a review)");
        return Err(TrainingError::field(folder, "files", expected, "none of them"));
    }
    Ok(found)
}

/// A frame's name in data sets and folders.
fn frame_name(session: &str, sequence: u64) -> String {
    format!("{session}-{sequence:08}")
}

/// The mask that came with a frame.
fn mask_of(frame: &StreamFrame, probability: Vec<u8>) -> Segmentation {
    let pts = std::time::Duration::from_nanos(frame.time_ns);
    Segmentation { probability, placement: frame.placed.into(), pts, sequence: frame.sequence }
}
