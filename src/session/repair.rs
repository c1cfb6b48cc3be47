//! What is left of a session after a crash, made whole: files end with their last whole cluster and have an index, and the journal says of
//! every frame that is in them, and of none that is not.
//!
//! What was taken out is kept beside: damaged bytes in files that end in `.damaged`, the journal as it was in one that ends in
//! `.before-repair`.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::journal::{Read, Reader};
use super::matroska::{self, MASKS, Scan, VIDEO, finish};
use super::pairs::{Pairs, Said, track};
use super::rewrite::{Part, rewrite};
use super::{About, JOURNAL_FILE, Lock, Record, SegmentRecord, SessionError, segment_path, ticks};

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Files that were looked at.
    pub segments: usize,
    /// Of them, those that were changed.
    pub mended: usize,
    /// Files whose tracks nobody knows any more; they were left alone.
    pub unreadable: Vec<PathBuf>,
    /// Bytes of video and masks that could not be read.
    pub bytes: u64,
    /// Lines of the journal that could not be read.
    pub lines: u64,
    /// Frames and masks that have a line and are in no file.
    pub lost: u64,
    /// Frames that are in a file and had no line; what they showed is not known.
    pub found: u64,
    /// Masks that are in a file and have no line; where they lie is not known, so nothing shows them.
    pub orphans: u64,
    /// Whether the journal was written anew.
    pub rewritten: bool,
}

impl Repaired {
    /// Whether there was nothing to do.
    pub fn was_whole(&self) -> bool {
        self.mended == 0 && !self.rewritten && self.unreadable.is_empty()
    }
}

/// Makes the session in `folder` whole.
///
/// # Errors
/// [`SessionError`] when it is no session, is being recorded, or a file can not be written.
pub fn repair(folder: &Path) -> Result<Repaired, SessionError> {
    let about = About::read(folder)?;
    let journal = folder.join(JOURNAL_FILE);
    let _lock = Lock::take(folder)?;
    let mut repaired = Repaired::default();
    let heard = Heard::read(&journal)?;
    repaired.lines = heard.bad;
    let mut parts = BTreeMap::new();
    for index in indices(folder)? {
        repaired.segments += 1;
        let record = heard.segments.get(&index);
        let Some((scan, record, bytes, mended)) = mend(folder, index, record, &about)? else {
            repaired.unreadable.push(segment_path(folder, index));
            continue;
        };
        repaired.mended += usize::from(mended);
        repaired.bytes += bytes;
        let said = |of: &BTreeMap<u32, Vec<(u64, u32)>>| -> Vec<Said> {
            let lines = of.get(&index).map(Vec::as_slice).unwrap_or_default();
            lines.iter().map(|&(pts_ns, crc)| Said { tick: ticks(pts_ns, record.base_ns), crc }).collect()
        };
        let video = Pairs::find(&said(&heard.frames), track(&scan, VIDEO));
        let masks = Pairs::find(&said(&heard.masks), track(&scan, MASKS));
        repaired.found += video.found() as u64;
        repaired.orphans += masks.found() as u64;
        let known = heard.segments.contains_key(&index);
        let part = Part { scan, record, known, bytes, video, masks, next: (0, 0), due: 0 };
        parts.insert(index, part);
    }
    let of_file = |of: &BTreeMap<u32, Vec<(u64, u32)>>, pairs: fn(&Part) -> &Pairs| -> u64 {
        of.iter()
            .map(|(index, said)| parts.get(index).map_or(said.len(), |part| pairs(part).lost()) as u64)
            .sum()
    };
    repaired.lost = of_file(&heard.frames, |part| &part.video) + of_file(&heard.masks, |part| &part.masks);
    let is_new = parts.values().any(|part| !part.known);
    let changed = repaired.lines + repaired.lost + repaired.found + repaired.bytes > 0;
    if changed || !heard.ended || is_new || heard.gap {
        rewrite(folder, &journal, &mut parts, &repaired)?;
        repaired.rewritten = true;
    }
    Ok(repaired)
}

/// What the journal says, so far as it can be read.
#[derive(Default)]
struct Heard {
    segments: BTreeMap<u32, SegmentRecord>,
    /// For each file, times and checksums of its frames' blocks.
    frames: BTreeMap<u32, Vec<(u64, u32)>>,
    /// And of its masks'.
    masks: BTreeMap<u32, Vec<(u64, u32)>>,
    bad: u64,
    /// Whether a number is missing.
    gap: bool,
    ended: bool,
}

impl Heard {
    fn read(journal: &Path) -> Result<Self, SessionError> {
        let (mut heard, mut next) = (Self::default(), 0);
        for read in Reader::open(journal)? {
            let Read::Good(line) = read? else {
                heard.bad += 1;
                continue;
            };
            heard.gap |= line.n != next;
            next = line.n + 1;
            heard.ended = matches!(line.record, Record::End(_));
            match line.record {
                Record::Segment(segment) => {
                    heard.segments.insert(segment.index, *segment);
                }
                Record::Frame(frame) => {
                    if let Some((segment, crc)) = frame.segment.zip(frame.block_crc) {
                        heard.frames.entry(segment).or_default().push((frame.pts_ns, crc));
                    }
                }
                Record::Mask(mask) => {
                    if let Some((segment, crc)) = mask.segment.zip(mask.block_crc) {
                        heard.masks.entry(segment).or_default().push((mask.pts_ns, crc));
                    }
                }
                _ => {}
            }
        }
        Ok(heard)
    }
}

/// The numbers of the files in `folder`, rising.
pub(super) fn indices(folder: &Path) -> Result<Vec<u32>, SessionError> {
    let list = || -> io::Result<Vec<u32>> {
        let mut indices = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let index = name.to_str().and_then(|name| name.strip_suffix(".mkv")?.parse().ok());
            indices.extend(index.filter(|index| segment_path(folder, *index).ends_with(&name)));
        }
        indices.sort_unstable();
        Ok(indices)
    };
    list().map_err(SessionError::file("it can not be listed", folder))
}

/// Makes one file whole: what is in it then, its record, how many bytes could not be read, and whether it was changed. `None` when nobody
/// knows its tracks.
fn mend(
    folder: &Path,
    index: u32,
    record: Option<&SegmentRecord>,
    about: &About,
) -> Result<Option<(Scan, SegmentRecord, u64, bool)>, SessionError> {
    let path = segment_path(folder, index);
    let scan = matroska::scan(&path)?;
    let file = OpenOptions::new().read(true).write(true).open(&path);
    let file = file.map_err(SessionError::file("it can not be opened", &path))?;
    let written = record.and_then(|record| bytes_of(&record.header));
    let header = match (&scan.tracks, written) {
        (Some(_), _) => {
            let mut header = vec![0; usize::try_from(scan.header).unwrap_or(0)];
            file.read_exact_at(&mut header, 0).map_err(SessionError::file("it can not be read", &path))?;
            header
        }
        // What stands before the first whole cluster is at least as long as it, or nothing stands there at all.
        (None, Some(written)) if scan.clusters.is_empty() || scan.header >= written.len() as u64 => written,
        _ => return Ok(None),
    };
    if scan.finished && scan.tracks.is_some() {
        let record = record.cloned().unwrap_or_else(|| recover(index, &scan, &header, about));
        return Ok(Some((scan, record, 0, false)));
    }
    let end = scan.clusters.last().map_or(header.len() as u64, |last| last.at + last.bytes);
    let mut bytes = 0;
    for range in &scan.damaged {
        bytes += range.end - range.start;
        keep(&file, &path, range)?;
        if range.end < end {
            fill(&file, range).map_err(SessionError::file("damage can not be covered", &path))?;
        }
    }
    if scan.tracks.is_none() {
        let gone = 0..scan.header.min(scan.bytes);
        bytes += gone.end;
        keep(&file, &path, &gone)?;
        let behind = header.len() as u64..scan.header.min(end);
        if !behind.is_empty() {
            fill(&file, &behind).map_err(SessionError::file("damage can not be covered", &path))?;
        }
    }
    let truncated = file.set_len(end);
    truncated.map_err(SessionError::file("it can not be cut", &path))?;
    let last = scan.clusters.iter().flat_map(|c| &c.blocks).map(|block| block.tick).max();
    finish(&file, &path, &header, end, &scan.cues(), last.unwrap_or(0))?;
    let scan = matroska::scan(&path)?;
    let record = record.cloned().unwrap_or_else(|| recover(index, &scan, &header, about));
    Ok(Some((scan, record, bytes, true)))
}

/// Keeps damaged bytes beside the file.
fn keep(file: &File, path: &Path, range: &Range<u64>) -> Result<(), SessionError> {
    if range.is_empty() {
        return Ok(());
    }
    let beside = PathBuf::from(format!("{}.{}.damaged", path.display(), range.start));
    let copy = || -> io::Result<()> {
        let mut from = file.try_clone()?;
        io::Seek::seek(&mut from, io::SeekFrom::Start(range.start))?;
        io::copy(&mut io::Read::take(from, range.end - range.start), &mut File::create(&beside)?)?;
        Ok(())
    };
    copy().map_err(SessionError::file("it can not be written", &beside))
}

/// Covers a range with an element that means nothing.
fn fill(file: &File, range: &Range<u64>) -> io::Result<()> {
    let bytes = range.end - range.start;
    // Between two whole clusters lies at least a cluster's head: more than the nine bytes of this one.
    let mut head = vec![0xEC];
    if bytes >= 9 {
        head.extend(matroska::size_bytes(bytes - 9));
    } else {
        head.push(0x80 | bytes.saturating_sub(2) as u8);
    }
    file.write_all_at(&head, range.start)
}

/// What can be told of a file whose line is gone.
fn recover(index: u32, scan: &Scan, header: &[u8], about: &About) -> SegmentRecord {
    let tracks = scan.tracks.as_ref();
    let video = tracks.and_then(|tracks| tracks.of(VIDEO));
    let size = video.map(|(_, _, size)| size).unwrap_or_default();
    let unix_ns = tracks.and_then(|tracks| tracks.unix_ns).unwrap_or(about.clock.unix_ns);
    let is_h264 = tracks.is_some_and(matroska::Tracks::is_h264);
    SegmentRecord {
        index,
        base_ns: about.clock.running_ns + unix_ns.saturating_sub(about.clock.unix_ns),
        format: String::new(),
        width: size.width,
        height: size.height,
        colorimetry: String::new(),
        framerate: (0, 1),
        codec: if is_h264 { "h264" } else { "ffv1" }.to_owned(),
        coded: String::new(),
        mask_side: tracks.and_then(|tracks| tracks.of(MASKS)).map_or(0, |(_, _, size)| size.width),
        header: hexadecimal(header),
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that hexadecimal digits say.
fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
