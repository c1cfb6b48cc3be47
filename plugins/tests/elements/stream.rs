//! Streams as they come: flushes, seeks, buffers without times, other prompts, ends, and starts again.

use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use gstpolyp::meta;
use polyp::overlay::Badge;

use crate::fixture::{GRAY_CAPS, Orders, Rig, at, bytes, gray, is_held, obey, segmenter};

#[test]
fn a_flush_drops_what_was_asked_before() {
    let orders = Arc::<Orders>::default();
    let mut rig = Rig::new(&segmenter(&orders), GRAY_CAPS);
    let (next, _) = rig.until(0, is_held);
    std::thread::sleep(Duration::from_millis(40)); // the last frame's answer is there
    orders.delay(Duration::from_millis(80));
    rig.meta(gray(128, at(next)));
    rig.harness.push_event(gst::event::FlushStart::new());
    rig.harness.push_event(gst::event::FlushStop::new(true));
    rig.harness.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    // Time begins again: no mask of before it is shown, not even the one that comes in now.
    assert_eq!(rig.meta(gray(128, at(0))).badge, Badge::NoMask);
    std::thread::sleep(Duration::from_millis(120));
    let meta = rig.meta(gray(128, at(1)));
    assert_eq!((meta.badge, meta.segmentation.is_none()), (Badge::NoMask, true));
    let (_, meta) = rig.until(2, is_held);
    assert!(meta.segmentation.as_ref().unwrap().sequence > next);
}

#[test]
fn buffers_without_a_timestamp_are_counted() {
    let mut rig = Rig::new(&segmenter(&Arc::default()), GRAY_CAPS);
    for index in 0..4 {
        let mut buffer = gray(128, at(0));
        let writable = buffer.get_mut().unwrap();
        writable.set_pts(gst::ClockTime::NONE);
        writable.set_duration(gst::ClockTime::NONE);
        let meta = rig.meta(buffer);
        assert_eq!(meta.time, Duration::from(at(1)) * index);
        std::thread::sleep(Duration::from_millis(20));
        assert!(index < 2 || is_held(&meta), "{index}: {:?}", meta.badge);
    }
}

#[test]
fn another_prompt_is_taken_up_between_two_frames() {
    let orders = Arc::<Orders>::default();
    let mut rig = Rig::new(&segmenter(&orders), GRAY_CAPS);
    let in_force =
        |rig: &Rig| rig.element.property::<gst::Structure>("stats").get::<String>("prompt").unwrap();
    let (next, _) = rig.until(0, is_held);
    assert_eq!(in_force(&rig), "polyp");
    rig.element.set_property("prompt", "a flat lesion");
    let prompted = Arc::clone(&orders);
    let (next, _) =
        rig.until(next, |_| prompted.prompts.lock().unwrap().iter().any(|p| p == "a flat lesion"));
    assert_eq!(in_force(&rig), "a flat lesion");
    let (next, meta) = rig.until(next, is_held);
    assert!(meta.segmentation.is_some());
    // A prompt that can not be prepared is refused, and the property says what is asked.
    rig.element.set_property("prompt", "unknown");
    let warning = rig.bus.timed_pop_filtered(gst::ClockTime::from_seconds(5), &[gst::MessageType::Warning]);
    let text = crate::fixture::text_of(&warning.unwrap());
    assert!(text.contains("\"unknown\"") && text.contains("still asked for \"a flat lesion\""), "{text}");
    assert_eq!(rig.element.property::<String>("prompt"), "a flat lesion");
    let (next, _) = rig.until(next, is_held);
    // Empty is the engine's own.
    rig.element.set_property("prompt", "");
    rig.until(next, |_| orders.prompts.lock().unwrap().last().is_some_and(|p| p == "polyp"));
}

#[test]
fn the_end_comes_after_the_last_frame() {
    for mode in ["live", "locked"] {
        let orders = Arc::<Orders>::default();
        let segment = segmenter(&orders);
        segment.set_property_from_str("mode", mode);
        let source = "videotestsrc num-buffers=50 ! video/x-raw,format=I420,width=64,height=48,framerate=30/1 ! identity";
        let pipeline = gst::Pipeline::new();
        let source = gst::parse::bin_from_description(source, true).unwrap();
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(100).build();
        pipeline.add_many([source.upcast_ref(), &segment, sink.upcast_ref()]).unwrap();
        gst::Element::link_many([source.upcast_ref(), &segment, sink.upcast_ref()]).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let mut frames = 0;
        while let Ok(sample) = sink.pull_sample() {
            assert_eq!(meta::of(sample.buffer().unwrap()).unwrap().sequence, frames);
            frames += 1;
        }
        assert!(sink.is_eos());
        assert_eq!(frames, 50, "{mode}");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn two_hundred_starts_and_stops() {
    let orders = Arc::<Orders>::default();
    let segment = segmenter(&orders);
    let overlay = gst::ElementFactory::make("polypoverlay").build().unwrap();
    let pipeline = gst::Pipeline::new();
    let source =
        "videotestsrc is-live=true ! video/x-raw,format=NV12,width=64,height=48,framerate=120/1 ! identity";
    let source = gst::parse::bin_from_description(source, true).unwrap();
    let sink = gst::ElementFactory::make("fakesink").property("async", false).build().unwrap();
    let all = [source.upcast_ref(), &segment, &overlay, &sink];
    pipeline.add_many(all).unwrap();
    gst::Element::link_many(all).unwrap();
    for round in 0..200 {
        let mode = if round % 2 == 0 { "live" } else { "locked" };
        segment.set_property_from_str("mode", mode);
        pipeline.set_state(gst::State::Playing).unwrap();
        if round % 10 == 0 {
            std::thread::sleep(Duration::from_millis(30));
        }
        let state = if round % 3 == 0 { gst::State::Null } else { gst::State::Ready };
        pipeline.set_state(state).unwrap();
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let bus = pipeline.bus().unwrap();
    assert!(bus.pop_filtered(&[gst::MessageType::Error]).is_none());
}

#[test]
fn masks_travel_through_queues_and_copies() {
    let orders = Arc::<Orders>::default();
    let segment = segmenter(&orders);
    segment.set_property_from_str("mode", "locked");
    segment.set_property("latency-budget", 1_000_000_000_u64);
    let buffer = through(&segment, "queue ! tee ! queue ! identity ! videoconvert");
    let mask = meta::of(&buffer).unwrap().segmentation.clone().unwrap();
    assert_eq!(mask.sequence, 0);
    let copy = meta::of(&buffer.copy_deep().unwrap()).unwrap();
    assert!(Arc::ptr_eq(copy.segmentation.as_ref().unwrap(), &mask), "a copy shares the mask");
}

#[test]
fn masks_do_not_travel_into_another_picture() {
    for hops in [
        "videoscale ! video/x-raw,width=32,height=24",
        "videoflip video-direction=horiz",
        "videocrop left=8",
        "video/x-raw,format=BGRA",
    ] {
        let segment = segmenter(&Arc::default());
        let buffer = through(&segment, &format!("videoconvert ! {hops} ! videoconvert"));
        assert!(meta::of(&buffer).is_none(), "{hops}: the mask would lie in a wrong place");
    }
}

/// The first buffer of a test picture that went through `segment` and `hops`.
fn through(segment: &gst::Element, hops: &str) -> gst::Buffer {
    let pipeline = gst::Pipeline::new();
    let source =
        "videotestsrc num-buffers=1 ! video/x-raw,format=I420,width=64,height=48,framerate=30/1 ! identity";
    let source = gst::parse::bin_from_description(source, true).unwrap();
    let hops = gst::parse::bin_from_description(&format!("{hops} ! identity"), true).unwrap();
    let sink = gst_app::AppSink::builder().sync(false).build();
    let all = [source.upcast_ref(), segment, hops.upcast_ref(), sink.upcast_ref()];
    pipeline.add_many(all).unwrap();
    gst::Element::link_many(all).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let sample = sink.pull_sample().unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    sample.buffer_owned().unwrap()
}

#[test]
fn a_shared_buffer_gets_its_mask_without_a_copy_of_the_picture() {
    let mut rig = Rig::new(&segmenter(&Arc::default()), GRAY_CAPS);
    let sent = gray(128, at(0));
    let kept = sent.clone();
    let (got, _) = rig.pass(sent);
    assert!(meta::of(&kept).is_none(), "the other holder's buffer is not changed");
    assert!(meta::of(&got).is_some());
    let place = |buffer: &gst::Buffer| buffer.map_readable().unwrap().as_ptr();
    assert_eq!(place(&kept), place(&got), "the pixels are the same memory");
    assert_eq!(bytes(&kept), bytes(&got));
}

#[test]
fn switched_off_it_says_so_and_does_nothing() {
    let orders = Arc::<Orders>::default();
    let mut rig = Rig::new(&segmenter(&orders), GRAY_CAPS);
    let (next, _) = rig.until(0, is_held);
    rig.element.set_property("enabled", false);
    let asked = rig.stat("asked");
    for index in next..next + 5 {
        let meta = rig.meta(gray(128, at(index)));
        assert_eq!((meta.badge, meta.segmentation.is_none()), (Badge::Off, true));
    }
    assert_eq!((rig.stat("asked"), rig.stat("off")), (asked, 5));
    rig.element.set_property("enabled", true);
    rig.until(next + 5, is_held);
}

#[test]
fn the_bin_is_the_two() {
    crate::fixture::init();
    let live = gst::ElementFactory::make("polyplive").property_from_str("roi", "whole").build().unwrap();
    live.set_property("motion-compensation", false);
    let segment = live.downcast_ref::<gst::Bin>().unwrap().by_name("segment").unwrap();
    obey(&segment, &Arc::default());
    let mut rig = Rig::new(&live, GRAY_CAPS);
    let (next, _) = rig.until(0, is_held);
    let stats = live.property::<gst::Structure>("stats");
    let part = |name: &str| stats.get::<gst::Structure>(name).unwrap().get::<u64>("frames").unwrap();
    assert_eq!((part("segment"), part("overlay")), (next, next));
    live.set_property("enabled", false);
    let sent = gray(77, at(next));
    let expected = (bytes(&sent), sent.map_readable().unwrap().as_ptr());
    let (got, _) = rig.pass(sent);
    assert_eq!((bytes(&got), got.map_readable().unwrap().as_ptr()), expected, "to the bit, and no copy");
}
