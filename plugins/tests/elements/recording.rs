//! Sessions: what `polyprecord` writes, what it never does to the picture, and what `polypsessionsrc` gives back.

use std::fs;
use std::path::Path;

use gst::prelude::*;
use gst_check::Harness;
use gstpolyp::meta;
use polyp::frame::{PixelFormat, Size};
use polyp::motion::Motion;
use polyp::overlay::Badge;
use polyp::session::{Record, agreement, repair};

use crate::fixture::{Rig, at, bytes, init};
use crate::formats::{caps_of, noise};
use crate::session_fixture::*;

#[test]
fn what_is_recorded_without_loss_comes_back_to_the_bit_in_every_format() {
    for format in PixelFormat::ALL {
        let folder = tempfile::tempdir().unwrap();
        let caps = caps_of(format, SMALL);
        let mut rig = Rig::new(&recorder(folder.path(), &[("record-codec", "ffv1")]), &caps);
        let given: Vec<gst::Buffer> = (0..20).map(|index| frame(&caps, index, 64, SMALL)).collect();
        for buffer in &given {
            let (passed, _) = rig.pass(buffer.clone());
            assert_eq!(bytes(&passed), bytes(buffer), "{format}");
        }
        rig.harness.push_event(gst::event::Eos::new());
        let (session, found) = whole(folder.path());
        assert_eq!((found.frames, found.recorded, found.segments), (20, 20, 1), "{format}");
        let back = played(&session, "shown").unwrap();
        assert_eq!(back.len(), 20, "{format}");
        let caps: gst::Caps = caps.parse().unwrap();
        for (index, ((back_caps, buffer), given)) in (0..).zip(back.iter().zip(&given)) {
            assert!(pixels(back_caps, buffer) == pixels(&caps, given), "{format}: frame {index}");
            let (found, expected) = (meta::of(buffer).unwrap(), hung(index, 64, SMALL));
            assert_eq!(buffer.pts().unwrap(), at(index));
            assert_eq!(found.segmentation, expected.segmentation, "{format}: frame {index}");
            assert_eq!((found.badge, found.alarm), (expected.badge, expected.alarm));
            assert_eq!((found.sequence, found.size), (expected.sequence, expected.size));
            let said = |motion: &Option<Motion>| motion.as_ref().map(|m| (m.from, m.to, m.map, m.quality));
            assert_eq!(said(&found.motion), said(&expected.motion), "{format}: frame {index}");
        }
    }
}

#[test]
fn own_masks_are_on_their_own_frames() {
    let folder = tempfile::tempdir().unwrap();
    let caps = caps_of(PixelFormat::Nv12, SMALL);
    let mut rig = Rig::new(&recorder(folder.path(), &[]), &caps);
    for index in 0..40 {
        rig.pass(frame(&caps, index, 64, SMALL));
    }
    rig.harness.push_event(gst::event::Eos::new());
    let (session, found) = whole(folder.path());
    // Of the frames 0, 3, 6, … 33: those of 36 and 39 were never shown.
    assert_eq!((found.recorded, found.masks), (40, 12));
    for (index, (_, buffer)) in (0..).zip(played(&session, "own").unwrap()) {
        let found = meta::of(&buffer).unwrap();
        let is_own = index % 3 == 0 && index <= 33;
        let expected = is_own.then(|| mask(index, 64, SMALL));
        assert_eq!(found.segmentation, expected, "{index}");
        assert_eq!(found.badge, if is_own { Badge::Live } else { Badge::NoMask });
        assert!(found.motion.is_none());
    }
    assert!(played(&session, "none").unwrap().iter().all(|(_, buffer)| meta::of(buffer).is_none()));
}

#[test]
fn the_picture_goes_on_untouched_and_uncopied() {
    let folder = tempfile::tempdir().unwrap();
    let caps = caps_of(PixelFormat::Nv12, SMALL);
    let mut rig = Rig::new(&recorder(folder.path(), &[]), &caps);
    for index in 0..10 {
        let buffer = frame(&caps, index, 64, SMALL);
        let place = buffer.map_readable().unwrap().as_ptr();
        let (passed, _) = rig.pass(buffer);
        assert_eq!(passed.map_readable().unwrap().as_ptr(), place);
        // Whoever paints it needs no copy: the recorder holds none of it.
        assert!(passed.is_writable() && passed.is_all_memory_writable());
    }
}

#[test]
fn start_stop_and_mark_work_while_playing() {
    let folder = tempfile::tempdir().unwrap();
    let caps = caps_of(PixelFormat::Nv12, SMALL);
    let element = recorder(folder.path(), &[("record-on-start", "false")]);
    let mut rig = Rig::new(&element, &caps);
    let mut next = 0;
    let mut pass = |rig: &mut Rig, count: u64| {
        for index in next..next + count {
            rig.pass(frame(&caps, index, 64, SMALL));
        }
        next += count;
    };
    pass(&mut rig, 5);
    assert!(!element.emit_by_name::<bool>("mark", &[&"early"]), "nothing is being recorded");
    assert!(!element.emit_by_name::<bool>("stop", &[]));
    let first = element.emit_by_name::<String>("start", &[]);
    assert_eq!(element.emit_by_name::<String>("start", &[]), first, "it is being recorded already");
    pass(&mut rig, 10);
    assert!(element.emit_by_name::<bool>("mark", &[&"look here"]));
    pass(&mut rig, 5);
    assert!(element.emit_by_name::<bool>("stop", &[]));
    pass(&mut rig, 5);
    let second = element.emit_by_name::<String>("start", &[]);
    pass(&mut rig, 7);
    rig.harness.push_event(gst::event::Eos::new());
    assert_ne!(first, second);
    let count = |session: &str| {
        let found = agreement(Path::new(session)).unwrap();
        assert_eq!(found.wrong, Vec::<String>::new());
        (found.frames, found.recorded, found.marks)
    };
    assert_eq!((count(&first), count(&second)), ((15, 15, 1), (7, 7, 0)));
    let marks = records(Path::new(&first)).into_iter().filter_map(|record| match record {
        Record::Mark(mark) => Some(mark),
        _ => None,
    });
    let marks: Vec<_> = marks.map(|mark| (mark.text, mark.pts_ns)).collect();
    assert_eq!(marks, [("look here".to_owned(), at(14).nseconds())]);
    let ends = records(Path::new(&first)).pop();
    assert!(matches!(ends, Some(Record::End(end)) if end.reason == "stopped"));
    let said: Vec<(String, String)> = std::iter::from_fn(|| rig.bus.pop())
        .filter_map(|message| {
            let said = message.structure()?.to_owned();
            Some((said.get("state").ok()?, said.get("folder").ok()?))
        })
        .collect();
    let state = |state: &str, folder: &str| (state.to_owned(), folder.to_owned());
    let expected = [
        state("started", &first),
        state("stopped", &first),
        state("started", &second),
        state("stopped", &second),
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_long_session_is_several_files_and_late_masks_are_with_their_frames() {
    let folder = tempfile::tempdir().unwrap();
    let caps = caps_of(PixelFormat::Nv12, SMALL);
    let mut rig = Rig::new(&recorder(folder.path(), &[("record-segment-time", "1000000000")]), &caps);
    for index in 0..100 {
        rig.pass(frame(&caps, index, 64, SMALL));
    }
    rig.harness.push_event(gst::event::Eos::new());
    let (session, found) = whole(folder.path());
    assert_eq!((found.segments, found.recorded, found.masks), (4, 100, 32));
    for record in records(&session) {
        if let Record::Mask(mask) = record {
            assert_eq!(u64::from(mask.segment.unwrap()), mask.sequence / 30, "{mask:?}");
        }
    }
    let back = played(&session, "shown").unwrap();
    let times: Vec<_> = back.iter().map(|(_, buffer)| buffer.pts().unwrap()).collect();
    assert_eq!(times, (0..100).map(at).collect::<Vec<_>>());
    let masks = back.iter().filter(|(_, buffer)| meta::of(buffer).unwrap().segmentation.is_some());
    assert_eq!(masks.count(), 96);
}

#[test]
fn other_caps_and_other_masks_begin_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let small = caps_of(PixelFormat::Nv12, SMALL);
    let mut rig = Rig::new(&recorder(folder.path(), &[("record-codec", "ffv1")]), &small);
    let large = Size::new(96, 80);
    let large_caps = caps_of(PixelFormat::Bgrx, large);
    (0..10).for_each(|index| drop(rig.pass(frame(&small, index, 64, SMALL))));
    rig.harness.set_src_caps_str(&large_caps);
    (10..20).for_each(|index| drop(rig.pass(frame(&large_caps, index, 64, large))));
    // Another engine, with larger masks.
    (20..30).for_each(|index| drop(rig.pass(frame(&large_caps, index, 96, large))));
    rig.harness.push_event(gst::event::Eos::new());
    let (session, found) = whole(folder.path());
    assert_eq!((found.segments, found.recorded), (3, 30));
    let engines = records(&session).into_iter().filter(|record| matches!(record, Record::Engine(_))).count();
    assert_eq!(engines, 2);
    let back = played(&session, "own").unwrap();
    let sizes: Vec<_> = back.iter().map(|(_, buffer)| meta::of(buffer).unwrap().size).collect();
    assert_eq!(sizes, [[SMALL; 10].to_vec(), [large; 20].to_vec()].concat());
    let side = |index: usize| meta::of(&back[index].1).unwrap().segmentation.as_ref().map(|m| m.side());
    assert_eq!((side(3), side(12), side(24)), (Some(64), Some(64), Some(96)));
}

#[test]
fn time_that_is_turned_back_begins_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let caps = caps_of(PixelFormat::Nv12, SMALL);
    let mut rig = Rig::new(&recorder(folder.path(), &[("record-codec", "ffv1")]), &caps);
    (0..20).for_each(|index| drop(rig.pass(frame(&caps, index, 64, SMALL))));
    (5..15).for_each(|index| drop(rig.pass(frame(&caps, index, 64, SMALL))));
    rig.harness.push_event(gst::event::Eos::new());
    let (session, found) = whole(folder.path());
    assert_eq!((found.segments, found.recorded), (2, 30));
    let back = played(&session, "none").unwrap();
    let times: Vec<_> = back.iter().map(|(_, buffer)| buffer.pts().unwrap()).collect();
    assert_eq!(times.len(), 30);
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
}

#[test]
fn h264_loses_little_and_masks_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let size = Size::new(320, 240);
    let caps = caps_of(PixelFormat::Nv12, size);
    let mut rig = Rig::new(&recorder(folder.path(), &[]), &caps);
    // Noise is no picture: a slope with a disc on it.
    let paint = |index: u64| {
        let mut buffer = frame(&caps, index, 64, size);
        let mut map = buffer.get_mut().unwrap().map_writable().unwrap();
        for (at, byte) in map.iter_mut().enumerate() {
            let (x, y) = ((at % 320) as i64, (at / 320) as i64);
            let inside = (x - 100 - index as i64).pow(2) + (y - 120).pow(2) < 2500;
            *byte = if at >= 320 * 240 { 128 } else { (x / 3 + y / 4) as u8 + if inside { 60 } else { 0 } };
        }
        drop(map);
        buffer
    };
    let given: Vec<gst::Buffer> = (0..45).map(paint).collect();
    given.iter().for_each(|buffer| drop(rig.pass(buffer.clone())));
    rig.harness.push_event(gst::event::Eos::new());
    let (session, _) = whole(folder.path());
    let caps: gst::Caps = caps.parse().unwrap();
    let back = played(&session, "shown").unwrap();
    assert_eq!(back.len(), 45);
    for (index, ((back_caps, buffer), given)) in (0..).zip(back.iter().zip(&given)) {
        let (found, expected) = (pixels(back_caps, buffer), pixels(&caps, given));
        let error: u64 = found.iter().zip(&expected).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
        let mean = error as f64 / expected.len() as f64;
        // 38 dB and more.
        assert!(mean < 10.0, "frame {index}: mean squared error {mean}");
        assert_eq!(meta::of(buffer).unwrap().segmentation, hung(index, 64, size).segmentation);
    }
}

#[test]
fn what_is_not_what_was_recorded_is_refused_with_the_frames_number() {
    let folder = tempfile::tempdir().unwrap();
    let caps = caps_of(PixelFormat::Nv12, SMALL);
    let mut rig = Rig::new(&recorder(folder.path(), &[("record-codec", "ffv1")]), &caps);
    (0..20).for_each(|index| drop(rig.pass(frame(&caps, index, 64, SMALL))));
    rig.harness.push_event(gst::event::Eos::new());
    let (session, _) = whole(folder.path());
    let journal = session.join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let forged = |part: &str, number: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let line = lines.iter_mut().filter(|line| line.contains(part)).nth(2).unwrap();
        let said = &line[..line.len() - 18];
        let at = said.find(part).unwrap() + part.len();
        let end = at + said[at..].find([',', '}']).unwrap();
        let said = format!("{}{number}{}", &said[..at], &said[end..]);
        *line = format!("{said},\"crc\":\"{:08x}\"}}", crc32fast::hash(said.as_bytes()));
        fs::write(&journal, lines.join("\n") + "\n").unwrap();
        played(&session, "shown").unwrap_err()
    };
    let error = forged("\"pixels_crc\":", "7");
    assert!(error.contains("frame 2: expected pixels with checksum 00000007"), "{error}");
    let error = forged("\"cells_crc\":", "7");
    assert!(error.contains("mask of frame 6: expected cells with checksum 00000007"), "{error}");
    let error = forged("\"block_crc\":", "7");
    assert!(error.contains("expected the blocks that the journal speaks of"), "{error}");
    fs::write(&journal, &text[..text.len() / 2]).unwrap();
    let error = played(&session, "shown").unwrap_err();
    assert!(error.contains("journal.jsonl") && error.contains("`polyp repair`"), "{error}");
    repair(&session).unwrap();
    assert_eq!(played(&session, "shown").unwrap().len(), 20);
    let error = played(folder.path(), "shown").unwrap_err();
    assert!(error.contains("session.json"), "{error}");
}

#[test]
fn a_recording_without_a_segmenter_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let caps = caps_of(PixelFormat::Nv12, SMALL);
    let mut rig = Rig::new(&recorder(folder.path(), &[]), &caps);
    for index in 0..10 {
        let mut buffer = noise(&caps, index);
        buffer.make_mut().set_pts(at(index));
        rig.pass(buffer);
    }
    rig.harness.push_event(gst::event::Eos::new());
    let (session, found) = whole(folder.path());
    assert_eq!((found.recorded, found.masks), (10, 0));
    assert!(lines(&session).iter().all(|line| line.badge == "none" && line.mask_pts_ns.is_none()));
    assert_eq!(played(&session, "shown").unwrap().len(), 10);
}

#[test]
fn the_bin_records_what_it_shows_and_says_how_it_paints() {
    init();
    let folder = tempfile::tempdir().unwrap();
    let live = gst::ElementFactory::make("polyplive")
        .property("enabled", false)
        .property("record", folder.path().display().to_string())
        .property("record-keep-free", 0_u64)
        .property("threshold", 0.25_f32)
        .build()
        .unwrap();
    let caps = caps_of(PixelFormat::Nv12, SMALL);
    let mut harness = Harness::with_element(&live, Some("sink"), Some("src"));
    harness.play();
    harness.set_src_caps_str(&caps);
    for index in 0..10 {
        let mut buffer = noise(&caps, index);
        buffer.make_mut().set_pts(at(index));
        harness.push_and_pull(buffer).unwrap();
        if index == 5 {
            live.set_property("threshold", 0.75_f32);
            assert!(live.emit_by_name::<bool>("mark", &[&"through the bin"]));
        }
    }
    harness.push_event(gst::event::Eos::new());
    let (session, found) = whole(folder.path());
    assert_eq!((found.recorded, found.marks), (10, 1));
    let texts: Vec<String> = records(&session)
        .into_iter()
        .filter_map(|record| match record {
            Record::Settings(settings) => Some(settings.text),
            _ => None,
        })
        .collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("threshold=0.25") && texts[1].contains("threshold=0.75"), "{texts:?}");
}
