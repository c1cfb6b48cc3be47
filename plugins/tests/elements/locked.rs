//! `mode=locked`: the mask is of this very frame, and the picture waits no longer than the budget.

use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use polyp::overlay::Badge;
use polyp::trace::Stage;

use crate::fixture::{GRAY_CAPS, Orders, Rig, at, gray, mask_of, segmenter};

const BUDGET: Duration = Duration::from_millis(60);
/// What a busy test machine may add to a wait.
const SLACK: Duration = Duration::from_millis(60);

fn locked(orders: &Arc<Orders>, budget: Duration) -> Rig {
    let element = segmenter(orders);
    element.set_property_from_str("mode", "locked");
    element.set_property("latency-budget", u64::try_from(budget.as_nanos()).unwrap());
    Rig::new(&element, GRAY_CAPS)
}

#[test]
fn the_mask_is_of_that_very_frame() {
    let mut rig = locked(&Arc::default(), Duration::from_millis(900));
    for index in 0..60 {
        let level = 100 + (index * 7 % 56) as u8;
        let meta = rig.meta(gray(level, at(index)));
        assert_eq!((meta.badge, meta.sequence), (Badge::Live, index));
        let mask = meta.segmentation.as_ref().unwrap();
        assert_eq!((mask.sequence, mask.pts), (index, Duration::from(at(index))));
        assert!(mask.probability.iter().all(|p| *p == mask_of(level)), "{level}: {:?}", mask.probability[0]);
        assert!(
            meta.trace.engine.is_some()
                && !meta.trace.time(Stage::Copy).is_zero()
                && !meta.trace.time(Stage::Wait).is_zero()
        );
    }
    assert_eq!((rig.stat("live"), rig.stat("frames"), rig.stat("answered")), (60, 60, 60));
}

#[test]
fn a_late_answer_is_never_shown_on_a_later_frame() {
    let orders = Arc::<Orders>::default();
    let mut rig = locked(&orders, BUDGET);
    assert_eq!(rig.meta(gray(200, at(0))).badge, Badge::Live);
    orders.delay(BUDGET * 2);
    let late = rig.meta(gray(200, at(1)));
    assert_eq!((late.badge, late.segmentation.is_none()), (Badge::Late, true));
    orders.delay(Duration::ZERO);
    std::thread::sleep(BUDGET * 2);
    let next = rig.meta(gray(60, at(2)));
    assert_eq!(next.badge, Badge::Live);
    assert_eq!(next.segmentation.as_ref().unwrap().probability[0], mask_of(60));
    let warnings = rig.messages(gst::MessageType::Warning);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("within the latency budget of 60ms"), "{warnings:?}");
}

#[test]
fn no_wait_is_longer_than_the_budget_alone() {
    let orders = Arc::<Orders>::default();
    let mut rig = locked(&orders, BUDGET);
    orders.delay(Duration::from_secs(10));
    for index in 0..12 {
        let (buffer, took) = rig.pass(gray(128, at(index)));
        assert!(took < BUDGET + SLACK, "frame {index} waited {took:?}");
        assert_eq!(buffer.pts(), Some(at(index)));
        assert_eq!(gstpolyp::meta::of(&buffer).unwrap().badge, Badge::Late);
        // Once the engine is known to hang, nobody waits for it.
        assert!(index < 4 || took < SLACK, "frame {index} waited {took:?} behind a hanging engine");
    }
    assert_eq!(rig.messages(gst::MessageType::Warning).len(), 1);
}

#[test]
fn the_wait_is_declared_as_latency() {
    let element = segmenter(&Arc::default());
    let mut rig = Rig::new(&element, GRAY_CAPS);
    rig.harness.set_upstream_latency(gst::ClockTime::from_mseconds(5));
    let latency = |rig: &mut Rig| rig.harness.query_latency().unwrap().mseconds();
    assert_eq!(latency(&mut rig), 5);
    let told = |rig: &Rig| {
        std::iter::from_fn(|| rig.bus.pop()).filter(|m| m.type_() == gst::MessageType::Latency).count()
    };
    assert_eq!(told(&rig), 0);
    element.set_property_from_str("mode", "locked");
    assert_eq!((latency(&mut rig), told(&rig)), (38, 1));
    element.set_property("latency-budget", 100_000_000_u64);
    assert_eq!((latency(&mut rig), told(&rig)), (105, 1));
    element.set_property("enabled", false);
    assert_eq!((latency(&mut rig), told(&rig)), (5, 1));
}

#[test]
fn a_flush_ends_the_wait_alone() {
    let orders = Arc::<Orders>::default();
    let mut rig = locked(&orders, Duration::from_millis(1000));
    assert_eq!(rig.meta(gray(128, at(0))).badge, Badge::Live);
    orders.delay(Duration::from_millis(700));
    let sink = rig.element.static_pad("sink").unwrap();
    let flusher = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        let flushed = std::time::Instant::now();
        sink.send_event(gst::event::FlushStart::new());
        sink.send_event(gst::event::FlushStop::new(true));
        flushed.elapsed()
    });
    let begun = std::time::Instant::now();
    // The frame that was being waited for is flushed away with the rest.
    let _flow = rig.harness.push(gray(128, at(1)));
    assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());
    assert!(flusher.join().unwrap() < Duration::from_millis(200));
}
