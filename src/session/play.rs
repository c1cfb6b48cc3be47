//! A session read from front to back: each line of the journal with what it speaks of.
//!
//! Memory does not grow with the session's length: lines are read one by one, and blocks a cluster at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::journal::{Line, records};
use super::matroska::{Blocks, MASKS, Tracks, VIDEO};
use super::{About, JOURNAL_FILE, Record, SessionError, segment_path};

/// A line, and what it speaks of.
#[derive(Clone, Debug)]
pub struct Played {
    /// The line.
    pub record: Record,
    /// The coded picture of a frame or mask that is in a file.
    pub data: Option<Vec<u8>>,
    /// Whether it can be decoded without others.
    pub key: bool,
    /// The tracks of a file that begins.
    pub tracks: Option<Tracks>,
}

/// Reads a session.
pub struct Player {
    folder: PathBuf,
    about: About,
    lines: Box<dyn Iterator<Item = Result<Line, SessionError>> + Send>,
    files: BTreeMap<u32, Blocks>,
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Player {
    /// Reads the session in `folder`.
    ///
    /// # Errors
    /// [`SessionError`] when it is none.
    pub fn open(folder: &Path) -> Result<Self, SessionError> {
        let about = About::read(folder)?;
        let lines = Box::new(records(&folder.join(JOURNAL_FILE))?);
        Ok(Self { folder: folder.to_owned(), about, lines, files: BTreeMap::new() })
    }

    /// What it says of itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    fn play(&mut self, record: Record) -> Result<Played, SessionError> {
        let mut played = Played { record, data: None, key: false, tracks: None };
        let (segment, track, crc) = match &played.record {
            Record::Segment(segment) => {
                let blocks = Blocks::open(&segment_path(&self.folder, segment.index))?;
                played.tracks = Some(blocks.tracks().clone());
                self.files.insert(segment.index, blocks);
                // Masks of the file before may still come, and nothing of those before that.
                while self.files.len() > 2 {
                    self.files.pop_first();
                }
                return Ok(played);
            }
            Record::Frame(frame) => (frame.segment, VIDEO, frame.block_crc),
            Record::Mask(mask) => (mask.segment, MASKS, mask.block_crc),
            _ => return Ok(played),
        };
        let Some((index, crc)) = segment.zip(crc) else { return Ok(played) };
        let path = segment_path(&self.folder, index);
        let Some(blocks) = self.files.get_mut(&index) else {
            return Err(SessionError::format(&path, "a line in the journal before its blocks'", "none"));
        };
        loop {
            let Some((block, data)) = blocks.next_of(track)? else {
                let found = format!("none with checksum {crc:08x}");
                return Err(SessionError::format(&path, "the blocks that the journal speaks of", found));
            };
            if block.crc == crc {
                (played.data, played.key) = (Some(data), block.key);
                return Ok(played);
            }
        }
    }
}

impl Iterator for Player {
    type Item = Result<Played, SessionError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        Some(line.and_then(|line| self.play(line.record)))
    }
}
