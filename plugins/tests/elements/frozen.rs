//! A source that hands over the same picture again and again is not taken for a live one.

use std::sync::Arc;

use gst::prelude::*;
use polyp::overlay::Badge;

use crate::fixture::{GRAY_CAPS, Orders, Rig, at, gray, segmenter};

fn rig(mode: &str, after: u32) -> Rig {
    let element = segmenter(&Arc::<Orders>::default());
    element.set_property_from_str("mode", mode);
    element.set_property("latency-budget", 900_000_000_u64);
    element.set_property("frozen-after", after);
    Rig::new(&element, GRAY_CAPS)
}

/// Whether frames of those grays, at their own pace, are called frozen, each in turn.
fn seen(rig: &mut Rig, first: u64, grays: &[u8]) -> Vec<bool> {
    let mut see = |(index, gray_of): (u64, &u8)| {
        let meta = rig.meta(gray(*gray_of, at(index)));
        let frozen = meta.badge == Badge::Frozen;
        assert!(!frozen || meta.segmentation.is_none(), "no mask on a frozen picture");
        std::thread::sleep(at(1).into());
        frozen
    };
    (first..).zip(grays).map(&mut see).collect()
}

#[test]
fn a_dead_source_is_flagged_with_its_third_repeat_and_told_once() {
    for mode in ["live", "locked"] {
        let mut rig = rig(mode, 3);
        assert!(seen(&mut rig, 0, &[10, 20, 30, 40, 40, 40]).iter().all(|frozen| !frozen), "{mode}");
        assert!(seen(&mut rig, 6, &[40; 40]).iter().all(|frozen| *frozen), "{mode}");
        let warnings = rig.messages(gst::MessageType::Warning);
        let frozen: Vec<&String> =
            warnings.iter().filter(|text| text.contains("the source is dead")).collect();
        assert_eq!(frozen.len(), 1, "{mode}: {warnings:?}");
        assert!(frozen[0].contains("the same picture came 3 times again; the picture goes on"), "{frozen:?}");
        assert_eq!(rig.stat("frozen"), 40);
        // It lives again, and masks of it come: none of the time before.
        let alive: Vec<u8> = (0..45).map(|index| 50 + index).collect();
        assert!(seen(&mut rig, 46, &alive).iter().all(|frozen| !frozen), "{mode}");
        let infos = rig.messages(gst::MessageType::Info);
        assert!(infos.iter().any(|text| text.contains("a frozen picture")), "{mode}: {infos:?}");
    }
}

#[test]
fn still_pictures_can_be_played_on_purpose() {
    let mut rig = rig("live", 0);
    assert!(seen(&mut rig, 0, &[10; 12]).iter().all(|frozen| !frozen));
    // And from the next frame on when it is asked for while playing.
    rig.element.set_property("frozen-after", 1_u32);
    assert_eq!(seen(&mut rig, 12, &[10; 3]), [false, true, true]);
}
