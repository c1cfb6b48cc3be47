//! Recordings that can not go on: the picture does, and it is said.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use gstpolyp::meta;
use polyp::frame::{PixelFormat, Size};

use crate::fixture::{Rig, at};
use crate::formats::caps_of;
use crate::session_fixture::*;

#[test]
fn a_recorder_that_is_behind_drops_frames_of_the_recording_alone_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let size = Size::new(1280, 720);
    let caps = caps_of(PixelFormat::I420, size);
    let element = recorder(folder.path(), &[("record-codec", "ffv1"), ("record-queue", "1")]);
    let mut rig = Rig::new(&element, &caps);
    let picture = frame(&caps, 0, 64, size);
    for index in 0..300 {
        let mut buffer = picture.clone();
        buffer.make_mut().set_pts(at(index));
        meta::attach(buffer.make_mut(), hung(index, 64, size)).unwrap();
        rig.pass(buffer);
    }
    rig.harness.push_event(gst::event::Eos::new());
    let (session, found) = whole(folder.path());
    assert_eq!(found.frames + found.uncounted, 300, "every frame is in the journal");
    assert!(found.recorded >= 1 && found.recorded < 200, "{found:?}");
    let dropped = lines(&session).iter().filter(|line| line.dropped.as_deref() == Some("queue")).count();
    assert_eq!(dropped as u64 + found.recorded, found.frames);
    assert_eq!(rig.stat("recorded"), found.recorded);
    let warnings = rig.messages(gst::MessageType::Warning);
    assert!(!warnings.is_empty() && warnings[0].contains("recording is behind"), "{warnings:?}");
    assert!(warnings.len() < 20, "a trouble is said once: {warnings:?}");
    let pictures = played(&session, "shown").unwrap();
    assert_eq!(pictures.len() as u64, found.recorded);
}

#[test]
fn a_disk_that_is_nearly_full_ends_the_recording_and_not_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let caps = caps_of(PixelFormat::Nv12, SMALL);
    let element = recorder(folder.path(), &[("record-keep-free", "18446744073709551615")]);
    let mut rig = Rig::new(&element, &caps);
    for index in 0..30 {
        rig.pass(frame(&caps, index, 64, SMALL));
        std::thread::sleep(Duration::from_millis(5));
    }
    let warnings = rig.messages(gst::MessageType::Warning);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("are to be kept free") && warnings[0].contains("the picture goes on"));
    assert_eq!(sessions(folder.path()), Vec::<PathBuf>::new(), "nothing was begun");
}

#[test]
fn a_place_that_can_not_be_written_ends_the_recording_and_not_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("file");
    fs::write(&place, "no folder").unwrap();
    let caps = caps_of(PixelFormat::Nv12, SMALL);
    let mut rig = Rig::new(&recorder(&place, &[]), &caps);
    for index in 0..30 {
        rig.pass(frame(&caps, index, 64, SMALL));
        std::thread::sleep(Duration::from_millis(5));
    }
    let warnings = rig.messages(gst::MessageType::Warning);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("file") && warnings[0].contains("can not be made"), "{warnings:?}");
    assert_eq!(fs::read_to_string(&place).unwrap(), "no folder");
}

#[test]
fn a_session_that_goes_away_while_it_is_recorded_ends_the_recording_and_not_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let caps = caps_of(PixelFormat::Nv12, SMALL);
    let element = recorder(folder.path(), &[("record-segment-time", "1000000000")]);
    let mut rig = Rig::new(&element, &caps);
    for index in 0..20 {
        rig.pass(frame(&caps, index, 64, SMALL));
    }
    while sessions(folder.path()).is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    fs::remove_dir_all(&sessions(folder.path())[0]).unwrap();
    let mut warnings = Vec::new();
    for index in 20..600 {
        rig.pass(frame(&caps, index, 64, SMALL));
        warnings.extend(rig.messages(gst::MessageType::Warning));
        if !warnings.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("recording has ended") && warnings[0].contains("can not be made"),
        "{warnings:?}"
    );
    rig.pass(frame(&caps, 600, 64, SMALL));
}
