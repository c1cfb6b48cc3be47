//! The journal: lines of JSON that are only ever added, each with its number and a checksum of its own.
//!
//! A line is an object with `n` (its number, from 0), the fields of a [`Record`], and, last, `crc`: the CRC-32 of all bytes of the line
//! before `,"crc":`, as eight hexadecimal digits. A line that was cut off or torn does not have the sum that it should have.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Record, SessionError};

/// The longest line that is read, in bytes: a file's header takes a few thousand.
const LONGEST: u64 = 1 << 20;
/// `,"crc":"xxxxxxxx"}`.
const SUM_BYTES: usize = 18;

/// A record with its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its number, from 0.
    pub n: u64,
    /// What it says.
    #[serde(flatten)]
    pub record: Record,
}

impl Line {
    /// The line as it is written, with its end.
    ///
    /// # Errors
    /// When a number in it has no JSON form.
    pub fn write(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string(self)?;
        text.pop();
        let sum = crc32fast::hash(text.as_bytes());
        text += &format!(",\"crc\":\"{sum:08x}\"}}\n");
        Ok(text)
    }

    /// The line in `bytes`, which have no line end.
    ///
    /// # Errors
    /// A clause that says why it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let at = bytes.len().checked_sub(SUM_BYTES).ok_or("it is too short")?;
        let (said, sum) = bytes.split_at(at);
        let sum = std::str::from_utf8(sum).ok().and_then(|sum| sum.strip_prefix(",\"crc\":\""));
        let sum =
            sum.and_then(|sum| sum.strip_suffix("\"}")).and_then(|sum| u32::from_str_radix(sum, 16).ok());
        let sum = sum.ok_or("it has no checksum at its end")?;
        let found = crc32fast::hash(said);
        if found != sum {
            return Err(format!("its checksum is {found:08x}, and it says {sum:08x}"));
        }
        let mut whole = said.to_vec();
        whole.push(b'}');
        serde_json::from_slice(&whole).map_err(|error| error.to_string())
    }
}

/// Adds lines to a journal.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    next: u64,
    waiting: Vec<u8>,
}

impl Writer {
    /// A new journal in the file `path`, which must not exist.
    ///
    /// # Errors
    /// [`SessionError`] when it can not be made.
    pub fn create(path: &Path) -> Result<Self, SessionError> {
        let file = OpenOptions::new().append(true).create_new(true).open(path);
        let file = file.map_err(SessionError::file("it can not be made", path))?;
        Ok(Self { path: path.to_owned(), file, next: 0, waiting: Vec::new() })
    }

    /// Adds a line, which is written with the next [`Writer::commit`].
    ///
    /// # Errors
    /// [`SessionError`] when a number in it has no JSON form.
    pub fn push(&mut self, record: Record) -> Result<(), SessionError> {
        let text = Line { n: self.next, record }.write();
        let text = text.map_err(|error| SessionError::format(&self.path, "a record", error.to_string()))?;
        self.waiting.extend_from_slice(text.as_bytes());
        self.next += 1;
        Ok(())
    }

    /// Bytes that wait to be written.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Writes what waits and makes sure that it is on the disk.
    ///
    /// # Errors
    /// [`SessionError`] when it can not be written.
    pub fn commit(&mut self) -> Result<(), SessionError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.waiting).and_then(|()| self.file.sync_data());
        written.map_err(SessionError::file("it can not be written", &self.path))?;
        self.waiting.clear();
        Ok(())
    }
}

/// Reads a journal line by line. Lines that are damaged are handed out as such, and reading goes on behind them.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    /// How many lines were read.
    line: u64,
}

/// What stands in one line.
#[derive(Debug, PartialEq)]
pub enum Read {
    /// A record.
    Good(Box<Line>),
    /// Something else.
    Bad {
        /// Which line of the file, from 1.
        line: u64,
        /// Its bytes, with the line end if it has one.
        bytes: Vec<u8>,
        /// What is wrong with it.
        why: String,
    },
}

impl Reader {
    /// Reads the file `path`.
    ///
    /// # Errors
    /// [`SessionError`] when it can not be opened.
    pub fn open(path: &Path) -> Result<Self, SessionError> {
        let file = File::open(path).map_err(SessionError::file("it can not be opened", path))?;
        Ok(Self { path: path.to_owned(), file: BufReader::new(file), line: 0 })
    }

    fn read(&mut self) -> Result<Option<Read>, std::io::Error> {
        let mut bytes = Vec::new();
        std::io::Read::take(&mut self.file, LONGEST).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        let said = match bytes.strip_suffix(b"\n") {
            Some(said) => Line::read(said),
            None => Err("it has no end".to_owned()),
        };
        Ok(Some(match said {
            Ok(line) => Read::Good(Box::new(line)),
            Err(why) => Read::Bad { line: self.line, bytes, why },
        }))
    }
}

impl Iterator for Reader {
    type Item = Result<Read, SessionError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        read.map_err(SessionError::file("it can not be read", &self.path)).transpose()
    }
}

/// The records of the journal `path`, of which every line must be good.
///
/// # Errors
/// Each item: [`SessionError`] at the first line that is not.
pub fn records(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Line, SessionError>> + use<>, SessionError> {
    let reader = Reader::open(path)?;
    let path = path.to_owned();
    Ok(reader.map(move |read| match read? {
        Read::Good(line) => Ok(*line),
        Read::Bad { line, why, .. } => {
            let found = format!("line {line}: {why}; `polyp repair` makes it whole");
            Err(SessionError::format(&path, "lines with their checksums", found))
        }
    }))
}
