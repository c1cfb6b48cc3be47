//! The meta's plain fields say what the meta says: what an application without Rust reads.

use std::sync::Arc;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gstpolyp::meta;
use polyp::overlay::Badge;
use polyp::trace::Stage;

use crate::fixture::{GRAY_CAPS, Orders, Rig, SIDE, at, gray, is_held, mask_of, segmenter};

fn fields(buffer: &gst::BufferRef) -> gst::Structure {
    gst::meta::CustomMeta::from_buffer(buffer, meta::NAME).unwrap().structure().to_owned()
}

fn number(fields: &gst::Structure, name: &str) -> Option<u64> {
    fields.get::<u64>(name).ok().or_else(|| fields.get::<u32>(name).ok().map(u64::from))
}

#[test]
fn a_held_mask_is_told_in_numbers() {
    let mut rig = Rig::new(&segmenter(&Arc::<Orders>::default()), GRAY_CAPS);
    let (first, _) = rig.pass(gray(200, at(0)));
    let before = fields(&first);
    assert_eq!(before.get::<String>("badge").unwrap(), "no-mask");
    assert!(before.get::<glib::Bytes>("mask").is_err() && number(&before, "mask-age").is_none());
    std::thread::sleep(Duration::from_millis(50));
    let (second, _) = rig.pass(gray(200, at(1)));
    let (said, meant) = (fields(&second), meta::of(&second).unwrap());
    assert!(is_held(&meant));
    let mask = meant.segmentation.as_ref().unwrap();
    assert_eq!(said.get::<String>("badge").unwrap(), "held");
    assert_eq!(said.get::<glib::Bytes>("mask").unwrap().as_ref(), mask.probability.as_slice());
    assert_eq!(said.get::<glib::Bytes>("mask").unwrap()[0], mask_of(200));
    for (name, value) in [
        ("sequence", 1),
        ("mask-sequence", 0),
        ("mask-age", at(1).nseconds()),
        ("mask-side", SIDE as u64),
        ("source-x", 0),
        ("source-y", 0),
        ("source-width", 16),
        ("source-height", 16),
        ("target-width", SIDE as u64),
        ("target-height", SIDE as u64),
        ("infer-time", u64::try_from(meant.trace.engine.unwrap().inferred.as_nanos()).unwrap()),
        ("segment-time", u64::try_from(meant.trace.time(Stage::Segment).as_nanos()).unwrap()),
    ] {
        assert_eq!(number(&said, name), Some(value), "{name}");
    }
    assert!(number(&said, "wait-time").is_none(), "in live mode nothing waits");
}

#[test]
fn the_painter_adds_its_time() {
    let mut rig = Rig::new(&segmenter(&Arc::<Orders>::default()), GRAY_CAPS);
    let (segmented, _) = rig.pass(gray(200, at(0)));
    assert!(number(&fields(&segmented), "paint-time").is_none());
    let overlay = gst::ElementFactory::make("polypoverlay").build().unwrap();
    let mut rig = Rig::new(&overlay, GRAY_CAPS);
    let (painted, _) = rig.pass(segmented);
    assert!(number(&fields(&painted), "paint-time").is_some());
    assert_eq!(fields(&painted).get::<String>("badge").unwrap(), "no-mask");
}

#[test]
fn a_region_outside_of_the_frame_is_a_fault_and_nothing_takes_its_place() {
    let element = segmenter(&Arc::<Orders>::default());
    element.set_property("roi", "640x480+10+20");
    let mut rig = Rig::new(&element, GRAY_CAPS);
    for index in 0..4 {
        let meta = rig.meta(gray(200, at(index)));
        assert_eq!((meta.badge, meta.segmentation.is_none()), (Badge::Fault, true));
    }
    let warnings = rig.messages(gst::MessageType::Warning);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("640x480+10+20") && warnings[0].contains("16x16"), "{warnings:?}");
    // Another region is looked at from the next frame on.
    rig.element.set_property("roi", "8x8+4+4");
    let (_, meta) = rig.until(4, is_held);
    assert_eq!(meta.segmentation.as_ref().unwrap().placement.source.width, 8);
}
