//! What happens around a playing network: files that go away, cards that are not there, memory that is used up.
//!
//! Not here: faults of the network, the source and the stream (`fault_table.rs`); a process that is killed or stopped
//! (`isolation.rs`); plans for another card (`engines/tests/plan.rs`).

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use gst::prelude::*;
use polyp::overlay::Badge;
use polyp_engine::engine::Backend;
use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::{GRAY_CAPS, Rig, at, gray, init, is_held, text_of, write_engine};
use crate::isolation::{children, settle};

/// A real engine of a folder of its own, on that backend, and its folder; masks are never too late.
fn playing(backend: &str, fallback: &str) -> (Rig, tempfile::TempDir) {
    init();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("engine");
    write_engine(&folder);
    let element = gst::ElementFactory::make("polypsegment")
        .property("engine", folder.display().to_string())
        .property("backend", backend)
        .property("fallback", fallback)
        .property("text-encoder", "/nowhere/minilm")
        .property_from_str("roi", "whole")
        .property("max-mask-age", 10_000_000_000_u64)
        .property("frozen-after", 0_u32)
        .property("motion-compensation", false)
        .build()
        .unwrap();
    (Rig::new(&element, GRAY_CAPS), place)
}

/// A second of frames that all have masks.
fn goes_on(rig: &mut Rig, next: u64) -> u64 {
    for index in next..next + 40 {
        let meta = rig.meta(gray((index % 250) as u8, at(index)));
        assert!(is_held(&meta), "{:?}", meta.badge);
        std::thread::sleep(at(1).into());
    }
    assert_eq!(rig.stat("frames"), next + 40, "no frame was lost");
    next + 40
}

#[test]
fn the_engines_folder_goes_away_while_playing() {
    let (mut rig, place) = playing("reference", "");
    let (next, _) = rig.until(0, is_held);
    std::fs::remove_dir_all(place.path().join("engine")).unwrap();
    goes_on(&mut rig, next);
    assert_eq!(rig.said(&[gst::MessageType::Warning, gst::MessageType::Error]), []);
}

#[test]
fn the_prompts_memory_goes_away_while_playing() {
    let (mut rig, place) = playing("reference", "");
    let (next, _) = rig.until(0, is_held);
    std::fs::remove_file(place.path().join("engine/memory.safetensors")).unwrap();
    // Another prompt needs the text encoder.
    rig.element.set_property("prompt", "a flat lesion");
    let limit = gst::ClockTime::from_seconds(10);
    let warning = rig.bus.timed_pop_filtered(limit, &[gst::MessageType::Warning]).unwrap();
    let text = text_of(&warning);
    assert!(text.contains("/nowhere/minilm") && text.contains("the network is still asked for"), "{text}");
    let next = goes_on(&mut rig, next);
    // The engine's own is remembered, and asks no file.
    rig.element.set_property("prompt", "");
    let (next, _) = rig.until(next, is_held);
    goes_on(&mut rig, next);
    assert_eq!(rig.said(&[gst::MessageType::Warning, gst::MessageType::Error]), []);
}

#[test]
fn an_engine_without_its_calibration_is_refused() {
    init();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("engine");
    write_engine(&folder);
    let file = folder.join("manifest.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("\"temperature\"")).collect();
    assert_ne!(without.len(), text.lines().count());
    std::fs::write(&file, without.join("\n")).unwrap();
    let element = gst::ElementFactory::make("polypsegment").build().unwrap();
    element.set_property("engine", folder.display().to_string());
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Paused).is_err());
    let text = text_of(&bus.pop_filtered(&[gst::MessageType::Error]).unwrap());
    assert!(text.contains("manifest.json") && text.contains("missing field `temperature`"), "{text}");
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_card_that_is_not_there() {
    let mut tried = 0;
    for backend in ["tensorrt", "ort-tensorrt"] {
        let Err(why) = (Backend::named(backend).unwrap().available)() else {
            println!("skipped: {backend} without a card, because its library is here");
            continue;
        };
        tried += 1;
        let (mut rig, _place) = playing(backend, "reference");
        let (next, _) = rig.until(0, is_held);
        goes_on(&mut rig, next);
        let warnings = rig.messages(gst::MessageType::Warning);
        let expected = format!("{why}; backend reference runs instead, as property fallback says");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].ends_with(&expected), "{warnings:?}");
    }
    if tried == 0 {
        println!("skipped: a card that is not there, because its libraries are here");
    }
}

/// The engine's tool with a limit of its memory while the file `full` is there.
fn tool_that_may_be_short_of_memory(place: &Path) -> std::path::PathBuf {
    let (script, full) = (place.join("tool"), place.join("full"));
    let tool = polyp_engine::isolation::tool().unwrap();
    let (full, tool) = (full.display(), tool.display());
    let text = format!("#!/bin/sh\nif [ -e {full} ]; then ulimit -v 40000; fi\nexec {tool} \"$@\"\n");
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script
}

/// The system ends both processes, as it does where memory is used up, and none can be opened until there is some again.
#[test]
fn memory_that_is_used_up_and_there_again() {
    let place = tempfile::tempdir().unwrap();
    let script = tool_that_may_be_short_of_memory(place.path());
    // SAFETY: this test is a process of its own, and no other thread reads the environment now.
    unsafe { std::env::set_var("POLYP_ENGINE_TOOL", &script) };
    let mut rig = crate::isolation::isolated();
    rig.element.set_property("max-mask-age", 1_000_000_000_u64);
    let (next, _) = rig.until(0, is_held);
    let next = settle(&mut rig, next);
    let _before = rig.said(&[gst::MessageType::Warning]);

    std::fs::write(place.path().join("full"), "").unwrap();
    for process in children() {
        kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).unwrap();
    }
    let (next, _) = rig.until(next, |meta| meta.badge == Badge::Fault);
    for index in next..next + 60 {
        let meta = rig.meta(gray((index % 250) as u8, at(index)));
        assert_eq!((meta.badge, meta.segmentation.is_none()), (Badge::Fault, true));
        std::thread::sleep(at(1).into());
    }
    let warnings = rig.messages(gst::MessageType::Warning);
    assert!(warnings[0].contains("the engine's process ended by signal 9"), "{warnings:?}");
    // And why the next ones can not be opened, which is another cause, once.
    assert!(
        warnings.len() <= 2 && warnings[1..].iter().all(|text| text.contains("backend openvino")),
        "{warnings:?}"
    );

    std::fs::remove_file(place.path().join("full")).unwrap();
    let (next, _) = rig.until(next + 60, is_held);
    assert_eq!(rig.stat("frames"), next, "no frame was lost");
}
