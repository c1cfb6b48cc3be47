//! Elements that share an engine: each has its own masks and its own prompt, one that flushes or stops is no other's business,
//! a failure is told to all, and the last one out ends the engine.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use gst::prelude::*;
use polyp::overlay::Badge;

use crate::fixture::{GRAY_CAPS, Rig, engine_folder, gray, init};
use crate::numbered::{Works, close, in_force, is_of_what_is_in_force, segmenter, swap_to};

fn works() -> Arc<Works> {
    Arc::new(Works { shared: true, ..Works::default() })
}

/// How many engines were opened, and how many are there.
fn engines(works: &Works) -> (u64, u64) {
    (works.opened.load(Ordering::SeqCst), works.alive.load(Ordering::SeqCst))
}

fn with_prompt(works: &Arc<Works>, prompt: &str) -> Rig {
    let element = segmenter(works);
    element.set_property("prompt", prompt);
    Rig::new(&element, GRAY_CAPS)
}

/// Passes frames of that gray until `count` had masks, each of what is in force in this element and of this gray.
fn masks(rig: &mut Rig, first: u64, level: u8, count: u64) -> u64 {
    let (mut next, mut seen, begun) = (first, 0, Instant::now());
    while seen < count {
        let meta = rig.meta(gray(level, close(next)));
        assert_eq!(meta.sequence, next);
        seen += u64::from(is_of_what_is_in_force(rig, &meta, level));
        next += 1;
        std::thread::yield_now();
        assert!(begun.elapsed() < Duration::from_secs(60), "{seen} of {count} masks");
    }
    next
}

#[test]
fn each_element_has_its_own_masks_and_its_own_prompt() {
    let works = works();
    let rigs = [(10_u8, "lesion 1"), (90, "lesion 2"), (170, "lesion 3"), (250, "lesion 1")];
    let begin = Arc::new(Barrier::new(rigs.len()));
    let threads = rigs.map(|(level, prompt)| {
        let (works, begin) = (Arc::clone(&works), Arc::clone(&begin));
        std::thread::spawn(move || {
            let mut rig = with_prompt(&works, prompt);
            begin.wait();
            let next = masks(&mut rig, 0, level, 300);
            rig.element.set_property("prompt", format!("{prompt}0"));
            let next = masks(&mut rig, next, level, 300);
            assert_eq!((rig.stat("frames"), rig.messages(gst::MessageType::Warning)), (next, Vec::new()));
            begin.wait();
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(engines(&works), (1, 0), "one for all, and none is left");
}

#[test]
fn one_that_flushes_or_stops_is_no_business_of_the_others() {
    let works = works();
    let (mut one, mut other) = (with_prompt(&works, "lesion 1"), with_prompt(&works, "lesion 2"));
    let (next, of_other) = (masks(&mut one, 0, 40, 5), masks(&mut other, 0, 200, 5));
    let held = works.hold(0);
    one.meta(gray(40, close(next)));
    one.harness.push_event(gst::event::FlushStart::new());
    one.harness.push_event(gst::event::FlushStop::new(true));
    one.harness.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    let meta = other.meta(gray(200, close(of_other)));
    assert!(is_of_what_is_in_force(&other, &meta, 200), "its own mask is held");
    drop(held);
    let of_other = masks(&mut other, of_other + 1, 200, 50);

    one.element.set_state(gst::State::Null).unwrap();
    assert_eq!(engines(&works), (1, 1));
    let of_other = masks(&mut other, of_other, 200, 50);
    assert_eq!((other.stat("frames"), other.messages(gst::MessageType::Warning)), (of_other, Vec::new()));
    // Back again it finds the engine that runs.
    one.element.set_state(gst::State::Playing).unwrap();
    one.harness.set_src_caps_str(GRAY_CAPS);
    masks(&mut one, 0, 40, 5);
    assert_eq!(engines(&works), (1, 1));
    for rig in [one, other] {
        rig.element.set_state(gst::State::Null).unwrap();
    }
    assert_eq!(engines(&works), (1, 0), "the last one out");
}

#[test]
fn a_failure_is_told_to_all() {
    let works = works();
    let mut rigs = [with_prompt(&works, "lesion 1"), with_prompt(&works, "lesion 2")];
    let next = rigs.each_mut().map(|rig| masks(rig, 0, 128, 5));
    works.fail.store(true, Ordering::SeqCst);
    for (rig, next) in rigs.iter_mut().zip(next) {
        rig.until(next, |meta| meta.badge == Badge::Fault);
        let warnings = rig.messages(gst::MessageType::Warning);
        assert!(matches!(&warnings[..], [one] if one.contains("infer: as ordered")), "{warnings:?}");
    }
    works.fail.store(false, Ordering::SeqCst);
    for (rig, next) in rigs.iter_mut().zip(next) {
        let frames = rig.stat("frames");
        assert!(frames > next);
        masks(rig, frames, 128, 5);
    }
    assert_eq!(engines(&works), (1, 1));
}

#[test]
fn one_that_swaps_leaves_the_others_where_they_are() {
    let works = works();
    let (mut one, mut other) = (with_prompt(&works, "lesion 1"), with_prompt(&works, "lesion 2"));
    let (mut next, of_other) = (masks(&mut one, 0, 40, 5), masks(&mut other, 0, 200, 5));
    swap_to(&one.element, &works, 1);
    while in_force(&one).0 != 1 {
        next = masks(&mut one, next, 40, 1);
    }
    masks(&mut one, next, 40, 5);
    let of_other = masks(&mut other, of_other, 200, 5);
    assert_eq!((in_force(&other).0, engines(&works)), (0, (2, 2)));
    // The other follows, finds that engine, and ends its own.
    swap_to(&other.element, &works, 1);
    let mut next = of_other;
    let begun = Instant::now();
    while in_force(&other).0 != 1 || engines(&works) != (2, 1) {
        next = masks(&mut other, next, 200, 1);
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", engines(&works));
    }
}

#[test]
fn those_that_do_not_want_to_share_have_their_own() {
    let works = works();
    let start = || {
        let element = segmenter(&works);
        element.set_property("share", false);
        Rig::new(&element, GRAY_CAPS)
    };
    let (mut one, mut other) = (start(), start());
    masks(&mut one, 0, 40, 2);
    masks(&mut other, 0, 200, 2);
    assert_eq!(engines(&works), (2, 2));
}

#[test]
fn a_real_engine_is_shared_by_those_that_run_it_alike() {
    init();
    let start = |threads: u32| {
        let element = gst::ElementFactory::make("polypsegment")
            .property("engine", engine_folder().display().to_string())
            .property_from_str("backend", "reference")
            .property("threads", threads)
            .build()
            .unwrap();
        element.set_state(gst::State::Paused).unwrap();
        element
    };
    let engines = || {
        let all = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |thread: &std::fs::DirEntry| std::fs::read_to_string(thread.path().join("comm"));
        all.filter(|thread| name(thread.as_ref().unwrap()).is_ok_and(|name| name.trim() == "polyp-engine"))
            .count()
    };
    let elements = [start(1), start(1), start(2)];
    let started = engines();
    let left = elements.map(|element| {
        element.set_state(gst::State::Null).unwrap();
        engines()
    });
    assert_eq!((started, left), (2, [2, 1, 0]), "one for one thread and one for two");
}
