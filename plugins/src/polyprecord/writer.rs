//! The thread that codes and writes. Whatever holds it up, the picture goes on: it is told of frames, and never asked to wait.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use polyp::session::matroska::Layout;
use polyp::session::{
    Coded, EngineRecord, FrameRecord, MarkRecord, MaskRecord, Record, Recording, SegmentRecord,
    SettingsRecord, UncountedRecord,
};

use super::encoding::{Encoding, FFV1_ENCODER, MaskEncoding, Packet, private};
use super::kind::Kind;
use super::line::{record_of, side_of};
use super::order::{Item, Order};
use super::outcome::{Fault, Outcome};
use super::settings::Settings;
use super::store;
use crate::codec::stand_back;
use crate::meta::nanoseconds;

/// How often it looks up while nothing comes.
const GLANCE: Duration = Duration::from_millis(50);
/// How often the disk is asked for its room.
const LOOK_AT_DISK: Duration = Duration::from_secs(1);
/// How long an encoder may take for its last packets.
const END_LIMIT: Duration = Duration::from_secs(5);
/// How many masks are remembered, to write each once.
const REMEMBERED: usize = 64;

/// The thread's own.
pub(super) struct Writer {
    pub(super) settings: Arc<Settings>,
    pub(super) folder: PathBuf,
    /// Told when the session's folder is there.
    pub(super) began: Box<dyn Fn() + Send>,
    pub(super) state: State,
}

/// How far it is.
#[derive(Default)]
pub(super) struct State {
    recording: Option<Recording>,
    /// Kept for the file that begins with the next packet.
    clock_unix_ns: (u64, u64),
    video: Option<Encoding>,
    masks: Option<MaskEncoding>,
    /// Whether the encoding's file has been begun.
    open: bool,
    /// Frames whose packets have not come, with the masks that are first shown on them.
    waiting: VecDeque<Waiting>,
    engine: Option<Arc<EngineRecord>>,
    notes: Option<String>,
    known: VecDeque<u64>,
    /// The time of the file's first frame.
    base_ns: u64,
    last_ns: Option<u64>,
    frames: u64,
    dropped: u64,
    looked: Option<Instant>,
}

struct Waiting {
    before: Vec<Before>,
    frame: FrameRecord,
    /// Whether a packet of it is to come.
    coded: bool,
}

/// What is written before a frame's line.
enum Before {
    Mask(MaskRecord, Option<Vec<u8>>),
    Note(Record),
}

impl Writer {
    /// Writes until it is told to stop, or can not go on.
    pub(super) fn run(mut self, orders: &Receiver<Order>) -> Outcome {
        stand_back();
        let work = self.work(orders);
        let (reason, fault) = match work.and_then(|reason| self.drain().map(|()| reason)) {
            Ok(reason) => (reason, None),
            Err(fault) => (fault.sentence(), Some(fault.sentence())),
        };
        let began = self.state.recording.is_some();
        let ended = self.state.recording.take().map_or(Ok(()), |recording| recording.end(&reason));
        // What it failed of is said, and not what followed from that.
        let fault = fault.or_else(|| ended.err().map(|error| error.to_string()));
        let State { frames, dropped, .. } = self.state;
        Outcome { folder: self.folder, began, frames, dropped, reason, fault }
    }

    fn work(&mut self, orders: &Receiver<Order>) -> Result<String, Fault> {
        loop {
            match orders.recv_timeout(GLANCE) {
                Ok(Order::Frame(item)) => self.frame(*item)?,
                Ok(Order::Mark(text)) => {
                    let pts_ns = self.state.last_ns.unwrap_or_default();
                    self.note(Record::Mark(MarkRecord { pts_ns, text }))?;
                }
                Ok(Order::Notes(text)) => self.notes(text)?,
                Ok(Order::Stop(reason)) => return Ok(reason),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok("the element is gone".to_owned()),
            }
            self.take_packets(Duration::ZERO)?;
            self.look_at_disk()?;
            if let Some(recording) = &mut self.state.recording {
                recording.settle()?;
            }
        }
    }

    fn look_at_disk(&mut self) -> Result<(), Fault> {
        if self.state.looked.is_some_and(|looked| looked.elapsed() < LOOK_AT_DISK) {
            return Ok(());
        }
        self.state.looked = Some(Instant::now());
        let keep = self.settings.keep_free;
        match store::free(&self.folder) {
            Some(free) if free < keep => Err(Fault::Full { free, keep }),
            _ => Ok(()),
        }
    }

    /// Something is written behind the frames that wait.
    fn note(&mut self, record: Record) -> Result<(), Fault> {
        match (self.state.waiting.back_mut(), &mut self.state.recording) {
            (Some(last), _) => last.before.push(Before::Note(record)),
            (None, Some(recording)) => recording.note(record)?,
            // Before the first frame there is nothing to say it of.
            (None, None) => {}
        }
        Ok(())
    }

    fn notes(&mut self, text: String) -> Result<(), Fault> {
        if self.state.notes.as_ref() == Some(&text) {
            return Ok(());
        }
        self.state.notes = Some(text.clone());
        let pts_ns = self.state.last_ns.unwrap_or_default();
        self.note(Record::Settings(SettingsRecord { pts_ns, text }))
    }

    fn frame(&mut self, item: Item) -> Result<(), Fault> {
        // A session begins with a picture: of a stream on a card there is none.
        if self.state.recording.is_none() && item.pixels.is_err() {
            return Ok(());
        }
        self.begin(&item)?;
        let mut before = Vec::new();
        if item.untold > 0 {
            let (pts_ns, frames) = (item.pts_ns, item.untold);
            before.push(Before::Note(Record::Uncounted(UncountedRecord { pts_ns, frames })));
            self.state.dropped += frames;
            self.state.frames += frames;
        }
        let engine = item.meta.as_ref().and_then(|meta| meta.engine.clone());
        if let Some(engine) = engine.filter(|engine| self.state.engine.as_ref() != Some(engine)) {
            let record = EngineRecord { pts_ns: item.pts_ns, ..(*engine).clone() };
            before.push(Before::Note(Record::Engine(Box::new(record))));
            self.state.engine = Some(engine);
        }
        self.state.frames += 1;
        let mut frame = record_of(&item);
        let turned_back = self.state.last_ns.is_some_and(|last| item.pts_ns <= last);
        if turned_back {
            self.state.known.clear();
        }
        self.state.last_ns = Some(item.pts_ns);
        if item.pixels.is_ok() {
            self.turn_page(&item.kind, side_of(&item), item.pts_ns, turned_back)?;
        }
        if let Some(mask) = item.meta.as_ref().and_then(|meta| meta.segmentation.as_deref()) {
            let pts_ns = nanoseconds(mask.pts);
            if !self.state.known.contains(&pts_ns) {
                if self.state.known.len() >= REMEMBERED {
                    self.state.known.pop_front();
                }
                self.state.known.push_back(pts_ns);
                before.push(self.mask(mask)?);
            }
        }
        let coded = match item.pixels {
            Ok(pixels) => {
                let video = self.state.video.as_ref();
                let video = video.ok_or_else(|| Fault::Codec("there is no encoder".to_owned()))?;
                video.push(pixels, item.pts_ns).map_err(Fault::Codec)?;
                true
            }
            Err(why) => {
                self.state.dropped += 1;
                frame.dropped = Some(why.to_owned());
                false
            }
        };
        self.state.waiting.push_back(Waiting { before, frame, coded });
        self.write_uncoded()
    }

    /// The session begins with its first frame.
    fn begin(&mut self, item: &Item) -> Result<(), Fault> {
        if self.state.recording.is_some() {
            return Ok(());
        }
        self.look_at_disk()?;
        let video = Encoding::start(&item.kind, &self.settings).map_err(Fault::Codec)?;
        let unix_ns = store::unix_ns().saturating_sub(nanoseconds(item.arrived.elapsed()));
        let about = store::about(
            item.clock.as_deref().unwrap_or_default(),
            item.pts_ns,
            unix_ns,
            &video.encoder,
            FFV1_ENCODER,
        );
        let mut recording = Recording::begin(&self.folder, &about)?;
        if let Some(text) = self.state.notes.clone() {
            recording.note(Record::Settings(SettingsRecord { pts_ns: item.pts_ns, text }))?;
        }
        self.state.clock_unix_ns = (item.pts_ns, unix_ns);
        self.state.recording = Some(recording);
        self.state.video = Some(video);
        self.state.base_ns = item.pts_ns;
        (self.began)();
        Ok(())
    }

    /// Begins another file where frames or masks are of another kind, the file is long enough, or the time has turned back.
    fn turn_page(
        &mut self,
        kind: &Arc<Kind>,
        side: Option<u32>,
        pts_ns: u64,
        turned_back: bool,
    ) -> Result<(), Fault> {
        let state = &self.state;
        let long = u128::from(pts_ns.saturating_sub(state.base_ns)) >= self.settings.segment_time.as_nanos();
        let same_kind = state.video.as_ref().is_some_and(|video| video.kind() == kind);
        let other_side =
            side.is_some_and(|side| state.masks.as_ref().is_none_or(|masks| masks.side() != side));
        if !same_kind || long || turned_back || (other_side && state.open) {
            self.drain()?;
            self.state.open = false;
            self.state.video = Some(Encoding::start(kind, &self.settings).map_err(Fault::Codec)?);
            self.state.base_ns = pts_ns;
        }
        if let Some(side) = side.filter(|_| other_side) {
            self.state.masks = Some(MaskEncoding::start(side).map_err(Fault::Codec)?);
        }
        Ok(())
    }

    fn mask(&self, mask: &polyp::segmentation::Segmentation) -> Result<Before, Fault> {
        let masks = self.state.masks.as_ref().filter(|masks| masks.side() == mask.placement.side_px);
        let coded = masks.map(|masks| masks.code(&mask.probability)).transpose().map_err(Fault::Codec)?;
        let record = MaskRecord {
            segment: None,
            sequence: mask.sequence,
            pts_ns: nanoseconds(mask.pts),
            placed: mask.placement.into(),
            cells_crc: crc32fast::hash(&mask.probability),
            block_crc: None,
            dropped: coded.is_none().then(|| "its frame was not recorded".to_owned()),
        };
        Ok(Before::Mask(record, coded))
    }

    /// Writes the packets that have come.
    fn take_packets(&mut self, wait: Duration) -> Result<(), Fault> {
        loop {
            let Some(video) = &self.state.video else { return Ok(()) };
            let Some(packet) = video.pull(wait).map_err(Fault::Codec)? else { return Ok(()) };
            self.packet(&packet)?;
        }
    }

    fn packet(&mut self, packet: &Packet) -> Result<(), Fault> {
        if !self.state.open {
            self.open(packet)?;
        }
        let Some(Waiting { before, mut frame, .. }) = self.state.waiting.pop_front() else {
            return Err(Fault::Codec("the encoder gave more packets than it was given pictures".to_owned()));
        };
        self.write_before(before)?;
        frame.pixels_crc = packet.pixels_crc;
        let map = packet.sample.buffer().and_then(|buffer| buffer.map_readable().ok());
        let map = map.ok_or_else(|| Fault::Codec("a packet can not be read".to_owned()))?;
        if let Some(recording) = &mut self.state.recording {
            recording.frame(frame, Some(Coded { data: &map, key: packet.key }))?;
        }
        self.write_uncoded()
    }

    /// Writes the lines of frames that no packet is to come of, up to the first that one is to come of.
    fn write_uncoded(&mut self) -> Result<(), Fault> {
        while self.state.waiting.front().is_some_and(|waiting| !waiting.coded) {
            let Some(Waiting { before, frame, .. }) = self.state.waiting.pop_front() else { break };
            self.write_before(before)?;
            if let Some(recording) = &mut self.state.recording {
                recording.frame(frame, None)?;
            }
        }
        Ok(())
    }

    fn write_before(&mut self, before: Vec<Before>) -> Result<(), Fault> {
        let Some(recording) = &mut self.state.recording else { return Ok(()) };
        for before in before {
            match before {
                Before::Mask(mask, coded) => recording.mask(mask, coded.as_deref())?,
                Before::Note(record) => recording.note(record)?,
            }
        }
        Ok(())
    }

    /// Begins the file of the packets, now that the codec has said what a decoder has to be told.
    fn open(&mut self, packet: &Packet) -> Result<(), Fault> {
        let state = &mut self.state;
        let (Some(recording), Some(video)) = (&mut state.recording, &state.video) else { return Ok(()) };
        let mut tracks = vec![video.track(private(&packet.sample))];
        tracks.extend(state.masks.as_ref().map(MaskEncoding::track));
        let (running_ns, unix_ns) = state.clock_unix_ns;
        let name =
            self.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let layout = Layout {
            title: format!("polyp session {name}"),
            unix_ns: unix_ns + state.base_ns.saturating_sub(running_ns),
            tracks,
        };
        let kind = video.kind();
        let fps = kind.info.fps();
        let part = |number: i32| u32::try_from(number).unwrap_or(0);
        recording.segment(
            &layout,
            SegmentRecord {
                index: 0,
                base_ns: state.base_ns,
                format: kind.format().name().to_owned(),
                width: kind.size().width,
                height: kind.size().height,
                colorimetry: kind.info.colorimetry().to_string(),
                framerate: (part(fps.numer()), part(fps.denom()).max(1)),
                codec: video.name.name().to_owned(),
                coded: video.coded.to_owned(),
                mask_side: state.masks.as_ref().map_or(0, MaskEncoding::side),
                header: String::new(),
            },
        )?;
        state.open = true;
        Ok(())
    }

    /// Has the encoder end, and writes all that waits.
    fn drain(&mut self) -> Result<(), Fault> {
        let Some(video) = &self.state.video else { return Ok(()) };
        video.end();
        let begun = Instant::now();
        loop {
            self.take_packets(Duration::from_millis(10))?;
            let is_over = self.state.video.as_ref().is_none_or(Encoding::is_over);
            if is_over && self.state.waiting.is_empty() {
                return Ok(());
            }
            if is_over || begun.elapsed() > END_LIMIT {
                let left = self.state.waiting.len();
                return Err(Fault::Codec(format!("the encoder ended and owes {left} packets")));
            }
        }
    }
}
