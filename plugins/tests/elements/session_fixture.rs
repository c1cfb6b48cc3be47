//! What tests of sessions share: a recorder, frames with what hangs on them, and sessions read back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gst::prelude::*;
use gstpolyp::meta::{self, FrameMeta};
use polyp::frame::{PixelFormat, Rect, Size};
use polyp::input::Placement;
use polyp::motion::{Affine, Motion};
use polyp::overlay::Badge;
use polyp::random::Random;
use polyp::segmentation::Segmentation;
use polyp::session::{Agreement, EngineRecord, FrameRecord, Player, Record, agreement};

use crate::fixture::{at, frame_meta, init, text_of};
use crate::formats::noise;

pub(crate) const SMALL: Size = Size::new(64, 48);

/// A recorder into `folder`, with properties as text.
pub(crate) fn recorder(folder: &Path, properties: &[(&str, &str)]) -> gst::Element {
    init();
    let element = gst::ElementFactory::make("polyprecord").build().unwrap();
    element.set_property("record", folder.display().to_string());
    element.set_property("record-keep-free", 0_u64);
    // No frame is lost because this machine is busy; the tests of what is lost say how many may wait.
    element.set_property("record-queue", 600_u32);
    for (name, value) in properties {
        element.set_property_from_str(name, value);
    }
    element
}

/// The mask of frame `index`: `side` times `side` cells.
pub(crate) fn mask(index: u64, side: u32, size: Size) -> Arc<Segmentation> {
    let mut random = Random::new(&[index, 77]);
    let cells = (side * side) as usize;
    let placement = Placement {
        source: Rect { x: 2, y: 1, width: size.width - 2, height: size.height - 1 },
        target: Rect { x: 0, y: 4, width: side, height: side - 8 },
        side_px: side,
    };
    let probability = (0..cells).map(|_| random.below(256) as u8).collect();
    Arc::new(Segmentation { probability, placement, pts: at(index).into(), sequence: index })
}

/// What hangs on frame `index`: the mask of a frame four to six before, moved along; the network was asked about every third.
pub(crate) fn hung(index: u64, side: u32, size: Size) -> FrameMeta {
    let held = index.checked_sub(4).map(|of| of / 3 * 3);
    let (mask, badge) = match held {
        Some(of) => {
            let age_ms = u32::try_from((at(index) - at(of)).mseconds()).unwrap();
            (Some(mask(of, side, size)), Badge::Held { age_ms })
        }
        None => (None, Badge::NoMask),
    };
    let map = Affine { matrix: [[1.0, 0.01], [-0.02, 0.99]], offset: [index as f32 * 0.3, -1.5] };
    let motion =
        mask.as_ref().map(|mask| Motion { from: mask.pts, to: at(index).into(), map, quality: 0.75 });
    let engine = EngineRecord { name: "fixture".to_owned(), side_px: side, ..EngineRecord::default() };
    FrameMeta {
        motion,
        alarm: Some(index.is_multiple_of(2)),
        engine: Some(Arc::new(engine)),
        sequence: index,
        ..frame_meta(mask, badge, size, at(index).into())
    }
}

/// A frame of noise with what hangs on it.
pub(crate) fn frame(caps: &str, index: u64, side: u32, size: Size) -> gst::Buffer {
    let mut buffer = noise(caps, index);
    let writable = buffer.make_mut();
    for byte in writable.map_writable().unwrap().iter_mut() {
        *byte = byte.wrapping_add((index as u8).wrapping_mul(5));
    }
    writable.set_pts(at(index));
    meta::attach(writable, hung(index, side, size)).unwrap();
    buffer
}

/// The sessions in `folder`, in their order.
pub(crate) fn sessions(folder: &Path) -> Vec<PathBuf> {
    let mut sessions: Vec<PathBuf> =
        fs::read_dir(folder).map(|entries| entries.map(|e| e.unwrap().path()).collect()).unwrap_or_default();
    sessions.sort();
    sessions
}

/// The only session in `folder`, in which everything agrees.
pub(crate) fn whole(folder: &Path) -> (PathBuf, Agreement) {
    let found = sessions(folder);
    assert_eq!(found.len(), 1, "{found:?}");
    let agreement = agreement(&found[0]).unwrap();
    assert_eq!(agreement.wrong, Vec::<String>::new());
    (found[0].clone(), agreement)
}

pub(crate) fn records(session: &Path) -> Vec<Record> {
    Player::open(session).unwrap().map(|played| played.unwrap().record).collect()
}

pub(crate) fn lines(session: &Path) -> Vec<FrameRecord> {
    let frame = |record| match record {
        Record::Frame(frame) => Some(*frame),
        _ => None,
    };
    records(session).into_iter().filter_map(frame).collect()
}

/// Plays a session to its end, or to what is wrong with it: its frames with their caps.
pub(crate) fn played(session: &Path, masks: &str) -> Result<Vec<(gst::Caps, gst::Buffer)>, String> {
    init();
    let source = gst::ElementFactory::make("polypsessionsrc")
        .property("session", session.display().to_string())
        .property_from_str("masks", masks)
        .build()
        .unwrap();
    let sink = gst_app::AppSink::builder().sync(false).build();
    let pipeline = gst::Pipeline::new();
    pipeline.add_many([&source, sink.upcast_ref()]).unwrap();
    source.link(&sink).unwrap();
    let bus = pipeline.bus().unwrap();
    let _said_on_the_bus = pipeline.set_state(gst::State::Playing);
    let mut frames = Vec::new();
    let limit = gst::ClockTime::from_seconds(20);
    while let Some(sample) = sink.try_pull_sample(Some(limit)) {
        frames.push((sample.caps_owned().unwrap(), sample.buffer_owned().unwrap()));
    }
    let error = bus.pop_filtered(&[gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    error.map_or(Ok(frames), |error| Err(text_of(&error)))
}

/// A picture's bytes without what pads its rows, and without BGRx's fourth.
pub(crate) fn pixels(caps: &gst::Caps, buffer: &gst::Buffer) -> Vec<u8> {
    let picture = gstpolyp::picture::Picture::from_caps(caps).unwrap();
    let (format, size, _) = picture.kind();
    let rows = |view: &polyp::frame::FrameView<'_>| {
        let mut all = Vec::new();
        for (index, plane) in view.planes().iter().enumerate() {
            let (row, count) = format.plane_extent(index, size);
            plane.bytes.chunks(plane.stride).take(count).for_each(|bytes| all.extend(&bytes[..row]));
        }
        all
    };
    let mut all = picture.view(buffer, rows).unwrap();
    if format == PixelFormat::Bgrx {
        all.iter_mut().skip(3).step_by(4).for_each(|unused| *unused = 0);
    }
    all
}
