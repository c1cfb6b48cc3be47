//! Writing a file: its header, clusters, and what finishes it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use mkv_element::io::blocking_impl::WriteTo;
use mkv_element::prelude::*;

use super::{CLUSTER_TICKS, EPOCH_NS, Scan, UNKNOWN_SIZE, VIDEO, id_bytes, size_bytes};
use crate::frame::Size;
use crate::session::{SessionError, TICK_NS};

/// Room for the place of the index.
const SEEK_BYTES: usize = 64;

/// A number that needs a float of eight bytes.
const EIGHT_BYTES: f64 = 0.1;

/// What the numbers of a picture mean, as Matroska counts (the values of ISO/IEC 23091-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// The matrix: 1 BT.709, 6 BT.601, 9 BT.2020.
    pub matrix: u64,
    /// The range: 1 limited, 2 full.
    pub range: u64,
}

/// One track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Its number, [`VIDEO`] or [`super::MASKS`].
    pub number: u64,
    /// What players call it.
    pub name: String,
    /// Its codec, by Matroska's name.
    pub codec: String,
    /// What the codec's decoder has to be told first.
    pub private: Vec<u8>,
    /// The pictures' size in pixels.
    pub size: Size,
    /// What the pictures' numbers mean, where that is known.
    pub colour: Option<Colour>,
    /// One frame's time in nanoseconds, where it is always the same.
    pub frame_ns: Option<u64>,
}

/// What stands in the head of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What players call it.
    pub title: String,
    /// Nanoseconds since 1970 at tick 0.
    pub unix_ns: u64,
    /// The tracks.
    pub tracks: Vec<Track>,
}

impl Layout {
    /// The bytes before the first cluster, as they stand while the file is written.
    ///
    /// # Errors
    /// When a part can not be encoded.
    fn header(&self) -> Result<Vec<u8>, mkv_element::Error> {
        let mut bytes = Vec::new();
        let ebml = Ebml {
            ebml_version: Some(EbmlVersion(1)),
            ebml_read_version: Some(EbmlReadVersion(1)),
            ebml_max_id_length: EbmlMaxIdLength(4),
            ebml_max_size_length: EbmlMaxSizeLength(8),
            doc_type: Some(DocType("matroska".to_owned())),
            doc_type_version: Some(DocTypeVersion(4)),
            doc_type_read_version: Some(DocTypeReadVersion(2)),
            ..Ebml::default()
        };
        ebml.write_to(&mut bytes)?;
        bytes.extend(id_bytes(Segment::ID));
        bytes.extend(UNKNOWN_SIZE);
        bytes.extend(void(SEEK_BYTES));
        let app = concat!("polyp ", env!("CARGO_PKG_VERSION"));
        let date = i128::from(self.unix_ns) - EPOCH_NS;
        let info = Info {
            timestamp_scale: TimestampScale(TICK_NS),
            duration: Some(Duration(EIGHT_BYTES)),
            date_utc: i64::try_from(date).ok().map(DateUtc),
            title: Some(Title(self.title.clone())),
            muxing_app: MuxingApp(app.to_owned()),
            writing_app: WritingApp(app.to_owned()),
            ..Info::default()
        };
        info.write_to(&mut bytes)?;
        let tracks =
            Tracks { track_entry: self.tracks.iter().map(Track::entry).collect(), ..Tracks::default() };
        tracks.write_to(&mut bytes)?;
        if let Some(places) = Places::find(&bytes) {
            put(&mut bytes, places.duration, &0_f64.to_be_bytes());
        }
        Ok(bytes)
    }
}

impl Track {
    fn entry(&self) -> TrackEntry {
        let colour = self.colour.map(|Colour { matrix, range }| mkv_element::prelude::Colour {
            matrix_coefficients: MatrixCoefficients(matrix),
            range: Range(range),
            ..Default::default()
        });
        let video = Video {
            flag_interlaced: FlagInterlaced(2),
            pixel_width: PixelWidth(u64::from(self.size.width)),
            pixel_height: PixelHeight(u64::from(self.size.height)),
            colour,
            ..Video::default()
        };
        TrackEntry {
            track_number: TrackNumber(self.number),
            track_uid: TrackUid(self.number),
            track_type: TrackType(1),
            flag_default: FlagDefault(u64::from(self.number == VIDEO)),
            flag_lacing: FlagLacing(0),
            default_duration: self.frame_ns.map(DefaultDuration),
            name: Some(Name(self.name.clone())),
            language: Language("und".to_owned()),
            codec_id: CodecId(self.codec.clone()),
            codec_private: Some(CodecPrivate(self.private.clone().into()))
                .filter(|_| !self.private.is_empty()),
            video: Some(video),
            ..TrackEntry::default()
        }
    }
}

/// An element that means nothing, `bytes` long with its head (2 to 128).
fn void(bytes: usize) -> Vec<u8> {
    let mut void = vec![0; bytes];
    void[0] = 0xEC;
    // At most 126: it fits into the seven bits of a short size.
    void[1] = 0x80 | (bytes - 2) as u8;
    void
}

/// A file that is being written.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    header: Vec<u8>,
    /// Bytes that are in the file.
    written: u64,
    cluster: Cluster,
    cues: Vec<Cue>,
    /// The time after the last block, in ticks.
    end: i64,
}

/// The cluster that blocks are gathered in.
#[derive(Debug, Default)]
struct Cluster {
    /// Its tick; `None` while there is none.
    tick: Option<i64>,
    /// Its blocks.
    blocks: Vec<u8>,
    /// The tick of its first block of the video that stands for itself.
    key: Option<i64>,
}

/// A place that can be sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) struct Cue {
    pub(in crate::session) tick: i64,
    /// Where its cluster begins in the file.
    pub(in crate::session) at: u64,
}

impl Writer {
    /// A new file `path`, which must not exist, with its header.
    ///
    /// # Errors
    /// [`SessionError`] when it can not be made.
    pub fn create(path: &Path, layout: &Layout) -> Result<Self, SessionError> {
        let header = layout
            .header()
            .map_err(|error| SessionError::format(path, "tracks that can be written", error.to_string()))?;
        let make = || -> io::Result<File> {
            let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
            file.write_all(&header)?;
            file.sync_all()?;
            if let Some(folder) = path.parent() {
                File::open(folder)?.sync_all()?;
            }
            Ok(file)
        };
        let file = make().map_err(SessionError::file("it can not be made", path))?;
        let written = header.len() as u64;
        let (cluster, cues) = (Cluster::default(), Vec::new());
        Ok(Self { path: path.to_owned(), file, header, written, cluster, cues, end: 0 })
    }

    /// The bytes before the first cluster.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Bytes that were written or wait to be.
    pub fn bytes(&self) -> u64 {
        self.written + self.cluster.blocks.len() as u64
    }

    /// Whether the block of that tick belongs into another cluster than the one that is gathered: [`Writer::flush`] first.
    pub fn is_due(&self, tick: i64) -> bool {
        self.cluster.tick.is_some_and(|begun| (tick - begun).abs() >= CLUSTER_TICKS)
    }

    /// Gathers a block of that track; it is written with the next [`Writer::flush`].
    pub fn push(&mut self, track: u64, tick: i64, key: bool, data: &[u8]) {
        let begun = *self.cluster.tick.get_or_insert(tick.max(0));
        // Clusters are short, and a mask is at most seconds older than its neighbours.
        let relative = (tick - begun).clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16;
        let blocks = &mut self.cluster.blocks;
        blocks.extend(id_bytes(SimpleBlock::ID));
        blocks.extend(size_bytes(data.len() as u64 + 4));
        blocks.push(0x80 | track as u8);
        blocks.extend(relative.to_be_bytes());
        blocks.push(if key { 0x80 } else { 0 });
        blocks.extend_from_slice(data);
        if track == VIDEO && key {
            self.cluster.key.get_or_insert(tick);
        }
        self.end = self.end.max(tick);
    }

    /// Writes the cluster, if there is one, and makes sure that it is on the disk.
    ///
    /// # Errors
    /// [`SessionError`] when it can not be written; what was written of it is no part of the file then.
    pub fn flush(&mut self) -> Result<(), SessionError> {
        let Cluster { tick: Some(tick), blocks, key } = std::mem::take(&mut self.cluster) else {
            return Ok(());
        };
        let mut body = Vec::with_capacity(blocks.len() + 32);
        let stamp = Timestamp(tick.unsigned_abs());
        stamp.write_to(&mut body).map_err(|error| self.unwritable(&error))?;
        body.extend(blocks);
        let mut head = id_bytes(mkv_element::prelude::Cluster::ID);
        head.extend(size_bytes(body.len() as u64 + 6));
        head.extend([0xBF, 0x84]);
        head.extend(crc32fast::hash(&body).to_le_bytes());
        let at = self.written;
        let write = || -> io::Result<()> {
            self.file.write_all_at(&head, at)?;
            self.file.write_all_at(&body, at + head.len() as u64)?;
            self.file.sync_data()
        };
        write().map_err(SessionError::file("it can not be written", &self.path))?;
        self.written += (head.len() + body.len()) as u64;
        if let Some(tick) = key {
            self.cues.push(Cue { tick, at });
        }
        Ok(())
    }

    /// Writes the last cluster and the index, and fills in the header: the file is whole.
    ///
    /// # Errors
    /// [`SessionError`] when it can not be written; what is in the file can be read all the same.
    pub fn finish(mut self) -> Result<(), SessionError> {
        self.flush()?;
        finish(&self.file, &self.path, &self.header, self.written, &self.cues, self.end)
    }

    fn unwritable(&self, error: &mkv_element::Error) -> SessionError {
        SessionError::format(&self.path, "a block that can be written", error.to_string())
    }
}

/// Adds the index behind byte `written` and fills in the header.
pub(in crate::session) fn finish(
    file: &File,
    path: &Path,
    header: &[u8],
    written: u64,
    cues: &[Cue],
    end: i64,
) -> Result<(), SessionError> {
    let refused = |error: mkv_element::Error| {
        SessionError::format(path, "a header that can be filled in", error.to_string())
    };
    let places = Places::find(header).ok_or_else(|| {
        SessionError::format(path, "a header with room for size, duration and index", "another one")
    })?;
    let from = places.body as u64;
    let index = index(cues, from).map_err(refused)?;
    let mut header = header.to_vec();
    let size = written + index.len() as u64 - from;
    put(&mut header, places.body - 8, &size_bytes(size));
    put(&mut header, places.duration, &(end as f64).to_be_bytes());
    let mut seek = Vec::new();
    let entry = Seek {
        seek_id: SeekId(id_bytes(Cues::ID).into()),
        seek_position: SeekPosition(written - from),
        crc32: None,
        void: None,
    };
    SeekHead { seek: vec![entry], ..SeekHead::default() }.write_to(&mut seek).map_err(refused)?;
    if seek.len() + 2 <= SEEK_BYTES {
        let rest = void(SEEK_BYTES - seek.len());
        seek.extend(rest);
        put(&mut header, places.body, &seek);
    }
    let write = || -> io::Result<()> {
        file.write_all_at(&index, written)?;
        file.set_len(written + index.len() as u64)?;
        file.sync_data()?;
        // The index first: a header must not name what is not there.
        file.write_all_at(&header, 0)?;
        file.sync_all()
    };
    write().map_err(SessionError::file("it can not be finished", path))
}

/// The index of `cues`; `from` is where the segment's body begins.
fn index(cues: &[Cue], from: u64) -> Result<Vec<u8>, mkv_element::Error> {
    let point = |cue: &Cue| CuePoint {
        cue_time: CueTime(cue.tick.unsigned_abs()),
        cue_track_positions: vec![CueTrackPositions {
            cue_track: CueTrack(VIDEO),
            cue_cluster_position: CueClusterPosition(cue.at.saturating_sub(from)),
            ..CueTrackPositions::default()
        }],
        ..CuePoint::default()
    };
    let cues = Cues { cue_point: cues.iter().map(point).collect(), ..Cues::default() };
    let mut body = Vec::new();
    cues.encode_body(&mut body)?;
    let mut bytes = id_bytes(Cues::ID);
    bytes.extend(size_bytes(body.len() as u64 + 6));
    bytes.extend([0xBF, 0x84]);
    bytes.extend(crc32fast::hash(&body).to_le_bytes());
    bytes.extend(body);
    Ok(bytes)
}

/// Where a header is filled in.
struct Places {
    /// Where the segment's body begins, behind its size.
    body: usize,
    /// Where the duration's eight bytes are.
    duration: usize,
}

impl Places {
    fn find(header: &[u8]) -> Option<Self> {
        let at = |needle: &[u8], from: usize| {
            let found = header.get(from..)?.windows(needle.len()).position(|window| window == needle)?;
            Some(from + found + needle.len())
        };
        let body = at(&id_bytes(Segment::ID), 0)? + 8;
        let info = at(&id_bytes(Info::ID), body)?;
        let mut duration = id_bytes(Duration::ID);
        duration.push(0x88);
        let duration = at(&duration, info)?;
        (duration + 8 <= header.len() && body + SEEK_BYTES <= info).then_some(Self { body, duration })
    }
}

fn put(header: &mut [u8], at: usize, bytes: &[u8]) {
    header.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
}

impl Scan {
    /// What the index of the file would hold.
    pub(in crate::session) fn cues(&self) -> Vec<Cue> {
        let cue = |cluster: &super::Cluster| {
            let key = cluster.blocks.iter().find(|block| block.track == VIDEO && block.key)?;
            Some(Cue { tick: key.tick, at: cluster.at })
        };
        self.clusters.iter().filter_map(cue).collect()
    }
}
