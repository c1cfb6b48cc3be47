//! Frames with the caps feature `memory:CUDAMemory`: read and painted where they lie, and never by the CPU.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gst::prelude::*;
use gstpolyp::meta;
use gstpolyp::polypsegment::Opened;
use polyp::decode::Decoder;
use polyp::frame::{PixelFormat, Rect, Size};
use polyp::input::Placement;
use polyp::overlay::Badge;
use polyp::segmentation::Segmentation;
use polyp_engine::cuda::engine::CardEngine;
use polyp_engine::engine::{Backend, Options, Precision};
use polyp_engine::folder::EngineFolder;

use crate::card_memory::{card_bytes, on_card, place};
use crate::fixture::{Orders, Rig, at, bytes, engine_folder, frame_meta, init, segmenter, with_factory};
use crate::network::CpuNetwork;
use crate::stand_in::{Call, Streamed, load, stand_in};

const SIZE: Size = Size::new(66, 50);

/// The stand-in's own function, with the stand-in in its place; `None` where it can not be.
fn card() -> Option<Call> {
    static CARD: OnceLock<Option<(tempfile::TempDir, PathBuf, Call)>> = OnceLock::new();
    let card = CARD.get_or_init(|| {
        let (folder, library) = stand_in()?;
        let call = load(&library);
        Some((folder, library, call))
    });
    if card.is_none() {
        println!("skipped: frames in a card's memory, because there is no stand-in for a card");
    }
    card.as_ref().map(|(_, _, call)| *call)
}

fn caps(format: PixelFormat, memory: &str) -> String {
    let (Size { width, height }, format) = (SIZE, format.name());
    format!("video/x-raw{memory},format={format},width={width},height={height},framerate=30/1")
}

const CARD: &str = "(memory:CUDAMemory)";

/// Noise in rows that are longer than they have to be, and where its planes are.
fn noise(format: PixelFormat) -> (Vec<u8>, Vec<usize>, Vec<i32>) {
    let (mut offsets, mut strides, mut end) = (Vec::new(), Vec::new(), 64);
    for plane in 0..format.planes() {
        let (row, rows) = format.plane_extent(plane, SIZE);
        let stride = (row + 1).next_multiple_of(32);
        offsets.push(end);
        strides.push(stride as i32);
        end += stride * rows;
    }
    let bytes = (0..end).map(|i| (i * 89 % 251) as u8).collect();
    (bytes, offsets, strides)
}

/// The frame at `pts_ms`, on a card or not.
fn frame(format: PixelFormat, is_on_card: bool, pts: gst::ClockTime) -> gst::Buffer {
    let (bytes, offsets, strides) = noise(format);
    let mut buffer = if is_on_card { on_card(&bytes) } else { gst::Buffer::from_mut_slice(bytes) };
    let writable = buffer.get_mut().unwrap();
    writable.set_pts(pts);
    let (flags, format) =
        (gst_video::VideoFrameFlags::empty(), gst_video::VideoFormat::from_string(format.name()));
    let (width, height) = (SIZE.width, SIZE.height);
    gst_video::VideoMeta::add_full(writable, flags, format, width, height, &offsets, &strides).unwrap();
    buffer
}

/// Hangs a mask (a disc) or none and that badge on `buffer`.
fn hang(buffer: &mut gst::Buffer, has_mask: bool, badge: Badge) {
    let inside = |i: usize| (i % 32).abs_diff(16).pow(2) + (i / 32).abs_diff(16).pow(2) < 80;
    let probability = (0..32 * 32).map(|i| if inside(i) { 250 } else { 5 }).collect();
    let placement =
        Placement { source: Rect::whole(SIZE), target: Rect::whole(Size::new(32, 32)), side_px: 32 };
    let time = Duration::from(buffer.pts().unwrap());
    let mask = Arc::new(Segmentation { probability, placement, pts: time, sequence: 0 });
    let segmentation = has_mask.then_some(mask);
    let meta = frame_meta(segmentation, badge, SIZE, time);
    meta::attach(buffer.make_mut(), meta).unwrap();
}

fn hung(format: PixelFormat, is_on_card: bool) -> gst::Buffer {
    let mut buffer = frame(format, is_on_card, at(3));
    hang(&mut buffer, true, Badge::Live);
    buffer
}

fn overlay(caps: &str) -> Rig {
    init();
    Rig::new(&gst::ElementFactory::make("polypoverlay").build().unwrap(), caps)
}

/// An overlay whose card is open.
fn opened_overlay(format: PixelFormat) -> Rig {
    let mut rig = overlay(&caps(format, CARD));
    for _ in 0..2000 {
        let (got, _) = rig.pass(hung(format, true));
        if rig.stat("painted") > 0 {
            return rig;
        }
        assert_eq!(card_bytes(&got), noise(format).0, "unpainted as long as the card is not open");
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the card does not open: {:?}", rig.messages(gst::MessageType::Warning));
}

#[test]
fn such_memory_is_no_secret_of_the_cpus() {
    init();
    let buffer = on_card(&[1, 2, 3]);
    assert_eq!(card_bytes(&buffer), [1, 2, 3]);
    assert!(buffer.map_readable().is_err());
}

#[test]
fn system_memory_stands_first_in_the_templates() {
    init();
    for name in ["polypsegment", "polypoverlay", "polyplive"] {
        let factory = gst::ElementFactory::find(name).unwrap();
        for template in factory.static_pad_templates() {
            let caps = template.caps();
            assert_eq!(caps.size(), 2);
            assert!(caps.features(0).unwrap().contains("memory:SystemMemory"));
            assert!(caps.features(1).unwrap().contains("memory:CUDAMemory"));
            assert_eq!(caps.structure(0), caps.structure(1));
        }
    }
}

#[test]
fn a_card_paints_what_the_cpu_paints_where_the_frame_lies() {
    if card().is_none() {
        return;
    }
    for format in PixelFormat::ALL {
        let (expected, _) = overlay(&caps(format, "")).pass(hung(format, false));
        let mut rig = opened_overlay(format);
        let sent = hung(format, true);
        let lies = place(&sent);
        let (got, _) = rig.pass(sent);
        assert_eq!(place(&got), lies, "{format}: in place");
        let (found, expected) = (card_bytes(&got), bytes(&expected));
        assert!(found == expected && found != noise(format).0, "{format}");
        let infos = rig.messages(gst::MessageType::Info);
        assert!(infos.len() <= 1 && infos.iter().all(|said| said.contains("being opened")), "{infos:?}");
    }
}

#[test]
fn where_there_is_nothing_to_draw_a_frame_is_not_touched() {
    if card().is_none() {
        return;
    }
    let mut rig = opened_overlay(PixelFormat::Nv12);
    rig.element.set_property("badge", false);
    let mut sent = frame(PixelFormat::Nv12, true, at(3));
    hang(&mut sent, false, Badge::Live);
    let kept = sent.clone();
    let (got, _) = rig.pass(sent);
    assert_eq!((got.as_ptr(), card_bytes(&got)), (kept.as_ptr(), noise(PixelFormat::Nv12).0));
}

#[test]
fn a_frame_that_somebody_else_has_is_copied_first() {
    if card().is_none() {
        return;
    }
    let mut rig = opened_overlay(PixelFormat::Bgra);
    let sent = hung(PixelFormat::Bgra, true);
    let kept = sent.clone();
    let (got, _) = rig.pass(sent);
    assert_eq!(card_bytes(&kept), noise(PixelFormat::Bgra).0, "the other holder's picture is not painted on");
    assert_ne!(card_bytes(&got), card_bytes(&kept));
}

#[test]
fn a_frame_that_does_not_lie_on_a_card_is_said_once_and_passes() {
    if card().is_none() {
        return;
    }
    let mut rig = opened_overlay(PixelFormat::I420);
    rig.messages(gst::MessageType::Warning);
    for _ in 0..3 {
        let (got, _) = rig.pass(hung(PixelFormat::I420, false));
        assert_eq!(bytes(&got), noise(PixelFormat::I420).0);
    }
    let warnings = rig.messages(gst::MessageType::Warning);
    assert_eq!(
        warnings,
        [
            "caps feature memory:CUDAMemory: expected one memory of the type gst.cuda.memory, found one of another type"
        ]
    );
}

#[test]
fn without_a_card_the_picture_passes_unpainted_and_it_is_said_once() {
    init();
    if polyp_engine::cuda::open(0).is_ok() {
        println!("skipped: an overlay without a card, because there is one here");
        return;
    }
    let mut rig = overlay(&caps(PixelFormat::Nv12, CARD));
    let mut said = Vec::new();
    for _ in 0..500 {
        let (got, _) = rig.pass(hung(PixelFormat::Nv12, true));
        assert_eq!(card_bytes(&got), noise(PixelFormat::Nv12).0);
        if rig.stat("failed") > 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    said.extend(rig.messages(gst::MessageType::Warning));
    assert_eq!(said.len(), 1, "{said:?}");
    let reason = said[0].contains("feature `cuda`") || said[0].contains("libcuda.so.1");
    assert!(reason && said[0].ends_with("the picture goes on unpainted"), "{said:?}");
}

#[test]
fn an_engine_on_the_cpu_says_that_it_can_not_and_the_picture_passes() {
    for mode in ["live", "locked"] {
        let element = segmenter(&Arc::<Orders>::default());
        element.set_property_from_str("mode", mode);
        let mut rig = Rig::new(&element, &caps(PixelFormat::Nv12, CARD));
        for index in 0..5 {
            let sent = frame(PixelFormat::Nv12, true, at(index));
            let lies = place(&sent);
            let (got, _) = rig.pass(sent);
            assert_eq!((place(&got), card_bytes(&got)), (lies, noise(PixelFormat::Nv12).0));
            let meta = meta::of(&got).unwrap();
            assert_eq!((meta.badge, meta.segmentation.is_none()), (Badge::Fault, true), "{mode}");
        }
        let warnings = rig.messages(gst::MessageType::Warning);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        for words in ["memory:CUDAMemory", "found backend openvino", "cudadownload", "property backend"] {
            assert!(warnings[0].contains(words), "{warnings:?}");
        }
    }
}

/// A `polypsegment` with a small network on the stand-in.
fn segmenter_on_card(call: Call) -> gst::Element {
    let element = segmenter(&Arc::<Orders>::default());
    with_factory(&element, move |_| {
        let folder = EngineFolder::open(engine_folder())?;
        let memory = Arc::new(folder.memory()?);
        Ok(Opened {
            name: "small".to_owned(),
            manifest_sha256: String::new(),
            identity: None,
            input: folder.manifest().input,
            decoder: Decoder::new(folder.manifest().temperature)?,
            remember: Arc::new(move |_| Ok(Arc::clone(&memory))),
            prepare: None,
            engine: Box::new(move || {
                let options = Options { precision: Precision::F32, threads: 1, ..Options::default() };
                let on_cpu = (Backend::named("openvino")?.open)(&folder, &options)?;
                let network = Streamed::new(CpuNetwork::new(on_cpu, folder.memory()?), call);
                let (driver, how) = (polyp_engine::cuda::open(0)?, ("stand-in", Precision::F32, 1));
                Ok(Box::new(CardEngine::new(driver, Box::new(network), &folder, how)?))
            }),
        })
    });
    element.set_property_from_str("mode", "locked");
    element.set_property("latency-budget", 1_000_000_000_u64);
    element
}

/// The first frame that has its mask in time: on a busy machine that need not be the first of all.
fn segmented(rig: &mut Rig, format: PixelFormat, is_on_card: bool) -> (gst::Buffer, Arc<Segmentation>) {
    for index in 0..30 {
        let (got, _) = rig.pass(frame(format, is_on_card, at(index)));
        if let Some(mask) = meta::of(&got).unwrap().segmentation.clone() {
            return (got, mask);
        }
    }
    panic!("no mask: {:?}", rig.messages(gst::MessageType::Warning));
}

#[test]
fn an_engine_on_a_card_reads_the_frame_where_it_lies() {
    let Some(call) = card() else { return };
    let format = PixelFormat::Nv12;
    for roi in ["whole", "32x24+10+8"] {
        let masks = ["", CARD].map(|memory| {
            let element = segmenter_on_card(call);
            element.set_property_from_str("roi", roi);
            let mut rig = Rig::new(&element, &caps(format, memory));
            let is_on_card = memory == CARD;
            let (got, mask) = segmented(&mut rig, format, is_on_card);
            let pixels = if is_on_card { card_bytes(&got) } else { bytes(&got) };
            assert_eq!(pixels, noise(format).0, "pixels are only read");
            mask
        });
        let [here, there] = &masks;
        assert_eq!((&here.probability, here.placement), (&there.probability, there.placement), "{roi}");
        assert!(there.probability.iter().any(|byte| *byte != there.probability[0]), "{roi}");
    }
}

#[test]
fn no_region_is_searched_for_on_a_card_and_that_is_said_once() {
    let Some(call) = card() else { return };
    let element = segmenter_on_card(call);
    element.set_property_from_str("roi", "auto");
    let mut rig = Rig::new(&element, &caps(PixelFormat::Bgra, CARD));
    for _ in 0..3 {
        let (_, mask) = segmented(&mut rig, PixelFormat::Bgra, true);
        assert_eq!(mask.placement.source, Rect::whole(SIZE));
    }
    let said = rig.messages(gst::MessageType::Info);
    let said: Vec<_> = said.iter().filter(|said| said.contains("roi=auto")).collect();
    assert!(said.len() == 1 && said[0].contains("cudadownload"), "{said:?}");
    // A region that does not fit is a fault here too.
    element.set_property_from_str("roi", "640x480+0+0");
    let meta = rig.meta(frame(PixelFormat::Bgra, true, at(99)));
    assert_eq!(meta.badge, Badge::Fault);
    let warning = rig.messages(gst::MessageType::Warning).concat();
    assert!(warning.contains("expected a part of the frame, which is 66x50"), "{warning}");
}
