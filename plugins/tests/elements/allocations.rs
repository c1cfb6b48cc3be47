//! A frame's way through the elements allocates nothing once it has been gone a few times.
//!
//! What is counted is what our own code allocates, in the thread that the picture goes through. What GStreamer and GLib allocate in C for
//! a buffer's meta is theirs.

use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use gst::prelude::*;
use polyp::overlay::Badge;

use crate::fixture::{Orders, Rig, at};
use crate::motion::{CAPS, frame, rig};

/// Frames before anything is counted: the first ones make the memory that is used again.
const WARM_UP: u64 = 60;
/// Frames that are counted.
const COUNTED: u64 = 120;

/// What pushing one frame allocates.
fn pushed(rig: &mut Rig, buffer: gst::Buffer) -> (AllocationInfo, gst::Buffer) {
    let counted = measure(|| assert!(rig.harness.push(buffer).is_ok()));
    (counted, rig.harness.pull().unwrap())
}

#[test]
fn a_frame_on_its_way_allocates_nothing() {
    let orders = Arc::<Orders>::default();
    let mut segmenter = rig(&orders);
    segmenter.element.set_property("budget", "picture=1000ms");
    let overlay = gst::ElementFactory::make("polypoverlay").build().unwrap();
    let mut overlay = Rig::new(&overlay, CAPS);
    let (mut held, mut counts) = (0, Vec::new());
    for index in 0..WARM_UP + COUNTED {
        let buffer = frame(1, index, 160);
        std::thread::sleep(at(1).into());
        let (segmented, buffer) = pushed(&mut segmenter, buffer);
        let badge = gstpolyp::meta::of(&buffer).unwrap().badge;
        let (painted, _) = pushed(&mut overlay, buffer);
        if index >= WARM_UP {
            held += u64::from(matches!(badge, Badge::Held { .. }));
            counts.push((segmented.count_total, painted.count_total));
        }
    }
    // Frames with a mask that was moved along, and new masks all the time.
    assert!(held > COUNTED / 2, "{held}");
    assert!(segmenter.stat("answered") > COUNTED / 4, "{}", segmenter.stat("answered"));
    let with_any = counts.iter().filter(|count| **count != (0, 0)).count();
    // A new mask's cells are wrapped once; nothing is allocated for a frame.
    assert!(counts.iter().all(|(segmented, painted)| *segmented <= 1 && *painted == 0), "{counts:?}");
    assert!(with_any as u64 <= segmenter.stat("answered"), "{counts:?}");
}

#[test]
fn the_counter_counts() {
    let counted = measure(|| drop(std::hint::black_box(vec![0_u8; 100])));
    assert_eq!((counted.count_total, counted.bytes_total), (1, 100));
}
