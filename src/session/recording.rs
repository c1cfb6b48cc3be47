//! A session that is being written: its journal, and the file of the hour.
//!
//! Frames come with what the encoder made of them, in the order of the stream; masks come when they are first shown, a little later than
//! their own frame. So the file before stays open for a while when the next one begins. The journal's lines are written after the
//! cluster that they speak of: it never runs ahead of the files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::journal;
use super::matroska::{self, Layout, MASKS, VIDEO};
use super::repair::hexadecimal;
use super::{
    About, EndRecord, FrameRecord, JOURNAL_FILE, Lock, MaskRecord, Record, SegmentRecord, SessionError,
    segment_path, ticks,
};

/// How long what came may be nowhere but in memory.
const UNWRITTEN: Duration = Duration::from_millis(500);
/// How long the file before waits for masks of its frames, in nanoseconds.
const LATE_MASKS_NS: u64 = 2_000_000_000;

/// What an encoder made of a picture.
#[derive(Clone, Copy, Debug)]
pub struct Coded<'a> {
    /// Its bytes.
    pub data: &'a [u8],
    /// Whether it can be decoded without others.
    pub key: bool,
}

/// A session that is being written. Dropping it leaves it as a crash would: whole up to the last half second.
#[derive(Debug)]
pub struct Recording {
    folder: PathBuf,
    _lock: Lock,
    journal: journal::Writer,
    current: Option<Open>,
    /// The file before, for masks that come late.
    previous: Option<Open>,
    /// The number of the next file.
    next: u32,
    last_ns: u64,
    committed: Instant,
    /// Bytes of files that are finished.
    finished: u64,
}

#[derive(Debug)]
struct Open {
    index: u32,
    base_ns: u64,
    writer: matroska::Writer,
}

impl Recording {
    /// Begins a session in the new folder `folder`.
    ///
    /// # Errors
    /// [`SessionError`] when it is there already or can not be made.
    pub fn begin(folder: &Path, about: &About) -> Result<Self, SessionError> {
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(SessionError::file("it can not be made", parent))?;
        }
        fs::create_dir(folder).map_err(SessionError::file("it can not be made", folder))?;
        let journal = journal::Writer::create(&folder.join(JOURNAL_FILE))?;
        let lock = Lock::take(folder)?;
        about.write(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
            journal,
            current: None,
            previous: None,
            next: 0,
            last_ns: 0,
            committed: Instant::now(),
            finished: 0,
        })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes of video and masks so far.
    pub fn bytes(&self) -> u64 {
        let open = self.current.iter().chain(&self.previous).map(|open| open.writer.bytes());
        self.finished + open.sum::<u64>()
    }

    /// Begins the next file. Its number and header are filled into `record`.
    ///
    /// # Errors
    /// [`SessionError`] when a file can not be written.
    pub fn segment(&mut self, layout: &Layout, mut record: SegmentRecord) -> Result<(), SessionError> {
        self.flush()?;
        self.close_previous()?;
        let index = self.next;
        let writer = matroska::Writer::create(&segment_path(&self.folder, index), layout)?;
        self.next += 1;
        record.index = index;
        record.header = hexadecimal(writer.header());
        self.previous = self.current.replace(Open { index, base_ns: record.base_ns, writer });
        self.journal.push(Record::Segment(Box::new(record)))?;
        self.commit()
    }

    /// Writes a frame's line, and the frame where it was coded. Which file holds it is filled into `record`.
    ///
    /// # Errors
    /// [`SessionError`] when a file can not be written.
    pub fn frame(&mut self, mut record: FrameRecord, coded: Option<Coded<'_>>) -> Result<(), SessionError> {
        self.last_ns = self.last_ns.max(record.pts_ns);
        if let (Some(coded), Some(base_ns)) = (coded, self.current.as_ref().map(|open| open.base_ns)) {
            let tick = ticks(record.pts_ns, base_ns);
            if self.current.as_ref().is_some_and(|open| open.writer.is_due(tick)) {
                self.flush()?;
            }
            if let Some(open) = &mut self.current {
                open.writer.push(VIDEO, tick, coded.key, coded.data);
                (record.segment, record.block_crc) = (Some(open.index), Some(crc32fast::hash(coded.data)));
            }
            if record.pts_ns.saturating_sub(base_ns) > LATE_MASKS_NS {
                self.close_previous()?;
            }
        } else if record.dropped.is_none() {
            record.dropped = Some("no file".to_owned());
        }
        self.journal.push(Record::Frame(Box::new(record)))?;
        self.settle()
    }

    /// Writes a mask and its line, into the file that its own frame is in.
    ///
    /// # Errors
    /// [`SessionError`] when a file can not be written.
    pub fn mask(&mut self, mut record: MaskRecord, coded: Option<&[u8]>) -> Result<(), SessionError> {
        if let Some(data) = coded {
            let open = self.current.iter_mut().chain(&mut self.previous);
            let open = open.into_iter().find(|open| record.pts_ns >= open.base_ns);
            match open {
                Some(open) => {
                    open.writer.push(MASKS, ticks(record.pts_ns, open.base_ns), true, data);
                    (record.segment, record.block_crc) = (Some(open.index), Some(crc32fast::hash(data)));
                }
                None => record.dropped = Some("older than its file".to_owned()),
            }
        }
        self.journal.push(Record::Mask(Box::new(record)))
    }

    /// Writes another line.
    ///
    /// # Errors
    /// [`SessionError`] when it can not be written.
    pub fn note(&mut self, record: Record) -> Result<(), SessionError> {
        self.journal.push(record)?;
        self.settle()
    }

    /// Writes what has waited for long; call it also while nothing comes.
    ///
    /// # Errors
    /// [`SessionError`] when a file can not be written.
    pub fn settle(&mut self) -> Result<(), SessionError> {
        if self.committed.elapsed() >= UNWRITTEN { self.flush() } else { Ok(()) }
    }

    /// Writes all that waits, and makes sure that it is on the disk.
    ///
    /// # Errors
    /// [`SessionError`] when a file can not be written.
    pub fn flush(&mut self) -> Result<(), SessionError> {
        for open in self.previous.iter_mut().chain(&mut self.current) {
            open.writer.flush()?;
        }
        self.commit()
    }

    fn commit(&mut self) -> Result<(), SessionError> {
        self.committed = Instant::now();
        self.journal.commit()
    }

    fn close_previous(&mut self) -> Result<(), SessionError> {
        let Some(open) = self.previous.take() else { return Ok(()) };
        self.finished += open.writer.bytes();
        open.writer.finish()
    }

    /// Finishes the files, says why in the journal, and gives the session back to whoever wants it.
    ///
    /// # Errors
    /// [`SessionError`] when a file can not be written; the others are finished all the same.
    pub fn end(mut self, reason: &str) -> Result<(), SessionError> {
        let previous = self.close_previous();
        let current = self.current.take().map_or(Ok(()), |open| open.writer.finish());
        let end = EndRecord { pts_ns: self.last_ns, reason: reason.to_owned() };
        let journal = self.journal.push(Record::End(end)).and_then(|()| self.commit());
        previous.and(current).and(journal)
    }
}
