//! The engine in a process of its own: whatever is done to that process, the picture goes on, the badge says so within two frames, and masks
//! come back by themselves.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gst::prelude::*;
use polyp::overlay::Badge;
use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::{GRAY_CAPS, Rig, at, gray, init, is_held};

/// The committed engine in a process of its own, playing.
pub(crate) fn isolated() -> Rig {
    init();
    let engine: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engines/store/lite");
    let element = gst::ElementFactory::make("polypsegment")
        .property("engine", engine.to_str().unwrap())
        .property_from_str("isolation", "process")
        .property_from_str("roi", "whole")
        .property("threads", 1_u32)
        .property("frozen-after", 0_u32)
        .build()
        .unwrap();
    Rig::new(&element, GRAY_CAPS)
}

/// Processes that this one has started, the oldest first.
pub(crate) fn children() -> Vec<i32> {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let of_thread = |thread: std::fs::DirEntry| {
        std::fs::read_to_string(thread.path().join("children")).unwrap_or_default()
    };
    let all: String = threads.map(|thread| of_thread(thread.unwrap())).collect();
    let mut all: Vec<i32> = all.split_whitespace().map(|number| number.parse().unwrap()).collect();
    all.sort_unstable();
    all
}

/// Whether a process has opened its engine: it sleeps, waiting for a picture, and has done so for a while.
pub(crate) fn settle(rig: &mut Rig, mut next: u64) -> u64 {
    let begun = Instant::now();
    while children().len() < 2 || begun.elapsed() < Duration::from_secs(4) {
        next = rig.until(next, |_| true).0;
        std::thread::sleep(at(1).into());
        assert!(begun.elapsed() < Duration::from_secs(60), "no process in reserve");
    }
    next
}

#[test]
fn a_process_that_is_killed_or_stopped_costs_the_picture_nothing_alone() {
    for (signal, words) in [
        (Signal::KILL, "the engine's process ended by signal 9"),
        (Signal::STOP, "the engine's process was stopped"),
        (Signal::ABORT, "the engine's process ended by signal 6"),
    ] {
        let mut rig = isolated();
        let (next, _) = rig.until(0, is_held);
        let first = settle(&mut rig, next);
        let _before = rig.said(&[gst::MessageType::Warning]);
        // The oldest is the one that runs frames; the other is in reserve.
        kill_process(Pid::from_raw(children()[0]).unwrap(), signal).unwrap();
        let (mut told, mut back, mut slowest) = (None, None, Duration::ZERO);
        for index in first..first + 90 {
            let (buffer, took) = rig.pass(gray(128, at(index)));
            slowest = slowest.max(took);
            let meta = gstpolyp::meta::of(&buffer).unwrap();
            match meta.badge {
                Badge::Fault => told = told.or(Some(index - first)),
                Badge::Live | Badge::Held { .. } if told.is_some() => back = back.or(Some(index - first)),
                _ => {}
            }
            std::thread::sleep(at(1).into());
        }
        println!("{words}: told after {told:?} frames, back after {back:?}, slowest picture {slowest:?}");
        assert!(told.is_some_and(|frames| frames <= 2), "{words}: told after {told:?} frames");
        assert!(back.is_some_and(|frames| frames <= 30), "{words}: back after {back:?} frames");
        assert!(slowest < Duration::from_millis(33), "{words}: a picture took {slowest:?}");
        let warnings = rig.messages(gst::MessageType::Warning);
        // On a busy machine an answer may be late besides.
        let of_process: Vec<&String> =
            warnings.iter().filter(|warning| !warning.contains("has not answered")).collect();
        assert!(matches!(&of_process[..], [one] if one.contains(words)), "{warnings:?}");
        assert_eq!(rig.stat("frames"), first + 90, "no frame was lost");
        rig.element.set_state(gst::State::Null).unwrap();
        assert!(children().is_empty(), "nothing is left behind");
    }
}

#[test]
fn without_its_tool_it_is_refused() {
    // SAFETY: this test is a process of its own, and no other thread reads the environment now.
    unsafe { std::env::set_var("POLYP_ENGINE_TOOL", "/nowhere/polyp-engine") };
    init();
    let engine: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engines/store/lite");
    let element = gst::ElementFactory::make("polypsegment")
        .property("engine", engine.to_str().unwrap())
        .property_from_str("isolation", "process")
        .build()
        .unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Paused).is_err());
    let error = std::iter::from_fn(|| bus.pop()).find(|message| message.type_() == gst::MessageType::Error);
    let text = crate::fixture::text_of(&error.unwrap());
    assert!(text.contains("the tool polyp-engine: expected it at /nowhere/polyp-engine"), "{text}");
    element.set_state(gst::State::Null).unwrap();
}
