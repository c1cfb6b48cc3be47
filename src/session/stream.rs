//! Frames with their masks as one stream of bytes, for other programs: `polyp export --as frames` writes it, `polyp-train` reads it.
//!
//! A stream is lines of JSON, each with a field `kind`, and after a `frame` line the bytes that it speaks of:
//!
//! | kind | says |
//! |---|---|
//! | `head` | once, first: `format` (`polyp-frames`), `version` (1), `session` (its name), `began` (when) |
//! | `engine` | what makes the masks from here on: the fields of [`EngineRecord`] |
//! | `frame` | `sequence`, `time_ns` (the first frame's is 0), `size` (width, height), `placed` (where the cells lie: [`Placed`]) |
//! | `end` | once, last: `frames`, how many there were; a stream without it was cut short |
//!
//! After a `frame` line stand the picture, red, green and blue, row by row (`3 * width * height` bytes; nothing where `size` is 0, 0), and the
//! mask's cells (`side * side` bytes, 0 = 0.0 and 255 = 1.0). `placed` is in pixels of that picture; without one, of the recorded frame.

use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{EngineRecord, Placed, SessionError};
use crate::frame::MAX_SIDE_PX;

/// What a stream calls itself.
pub const STREAM_FORMAT: &str = "polyp-frames";
/// The version that is written and read.
pub const STREAM_VERSION: u32 = 1;
/// A line may have so many bytes.
const LONGEST_LINE: u64 = 1 << 16;
/// What an error calls a line.
const LINES: &str = "a line of a stream of frames";

/// The stream's beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamHead {
    /// [`STREAM_FORMAT`].
    pub format: String,
    /// [`STREAM_VERSION`].
    pub version: u32,
    /// The session's name.
    pub session: String,
    /// When it began: RFC 3339 in UTC.
    pub began: String,
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamFrame {
    /// Its number when it was recorded.
    pub sequence: u64,
    /// Its time in nanoseconds, the first frame's being 0.
    pub time_ns: u64,
    /// Width and height of the picture that follows, in pixels; 0, 0 where none does.
    pub size: [u32; 2],
    /// Where the cells that follow lie in it.
    pub placed: Placed,
}

impl StreamFrame {
    /// Bytes of the picture and of the cells.
    fn lengths(&self) -> (usize, usize) {
        let [width, height] = self.size.map(|side| side as usize);
        (3 * width * height, (self.placed.side as usize).pow(2))
    }

    /// What is wrong with it, if anything is.
    fn fault(&self) -> Option<String> {
        let Placed { source, target, side } = self.placed;
        let [width, height] = self.size;
        let within = |[x, y, w, h]: [u32; 4], most: [u32; 2]| {
            w > 0
                && h > 0
                && x.checked_add(w).is_some_and(|end| end <= most[0])
                && y.checked_add(h).is_some_and(|end| end <= most[1])
        };
        let empty = [width, height] == [0, 0];
        if !empty && !(1..=MAX_SIDE_PX).contains(&width.min(height)) || width.max(height) > MAX_SIDE_PX {
            return Some(format!("size {width} x {height}"));
        }
        if side == 0 || side > MAX_SIDE_PX || !within(target, [side, side]) {
            return Some(format!("cells {target:?} of {side} x {side}"));
        }
        let most = if empty { [MAX_SIDE_PX; 2] } else { self.size };
        (!within(source, most)).then(|| format!("source {source:?} in a picture of {width} x {height}"))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Line {
    Head(StreamHead),
    Engine(Box<EngineRecord>),
    Frame(StreamFrame),
    End { frames: u64 },
}

/// Writes a stream.
#[derive(Debug)]
pub struct StreamWriter<W> {
    to: W,
    frames: u64,
}

impl<W: Write> StreamWriter<W> {
    /// Begins one of the session of that name.
    ///
    /// # Errors
    /// When it can not be written; so all that follow.
    pub fn new(to: W, session: &str, began: &str) -> io::Result<Self> {
        let mut writer = Self { to, frames: 0 };
        writer.line(&Line::Head(StreamHead {
            format: STREAM_FORMAT.to_owned(),
            version: STREAM_VERSION,
            session: session.to_owned(),
            began: began.to_owned(),
        }))?;
        Ok(writer)
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut self.to, line)?;
        self.to.write_all(b"\n")
    }

    /// From here on this makes the masks.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn engine(&mut self, engine: &EngineRecord) -> io::Result<()> {
        self.line(&Line::Engine(Box::new(engine.clone())))
    }

    /// A frame with its picture, which may be empty, and its cells.
    ///
    /// # Errors
    /// As [`Self::new`], and when the bytes are not as many as the frame says.
    pub fn frame(&mut self, frame: &StreamFrame, rgb: &[u8], cells: &[u8]) -> io::Result<()> {
        if frame.lengths() != (rgb.len(), cells.len()) || frame.fault().is_some() {
            let found = format!("{frame:?} with {} and {} bytes", rgb.len(), cells.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, found));
        }
        self.frames += 1;
        self.line(&Line::Frame(frame.clone()))?;
        self.to.write_all(rgb)?;
        self.to.write_all(cells)
    }

    /// That was all.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn end(mut self) -> io::Result<u64> {
        self.line(&Line::End { frames: self.frames })?;
        self.to.flush()?;
        Ok(self.frames)
    }
}

/// What a stream says next.
#[derive(Clone, Debug, PartialEq)]
pub enum Streamed {
    /// From here on this makes the masks.
    Engine(Box<EngineRecord>),
    /// A frame, its picture (`[height, width, 3]`, or nothing) and its cells (`[side, side]`).
    Frame(StreamFrame, Vec<u8>, Vec<u8>),
}

/// Reads a stream; memory is that of one frame.
#[derive(Debug)]
pub struct StreamReader<R> {
    from: R,
    /// What it is called in errors.
    name: PathBuf,
    head: StreamHead,
    frames: u64,
    is_over: bool,
}

impl<R: BufRead> StreamReader<R> {
    /// Reads `from`, which errors call `name`.
    ///
    /// # Errors
    /// [`SessionError`] when it does not begin as a stream of this version does.
    pub fn open(mut from: R, name: &Path) -> Result<Self, SessionError> {
        let head = match read_line(&mut from, name)? {
            Line::Head(head) if head.format == STREAM_FORMAT && head.version == STREAM_VERSION => head,
            Line::Head(StreamHead { format, version, .. }) => {
                let found = format!("{format:?}, version {version}");
                return Err(SessionError::format(name, "format \"polyp-frames\", version 1", found));
            }
            _ => return Err(SessionError::format(name, "a stream's head first", "another line")),
        };
        Ok(Self { from, name: name.to_owned(), head, frames: 0, is_over: false })
    }

    /// How it begins.
    pub fn head(&self) -> &StreamHead {
        &self.head
    }

    fn bytes(&mut self, count: usize) -> Result<Vec<u8>, SessionError> {
        let mut bytes = Vec::new();
        let read = self.from.by_ref().take(count as u64).read_to_end(&mut bytes);
        read.map_err(SessionError::file("read a frame", &self.name))?;
        if bytes.len() < count {
            let found = format!("{} of a frame's {count}", bytes.len());
            return Err(SessionError::format(&self.name, "all bytes of each frame", found));
        }
        Ok(bytes)
    }

    fn read(&mut self) -> Result<Option<Streamed>, SessionError> {
        match read_line(&mut self.from, &self.name)? {
            Line::Head(_) => Err(SessionError::format(&self.name, "one head", "another")),
            Line::Engine(engine) => Ok(Some(Streamed::Engine(engine))),
            Line::Frame(frame) => {
                if let Some(fault) = frame.fault() {
                    let expected = "a frame whose cells lie in its picture";
                    return Err(SessionError::format(&self.name, expected, fault));
                }
                self.frames += 1;
                let (picture, cells) = frame.lengths();
                let (picture, cells) = (self.bytes(picture)?, self.bytes(cells)?);
                Ok(Some(Streamed::Frame(frame, picture, cells)))
            }
            Line::End { frames } if frames == self.frames => Ok(None),
            Line::End { frames } => {
                let found = format!("{} of {frames}", self.frames);
                Err(SessionError::format(&self.name, "as many frames as its end says", found))
            }
        }
    }
}

fn read_line(from: &mut impl BufRead, name: &Path) -> Result<Line, SessionError> {
    let mut line = Vec::new();
    let read = from.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
    read.map_err(SessionError::file("read a line", name))?;
    if line.last() != Some(&b'\n') {
        let found = if line.is_empty() { "its end without an `end` line" } else { "a line without an end" };
        return Err(SessionError::format(name, LINES, found));
    }
    serde_json::from_slice(&line).map_err(|error| SessionError::format(name, LINES, error.to_string()))
}

impl<R: BufRead> Iterator for StreamReader<R> {
    type Item = Result<Streamed, SessionError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let read = self.read().transpose();
        self.is_over = !matches!(read, Some(Ok(_)));
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sequence: u64, size: [u32; 2]) -> StreamFrame {
        let placed = Placed { source: [0, 0, 2, 1], target: [0, 1, 2, 1], side: 2 };
        StreamFrame { sequence, time_ns: 40 * sequence, size, placed }
    }

    fn written() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = StreamWriter::new(&mut bytes, "monday", "2026-01-05T08:00:00Z").unwrap();
        writer.engine(&EngineRecord { name: "lite".to_owned(), ..EngineRecord::default() }).unwrap();
        writer.frame(&frame(3, [2, 1]), b"abcdef", b"1234").unwrap();
        writer.frame(&frame(4, [0, 0]), b"", b"5678").unwrap();
        assert_eq!(writer.end().unwrap(), 2);
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = written();
        let reader = StreamReader::open(bytes.as_slice(), Path::new("pipe")).unwrap();
        assert_eq!(reader.head().session, "monday");
        let read: Vec<Streamed> = reader.map(Result::unwrap).collect();
        let [Streamed::Engine(engine), first, second] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!(engine.name, "lite");
        assert_eq!(*first, Streamed::Frame(frame(3, [2, 1]), b"abcdef".to_vec(), b"1234".to_vec()));
        assert_eq!(*second, Streamed::Frame(frame(4, [0, 0]), Vec::new(), b"5678".to_vec()));
    }

    #[test]
    fn a_stream_that_is_cut_short_is_told_from_a_whole_one() {
        let bytes = written();
        for cut in 0..bytes.len() {
            let failed = match StreamReader::open(&bytes[..cut], Path::new("pipe")) {
                Ok(reader) => reader.filter_map(Result::err).next(),
                Err(error) => Some(error),
            };
            assert!(failed.is_some_and(|error| error.to_string().starts_with("pipe: ")), "cut at {cut}");
        }
    }

    #[test]
    fn frames_that_can_not_be_are_refused() {
        let text = String::from_utf8_lossy(&written()).into_owned();
        for (from, to, word) in [
            ("\"size\":[2,1]", "\"size\":[2,0]", "size 2 x 0"),
            ("\"size\":[2,1]", "\"size\":[9000,1]", "size 9000 x 1"),
            ("\"source\":[0,0,2,1]", "\"source\":[1,0,2,1]", "source [1, 0, 2, 1]"),
            ("\"side\":2", "\"side\":0", "cells"),
            ("\"temperature\":0.0", "\"temperature\":1e39", "a number beyond 32 bits"),
            ("\"version\":1", "\"version\":2", "version 2"),
            ("\"frames\":2", "\"frames\":3", "2 of 3"),
        ] {
            let text = text.replacen(from, to, 1);
            let failed = match StreamReader::open(text.as_bytes(), Path::new("pipe")) {
                Ok(reader) => reader.filter_map(Result::err).next(),
                Err(error) => Some(error),
            };
            let failed = failed.map(|error| error.to_string()).unwrap_or_default();
            assert!(failed.contains(word), "{to}: {failed}");
        }
        let mut writer = StreamWriter::new(Vec::new(), "", "").unwrap();
        assert!(writer.frame(&frame(0, [2, 1]), b"abc", b"1234").is_err());
    }
}
