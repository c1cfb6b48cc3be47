//! Whatever the network does, the picture goes on, the badge says so, and the bus hears of it once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gst::prelude::*;
use polyp::overlay::Badge;

use crate::fixture::{GRAY_CAPS, Orders, Rig, at, gray, is_held, segmenter};

/// Breaks the engine, looks, mends it, and looks again, in both modes.
fn breaks_and_mends(order: fn(&Orders) -> &AtomicBool, words: &str) {
    for mode in ["live", "locked"] {
        let orders = Arc::<Orders>::default();
        let element = segmenter(&orders);
        element.set_property_from_str("mode", mode);
        element.set_property("latency-budget", 500_000_000_u64);
        let mut rig = Rig::new(&element, GRAY_CAPS);
        let well = |meta: &gstpolyp::meta::FrameMeta| is_held(meta) || meta.badge == Badge::Live;
        let (next, _) = rig.until(0, well);

        order(&orders).store(true, Ordering::SeqCst);
        let (next, meta) = rig.until(next, |meta| meta.badge == Badge::Fault);
        assert!(meta.segmentation.is_none(), "{mode}: a fault takes the mask away");
        for index in next..next + 40 {
            let meta = rig.meta(gray(128, at(index)));
            assert_eq!((meta.badge, meta.segmentation.is_none()), (Badge::Fault, true), "{mode}");
            std::thread::sleep(at(1).into());
        }
        let warnings = rig.messages(gst::MessageType::Warning);
        assert_eq!(warnings.len(), 1, "{mode}: {warnings:?}");
        assert!(warnings[0].contains(words) && warnings[0].contains("the picture goes on"), "{warnings:?}");

        order(&orders).store(false, Ordering::SeqCst);
        let (next, _) = rig.until(next + 40, well);
        // Well for a second: 31 frames.
        for index in next..next + 40 {
            rig.meta(gray(128, at(index)));
            std::thread::sleep(at(1).into());
        }
        let infos = rig.messages(gst::MessageType::Info);
        assert_eq!(infos, ["masks again, after a failing network"], "{mode}");
        assert_eq!(rig.stat("frames"), next + 40, "{mode}: no frame was lost");
    }
}

#[test]
fn a_failing_engine() {
    breaks_and_mends(|orders| &orders.fail, "backend fixture, infer: as ordered");
}

#[test]
fn an_engine_that_answers_with_what_is_not_a_number() {
    breaks_and_mends(|orders| &orders.nan, "expected a finite number, found NaN");
}

#[test]
fn a_panicking_engine() {
    // Writing out where an ordered panic came from takes longer than a mask may be old.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some("as ordered") {
            tell(panic);
        }
    }));
    breaks_and_mends(|orders| &orders.panic, "panicked");
}

#[test]
fn going_to_ready_does_not_wait_for_a_hanging_engine_alone() {
    for mode in ["live", "locked"] {
        let orders = Arc::<Orders>::default();
        let element = segmenter(&orders);
        element.set_property_from_str("mode", mode);
        let mut rig = Rig::new(&element, GRAY_CAPS);
        orders.delay(Duration::from_secs(10));
        rig.meta(gray(128, at(0)));
        let begun = std::time::Instant::now();
        element.set_state(gst::State::Null).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(3), "{mode}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_buffer_that_is_too_short_goes_on_with_a_fault() {
    for mode in ["live", "locked"] {
        let element = segmenter(&Arc::default());
        element.set_property_from_str("mode", mode);
        let mut rig = Rig::new(&element, GRAY_CAPS);
        for bytes in [0, 7] {
            let mut short = gst::Buffer::from_mut_slice(vec![0_u8; bytes]);
            short.get_mut().unwrap().set_pts(at(0));
            let meta = rig.meta(short);
            assert_eq!(
                (meta.badge, meta.segmentation.is_none()),
                (Badge::Fault, true),
                "{mode}, {bytes} bytes"
            );
        }
        assert_eq!(rig.messages(gst::MessageType::Warning).len(), 1);
    }
}
