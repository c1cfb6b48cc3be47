//! Real engines, and the prompts that they are asked about, swapped while the picture runs.

use std::path::Path;

use gst::prelude::*;
use polyp::model::ModelSpec;

use crate::fixture::{GRAY_CAPS, Rig, SIDE, engine_folder, init};
use crate::swap::settles;

/// What real engines with random weights are called.
const SMALL: &str = "small-random-1";
const OTHER: &str = "other-random-2";

/// A folder with a real engine other than [`engine_folder`]'s.
fn other_folder(place: &Path) -> String {
    let path = place.join("other");
    let model = ModelSpec { name: "other".to_owned(), side_px: SIDE, ..ModelSpec::lite() };
    polyp_engine::folder::write_random(&path, model, 2).unwrap();
    path.display().to_string()
}

fn with_folder(engine: &str, isolation: &str) -> Rig {
    init();
    let element = gst::ElementFactory::make("polypsegment")
        .property("engine", engine)
        .property_from_str("isolation", isolation)
        .property_from_str("roi", "whole")
        .property("threads", 1_u32)
        .property("frozen-after", 0_u32)
        .property("motion-compensation", false)
        .property("max-mask-age", 10_000_000_000_u64)
        .build()
        .unwrap();
    Rig::new(&element, GRAY_CAPS)
}

/// Passes frames from `next` on until one has a mask while the engine of that name is in force; gives that mask.
fn mask_by(rig: &mut Rig, next: &mut u64, engine: &str) -> Vec<u8> {
    let element = rig.element.clone();
    let (after, meta) = rig.until(*next, |meta| {
        let stats = element.property::<gst::Structure>("stats");
        meta.segmentation.is_some() && stats.get::<String>("engine").unwrap() == engine
    });
    *next = after;
    meta.segmentation.as_ref().unwrap().probability.clone()
}

/// What both real engines say of a gray frame, and swaps from one to the other and back.
fn swaps_real_engines(isolation: &str) {
    let place = tempfile::tempdir().unwrap();
    let (one, other) = (engine_folder().display().to_string(), other_folder(place.path()));
    let alone = |folder: &str, name: &str| {
        let mut rig = with_folder(folder, isolation);
        let mask = mask_by(&mut rig, &mut 0, name);
        rig.element.set_state(gst::State::Null).unwrap();
        mask
    };
    let masks = [(SMALL, alone(&one, SMALL)), (OTHER, alone(&other, OTHER))];
    assert_ne!(masks[0].1, masks[1].1);

    let mut rig = with_folder(&one, isolation);
    let mut next = 0;
    for (round, folder) in [&one, &other, &one, &other].into_iter().enumerate() {
        rig.element.set_property("engine", folder);
        let (name, mask) = &masks[round % 2];
        assert_eq!(&mask_by(&mut rig, &mut next, name), mask, "{name} has answered");
    }
    // A folder that is none is refused, and the one in force goes on.
    rig.element.set_property("engine", "/nowhere/at/all");
    let element = rig.element.clone();
    let (after, _) = rig.until(next, |_| element.property::<String>("engine") == other);
    next = after;
    assert_eq!(mask_by(&mut rig, &mut next, OTHER), masks[1].1);
    let warnings = rig.messages(gst::MessageType::Warning);
    assert!(matches!(&warnings[..], [one] if one.contains("/nowhere/at/all/manifest.json")), "{warnings:?}");
    // Another way of running the same engine is a swap too.
    rig.element.set_property("threads", 2_u32);
    let (after, _) =
        rig.until(next, |_| element.property::<gst::Structure>("stats").get::<u64>("swaps").unwrap() == 4);
    assert_eq!(rig.stat("frames"), after, "no frame was lost");
    rig.element.set_state(gst::State::Null).unwrap();
}

#[test]
fn real_engines_take_over_from_each_other() {
    swaps_real_engines("thread");
}

#[test]
fn engines_in_processes_of_their_own_take_over_from_each_other() {
    swaps_real_engines("process");
    settles("processes", 0, || crate::isolation::children().len());
}

#[test]
fn a_prompt_is_made_once_on_a_machine() {
    let cache = tempfile::tempdir().unwrap();
    // SAFETY: this test is a process of its own, and no other thread reads the environment now.
    unsafe { std::env::set_var("XDG_CACHE_HOME", cache.path()) };
    if let Err(why) = polyp_engine::deps::find(polyp_engine::deps::Dependency::TextEncoder) {
        println!("skipped: a prompt that is not the engine's own, because {why}");
        return;
    }
    let kept = || {
        let entries = std::fs::read_dir(cache.path().join("polyp/memory")).into_iter().flatten();
        let mut all: Vec<_> =
            entries.map(|entry| entry.unwrap().metadata().unwrap().modified().unwrap()).collect();
        all.sort();
        all
    };
    let mut first = Vec::new();
    for run in 0..2 {
        let mut rig = with_folder(&engine_folder().display().to_string(), "thread");
        let own = mask_by(&mut rig, &mut 0, SMALL);
        rig.element.set_property("prompt", "a flat lesion");
        let element = rig.element.clone();
        let of_prompt = move || element.property::<gst::Structure>("stats").get::<String>("prompt").unwrap();
        let (_, meta) = rig.until(600, |meta| meta.segmentation.is_some() && of_prompt() == "a flat lesion");
        assert_ne!(meta.segmentation.as_ref().unwrap().probability, own, "the network heard the prompt");
        rig.element.set_state(gst::State::Null).unwrap();
        if run == 0 {
            first = kept();
            assert_eq!(first.len(), 1);
        }
    }
    assert_eq!(kept(), first, "the second run has read what the first has written");
}
