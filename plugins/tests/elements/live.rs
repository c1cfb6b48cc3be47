//! `mode=live`: the picture never waits, and what it carries says how old it is.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gst::prelude::*;
use polyp::overlay::Badge;

use crate::fixture::{GRAY_CAPS, Orders, Rig, at, gray, is_held, mask_of, segmenter};

fn live(orders: &Arc<Orders>) -> Rig {
    Rig::new(&segmenter(orders), GRAY_CAPS)
}

#[test]
fn a_mask_is_held_with_its_age_and_gone_after_the_limit() {
    let orders = Arc::<Orders>::default();
    let mut rig = live(&orders);
    let first = rig.meta(gray(200, at(0)));
    assert_eq!((first.badge, first.segmentation.is_none()), (Badge::NoMask, true));
    std::thread::sleep(Duration::from_millis(50));
    let second = rig.meta(gray(200, at(1)));
    assert_eq!(second.badge, Badge::Held { age_ms: 33 });
    let mask = second.segmentation.as_ref().unwrap();
    assert_eq!((mask.sequence, mask.probability[0]), (0, mask_of(200)));
    // Frames without an answer: the mask of frame 1, at most, is 100 ms old with frame 4, and 133 ms with frame 5.
    std::thread::sleep(Duration::from_millis(50));
    orders.delay(Duration::from_secs(2));
    let badges: Vec<Badge> = (2..7).map(|index| rig.meta(gray(200, at(index))).badge).collect();
    let held = |age_ms| Badge::Held { age_ms };
    assert_eq!(badges, [held(33), held(66), held(100), Badge::Late, Badge::Late]);
    // Nobody saw a gap of the stream, and no mask lasts over it.
    let after = rig.meta(gray(200, at(60)));
    assert_eq!((after.badge, after.segmentation.is_none()), (Badge::NoMask, true));
}

#[test]
fn the_picture_does_not_wait_for_a_hanging_engine_alone() {
    let orders = Arc::<Orders>::default();
    let mut rig = live(&orders);
    orders.delay(Duration::from_secs(10));
    for index in 0..60 {
        let (buffer, took) = rig.pass(gray(128, at(index)));
        assert!(took < Duration::from_millis(60), "frame {index} took {took:?}");
        let meta = gstpolyp::meta::of(&buffer).unwrap();
        // At 30 frames a second, frame 3 is 100 ms after the one that was asked about, frame 4 133 ms.
        let expected = if index < 4 { Badge::NoMask } else { Badge::Late };
        assert_eq!((meta.badge, meta.segmentation.is_none()), (expected, true), "frame {index}");
    }
    let warnings = rig.messages(gst::MessageType::Warning);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    // One frame hangs in the engine, and no other was prepared for nothing.
    assert_eq!((rig.stat("frames"), rig.stat("asked"), rig.stat("answered")), (60, 1, 0));
}

#[test]
fn frames_are_given_only_to_an_idle_network() {
    let orders = Arc::<Orders>::default();
    let mut rig = live(&orders);
    orders.delay(Duration::from_millis(40));
    let (next, _) = rig.until(0, is_held);
    let asked = rig.stat("asked");
    assert!(asked <= 2 && next > asked, "{asked} of {next} frames");
    // The worker warms up on two.
    assert!(orders.begun.load(Ordering::SeqCst) <= 2 + asked);
}

#[test]
fn late_frames_skip_the_network_and_not_the_picture() {
    let orders = Arc::<Orders>::default();
    let mut rig = live(&orders);
    let (next, _) = rig.until(0, is_held);
    let asked = rig.stat("asked");
    let late = gst::event::Qos::new(gst::QOSType::Underflow, 2.0, 1_000_000_000, at(next));
    assert!(rig.harness.push_upstream_event(late));
    for index in next..next + 20 {
        rig.meta(gray(128, at(index)));
    }
    assert_eq!((rig.stat("asked"), rig.stat("skipped"), rig.stat("frames")), (asked, 20, next + 20));
    // After that second, frames are in time again.
    std::thread::sleep(Duration::from_millis(40)); // and the last frame's answer is there
    rig.meta(gray(128, at(next + 40)));
    assert_eq!(rig.stat("asked"), asked + 1);
    let upstream = std::iter::from_fn(|| rig.harness.try_pull_upstream_event());
    assert_eq!(upstream.filter(|event| event.type_() == gst::EventType::Qos).count(), 1);
}

#[test]
fn other_limits_and_modes_hold_from_the_next_frame() {
    let mut rig = live(&Arc::default());
    let (next, _) = rig.until(0, is_held);
    std::thread::sleep(Duration::from_millis(30));
    rig.element.set_property("max-mask-age", 1_000_000_u64);
    assert_eq!(rig.meta(gray(128, at(next + 1))).badge, Badge::Late);
    rig.element.set_property_from_str("mode", "locked");
    rig.element.set_property("latency-budget", 900_000_000_u64);
    assert_eq!(rig.meta(gray(128, at(next + 2))).badge, Badge::Live);
}
