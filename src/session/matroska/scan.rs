//! Reading a file, whatever became of it: which clusters are whole, and which bytes are damaged.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use mkv_element::io::blocking_impl::{ReadElement, ReadFrom};
use mkv_element::prelude::*;

use super::{EPOCH_NS, H264, id_bytes};
use crate::frame::Size;
use crate::session::SessionError;

/// The longest header that is looked at.
const HEADER_BYTES: u64 = 1 << 16;
/// The largest cluster that is taken for one: half a second of what no stream has.
const CLUSTER_BYTES: u64 = 1 << 30;
/// The last tick that is believed: after 34 years.
const LAST_TICK: i64 = 1 << 40;
/// How much is looked through at a time for the next whole cluster.
const WINDOW: usize = 1 << 20;

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The tracks, where the header can be read.
    pub tracks: Option<Tracks>,
    /// Bytes before the first cluster.
    pub header: u64,
    /// The whole clusters, in their order.
    pub clusters: Vec<Cluster>,
    /// What can not be read, behind the header.
    pub damaged: Vec<Range<u64>>,
    /// Where the last whole element ends.
    pub end: u64,
    /// The file's length.
    pub bytes: u64,
    /// Whether its header and index say that it was finished.
    pub finished: bool,
}

/// What the header says of the tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracks {
    /// Each track's number, codec, codec's private bytes and picture size.
    pub each: Vec<(u64, String, Vec<u8>, Size)>,
    /// Nanoseconds since 1970 at tick 0, where it says so.
    pub unix_ns: Option<u64>,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Where it begins.
    pub at: u64,
    /// Its length, with its head.
    pub bytes: u64,
    /// Its blocks.
    pub blocks: Vec<Block>,
}

/// One block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its track.
    pub track: u64,
    /// Its time.
    pub tick: i64,
    /// Whether it can be decoded without others.
    pub key: bool,
    /// CRC-32 of its data.
    pub crc: u32,
    /// Where its data begin in the file.
    pub at: u64,
    /// How many bytes they are.
    pub bytes: u64,
}

/// Reads the blocks of an undamaged file one after the other.
#[derive(Debug)]
pub struct Blocks {
    path: PathBuf,
    file: File,
    tracks: Tracks,
    at: u64,
    bytes: u64,
    waiting: VecDeque<(Block, Vec<u8>)>,
}

impl Blocks {
    /// Those of the file `path`.
    ///
    /// # Errors
    /// [`SessionError`] when it can not be read, or its header is damaged.
    pub fn open(path: &Path) -> Result<Self, SessionError> {
        let look = || -> io::Result<(File, u64, Vec<u8>)> {
            let file = File::open(path)?;
            let bytes = file.metadata()?.len();
            let mut head = vec![0; usize::try_from(bytes.min(HEADER_BYTES)).unwrap_or(0)];
            file.read_exact_at(&mut head, 0)?;
            Ok((file, bytes, head))
        };
        let (file, bytes, head) = look().map_err(SessionError::file("it can not be read", path))?;
        let Some((tracks, at, _)) = read_header(&head) else {
            return Err(SessionError::format(path, "a Matroska file's header", DAMAGE));
        };
        Ok(Self { path: path.to_owned(), file, tracks, at, bytes, waiting: VecDeque::new() })
    }

    /// What its header says of the tracks.
    pub fn tracks(&self) -> &Tracks {
        &self.tracks
    }

    /// The next block of that track with its data; those of the other track wait for their turn.
    ///
    /// # Errors
    /// [`SessionError`] when it can not be read, or is damaged.
    pub fn next_of(&mut self, track: u64) -> Result<Option<(Block, Vec<u8>)>, SessionError> {
        loop {
            if let Some(place) = self.waiting.iter().position(|(block, _)| block.track == track) {
                return Ok(self.waiting.remove(place));
            }
            if self.at >= self.bytes {
                return Ok(None);
            }
            let next = element(&self.file, self.at, self.bytes);
            match next.map_err(SessionError::file("it can not be read", &self.path))? {
                Some(Piece::Cluster(cluster, body)) => {
                    let from = cluster.at + cluster.bytes - body.len() as u64;
                    self.waiting.extend(cluster.blocks.iter().filter_map(|block| {
                        let data = body.get(usize::try_from(block.at - from).ok()?..)?;
                        let data = data.get(..usize::try_from(block.bytes).ok()?)?;
                        Some((*block, data.to_vec()))
                    }));
                    self.at += cluster.bytes;
                }
                Some(Piece::Index(length) | Piece::Other(length)) => self.at += length,
                None => {
                    let expected = "clusters with their checksums";
                    return Err(SessionError::format(
                        &self.path,
                        expected,
                        format!("{DAMAGE} at byte {}", self.at),
                    ));
                }
            }
        }
    }
}

/// What is said of a damaged file.
const DAMAGE: &str = "damage, which `polyp repair` takes out,";

/// Looks through the file `path`. Damage is no error: it is what the result says.
///
/// # Errors
/// [`SessionError`] when the file can not be read.
pub fn scan(path: &Path) -> Result<Scan, SessionError> {
    let look = || -> io::Result<Scan> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        scan_file(&file, bytes)
    };
    look().map_err(SessionError::file("it can not be read", path))
}

fn scan_file(file: &File, bytes: u64) -> io::Result<Scan> {
    let mut head = vec![0; usize::try_from(bytes.min(HEADER_BYTES)).unwrap_or(0)];
    file.read_exact_at(&mut head, 0)?;
    let header = read_header(&head);
    let (tracks, begin, sized) = match header {
        Some((tracks, begin, sized)) => (Some(tracks), begin, sized),
        None => (None, 0, false),
    };
    let mut scan = Scan {
        tracks,
        header: begin,
        clusters: Vec::new(),
        damaged: Vec::new(),
        end: begin,
        bytes,
        finished: false,
    };
    let (mut at, mut indexed) = (begin, false);
    while at < bytes {
        match element(file, at, bytes)? {
            Some(Piece::Cluster(cluster, _)) => {
                at += cluster.bytes;
                scan.clusters.push(cluster);
            }
            Some(Piece::Index(length)) => {
                at += length;
                indexed = true;
            }
            Some(Piece::Other(length)) => at += length,
            None => {
                let next = next_whole(file, at + 1, bytes)?;
                // Without a header there is none that ends here: what comes before the first cluster is it.
                if scan.tracks.is_none() && scan.clusters.is_empty() && scan.damaged.is_empty() {
                    scan.header = next;
                } else {
                    scan.damaged.push(at..next);
                }
                at = next;
                continue;
            }
        }
        scan.end = at;
    }
    scan.finished = sized && indexed && scan.damaged.is_empty();
    Ok(scan)
}

/// What begins somewhere.
enum Piece {
    /// With its body behind the checksum.
    Cluster(Cluster, Vec<u8>),
    Index(u64),
    Other(u64),
}

/// The whole element that begins at `at`, if one does.
fn element(file: &File, at: u64, end: u64) -> io::Result<Option<Piece>> {
    let Some((id, head, size)) = head(file, at, end)? else { return Ok(None) };
    let whole = head + size;
    if [mkv_element::prelude::Cluster::ID, Cues::ID].contains(&id) {
        let Some(body) = summed(file, at + head, size)? else { return Ok(None) };
        if id == Cues::ID {
            return Ok(Some(Piece::Index(whole)));
        }
        // Behind the six bytes of the checksum.
        let blocks = blocks(&body, at + head + 6);
        return Ok(blocks.map(|blocks| Piece::Cluster(Cluster { at, bytes: whole, blocks }, body)));
    }
    Ok((id == Void::ID).then_some(Piece::Other(whole)))
}

/// An element's identifier, the length of its head, and its size, if it ends before `end`.
fn head(file: &File, at: u64, end: u64) -> io::Result<Option<(VInt64, u64, u64)>> {
    let mut bytes = [0; 12];
    let length = usize::try_from((end - at).min(12)).unwrap_or(0);
    file.read_exact_at(&mut bytes[..length], at)?;
    let mut rest = &bytes[..length];
    let Ok(header) = Header::read_from(&mut rest) else { return Ok(None) };
    let head = (length - rest.len()) as u64;
    let fits = !header.size.is_unknown && at.checked_add(head + *header.size).is_some_and(|next| next <= end);
    Ok(fits.then_some((header.id, head, *header.size)))
}

/// The body of an element behind its checksum, if that is right.
fn summed(file: &File, at: u64, size: u64) -> io::Result<Option<Vec<u8>>> {
    if !(6..=CLUSTER_BYTES).contains(&size) {
        return Ok(None);
    }
    let mut sum = [0; 6];
    file.read_exact_at(&mut sum, at)?;
    if sum[..2] != [0xBF, 0x84] {
        return Ok(None);
    }
    let mut body = vec![0; usize::try_from(size - 6).unwrap_or(0)];
    file.read_exact_at(&mut body, at + 6)?;
    let sum = u32::from_le_bytes([sum[2], sum[3], sum[4], sum[5]]);
    Ok((crc32fast::hash(&body) == sum).then_some(body))
}

/// The blocks in a cluster's body, which lies at `at`.
fn blocks(body: &[u8], at: u64) -> Option<Vec<Block>> {
    let (mut rest, mut begun, mut blocks) = (body, 0_i64, Vec::new());
    while !rest.is_empty() {
        let header = Header::read_from(&mut rest).ok()?;
        let size = usize::try_from(*header.size).ok()?;
        let (data, after) = rest.split_at_checked(size)?;
        if header.id == Timestamp::ID {
            begun = i64::try_from(*Timestamp::read_element(&header, &mut &*data).ok()?).ok()?;
        } else if header.id == SimpleBlock::ID {
            let &[track, high, low, flags, ref data @ ..] = data else { return None };
            let tick = begun.checked_add(i64::from(i16::from_be_bytes([high, low])))?;
            // Nothing comes before its file, and no recording takes decades.
            if !(0..=LAST_TICK).contains(&tick) {
                return None;
            }
            let from = (body.len() - after.len() - data.len()) as u64;
            blocks.push(Block {
                track: u64::from(track & 0x7F),
                tick,
                key: flags & 0x80 != 0,
                crc: crc32fast::hash(data),
                at: at + from,
                bytes: data.len() as u64,
            });
        }
        rest = after;
    }
    Some(blocks)
}

/// Where the next whole cluster or index begins, from `from` on; `end` if none does.
fn next_whole(file: &File, from: u64, end: u64) -> io::Result<u64> {
    let (cluster, index) = (id_bytes(mkv_element::prelude::Cluster::ID), id_bytes(Cues::ID));
    let mut at = from;
    while at + 4 <= end {
        let length = usize::try_from((end - at).min(WINDOW as u64)).unwrap_or(0);
        let mut window = vec![0; length];
        file.read_exact_at(&mut window, at)?;
        for (offset, four) in window.windows(4).enumerate() {
            let here = at + offset as u64;
            if (four == cluster || four == index) && element(file, here, end)?.is_some() {
                return Ok(here);
            }
        }
        // The last three bytes may begin what the next window ends.
        at += (length - 3) as u64;
    }
    Ok(end)
}

/// What the header says: the tracks, where it ends, and whether it knows the segment's size.
fn read_header(bytes: &[u8]) -> Option<(Tracks, u64, bool)> {
    let mut rest = bytes;
    let ebml = Header::read_from(&mut rest).ok().filter(|header| header.id == Ebml::ID)?;
    rest = rest.get(usize::try_from(*ebml.size).ok()?..)?;
    let segment = Header::read_from(&mut rest).ok().filter(|header| header.id == Segment::ID)?;
    let mut unix_ns = None;
    loop {
        let header = Header::read_from(&mut rest).ok()?;
        let (body, after) = rest.split_at_checked(usize::try_from(*header.size).ok()?)?;
        rest = after;
        if header.id == Info::ID {
            let info = Info::read_element(&header, &mut &*body).ok()?;
            let date = info.date_utc.map(|date| i128::from(*date) + EPOCH_NS);
            unix_ns = date.and_then(|date| u64::try_from(date).ok());
        }
        if header.id == mkv_element::prelude::Tracks::ID {
            let tracks = mkv_element::prelude::Tracks::read_element(&header, &mut &*body).ok()?;
            let each = tracks.track_entry.iter().map(track).collect::<Option<Vec<_>>>()?;
            return Some((
                Tracks { each, unix_ns },
                (bytes.len() - rest.len()) as u64,
                !segment.size.is_unknown,
            ));
        }
    }
}

fn track(entry: &TrackEntry) -> Option<(u64, String, Vec<u8>, Size)> {
    let video = entry.video.as_ref()?;
    let side = |side: u64| u32::try_from(side).ok();
    let size = Size::new(side(*video.pixel_width)?, side(*video.pixel_height)?);
    let private = entry.codec_private.as_ref().map(|private| private.to_vec()).unwrap_or_default();
    Some((*entry.track_number, entry.codec_id.to_string(), private, size))
}

impl Tracks {
    /// The track of that number: codec, codec's private bytes and picture size.
    pub fn of(&self, number: u64) -> Option<(&str, &[u8], Size)> {
        let found = self.each.iter().find(|(track, ..)| *track == number)?;
        Some((&found.1, &found.2, found.3))
    }

    /// Whether the video is H.264, and not FFV1.
    pub fn is_h264(&self) -> bool {
        self.of(super::VIDEO).is_some_and(|(codec, ..)| codec == H264)
    }
}
