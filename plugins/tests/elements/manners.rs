//! What applications may expect of any element: it is warm before PLAYING, it can be sought in, it tells sinks' complaints
//! upstream, and neither other caps nor starts and stops make it larger.
//!
//! Not here: latency (`locked.rs`), what late frames skip (`live.rs`).

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_check::Harness;
use gstpolyp::meta;

use crate::fixture::{GRAY_CAPS, Orders, Rig, at, engine_folder, gray, init, obey, segmenter};

#[test]
fn the_engine_has_run_before_the_first_frame() {
    let orders = Arc::<Orders>::default();
    let element = segmenter(&orders);
    element.set_state(gst::State::Ready).unwrap();
    assert_eq!(orders.begun.load(Ordering::SeqCst), 0, "nothing is opened in READY");
    element.set_state(gst::State::Paused).unwrap();
    // The first run sets things up, and the second finds them so.
    assert_eq!(orders.begun.load(Ordering::SeqCst), 2);
    element.set_state(gst::State::Null).unwrap();
}

/// The time of the first frame against the median, for the reader; what it is held to is only that the engine was not
/// opened or set up within it, which takes many times a frame.
#[test]
fn the_first_frame_alone_takes_no_longer_than_others() {
    init();
    let element = gst::ElementFactory::make("polypsegment")
        .property("engine", engine_folder().display().to_string())
        .property("backend", "reference")
        .property_from_str("roi", "whole")
        .property_from_str("mode", "locked")
        .property("latency-budget", 1_000_000_000_u64)
        .property("frozen-after", 0_u32)
        .build()
        .unwrap();
    let mut rig = Rig::new(&element, GRAY_CAPS);
    let mut times: Vec<Duration> = (0..25)
        .map(|index| {
            let begun = Instant::now();
            rig.meta(gray((index * 9) as u8, at(index)));
            begun.elapsed()
        })
        .collect();
    let first = times.remove(0);
    times.sort();
    let median = times[times.len() / 2];
    println!("first frame {first:?}, median {median:?}: {:.2}", first.as_secs_f64() / median.as_secs_f64());
    assert!(first < median * 4 + Duration::from_millis(20), "first {first:?}, median {median:?}");
}

#[test]
fn a_hundred_flushing_seeks_leave_no_mask_of_before() {
    let segment = segmenter(&Arc::<Orders>::default());
    // Nothing holds this stream to its own pace.
    segment.set_property("max-mask-age", 10_000_000_000_u64);
    let source =
        "videotestsrc pattern=ball ! video/x-raw,format=I420,width=64,height=48,framerate=30/1 ! identity";
    let source = gst::parse::bin_from_description(source, true).unwrap();
    let sink = gst_app::AppSink::builder().sync(false).max_buffers(2).build();
    let pipeline = gst::Pipeline::new();
    let all = [source.upcast_ref(), &segment, sink.upcast_ref()];
    pipeline.add_many(all).unwrap();
    gst::Element::link_many(all).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    sink.pull_sample().unwrap();
    let mut masks = 0;
    for round in 0..100_u64 {
        let place = gst::ClockTime::from_mseconds(round * 7919 % 100_000);
        pipeline.seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, place).unwrap();
        let mut first = None;
        for _ in 0..6 {
            let sample = sink.pull_sample().unwrap();
            let meta = meta::of(sample.buffer().unwrap()).unwrap();
            let first = *first.get_or_insert(meta.sequence);
            if let Some(mask) = &meta.segmentation {
                masks += 1;
                assert!(mask.sequence >= first && mask.pts <= meta.time, "a mask of before the seek");
            }
        }
    }
    assert!(masks > 0, "no mask at all");
    let kinds = [gst::MessageType::Error, gst::MessageType::Warning];
    let said = pipeline.bus().unwrap().pop_filtered(&kinds).map(|message| crate::fixture::text_of(&message));
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(said, None);
}

#[test]
fn what_a_sink_complains_of_goes_upstream_and_frames_go_on() {
    for name in ["polypsegment", "polypoverlay", "polyplive"] {
        init();
        let element = match name {
            "polypsegment" => segmenter(&Arc::<Orders>::default()),
            "polypoverlay" => gst::ElementFactory::make(name).build().unwrap(),
            _ => live(),
        };
        let mut rig = Rig::new(&element, GRAY_CAPS);
        for index in 0..5 {
            rig.pass(gray(128, at(index)));
            let event = gst::event::Qos::new(gst::QOSType::Underflow, 9.0, 5_000_000_000, at(index));
            assert!(rig.harness.push_upstream_event(event), "{name}");
        }
        let upstream = std::iter::from_fn(|| rig.harness.try_pull_upstream_event());
        assert_eq!(upstream.filter(|event| event.type_() == gst::EventType::Qos).count(), 5, "{name}");
    }
}

/// Both elements in their bin, with an obedient engine.
fn live() -> gst::Element {
    let live = gst::ElementFactory::make("polyplive").property_from_str("roi", "whole").build().unwrap();
    obey(&live.downcast_ref::<gst::Bin>().unwrap().by_name("segment").unwrap(), &Arc::default());
    live
}

/// Memory that this process has, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

const RENEGOTIATIONS: u64 = 10_000;
const STARTS: u64 = 1_000;
/// What of them is for warming up: allocators and caches fill.
const WARM: u64 = 10;
/// What the rest may add: a fraction of a kilobyte for each round, the list of prompts in the fixture included.
const GROWTH_KIB: u64 = 2 * 1024;

/// Renegotiates and starts again and again, and prints what that adds to the process.
#[test]
#[ignore = "run by `nothing_leaks` in a process of its own, with a tracer"]
fn rounds() {
    init();
    let leak = std::env::var_os("POLYP_TEST_LEAK").is_some();
    let (renegotiations, starts) = if leak { (20, 20) } else { (RENEGOTIATIONS, STARTS) };
    {
        let element = live();
        let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
        harness.play();
        let mut before = 0;
        for round in 0..renegotiations {
            if round == RENEGOTIATIONS / WARM {
                before = resident_kib();
            }
            let size = 16 + round % 7;
            let caps = format!("video/x-raw,format=RGB,width={size},height=16,framerate=30/1");
            harness.set_src_caps_str(&caps);
            let info = gst_video::VideoInfo::from_caps(&caps.parse::<gst::Caps>().unwrap()).unwrap();
            let mut buffer = gst::Buffer::from_mut_slice(vec![(round % 251) as u8; info.size()]);
            buffer.get_mut().unwrap().set_pts(at(round));
            drop(harness.push_and_pull(buffer).unwrap());
            while harness.try_pull_event().is_some() || harness.try_pull_upstream_event().is_some() {}
        }
        println!("renegotiations: {} KiB", resident_kib().saturating_sub(before));
        let mut before = 0;
        for round in 0..starts {
            if round == STARTS / WARM {
                before = resident_kib();
            }
            let state = if round % 3 == 0 { gst::State::Null } else { gst::State::Ready };
            element.set_state(state).unwrap();
            element.set_state(gst::State::Playing).unwrap();
            harness.set_src_caps_str(GRAY_CAPS);
            drop(harness.push_and_pull(gray((round % 251) as u8, at(round))).unwrap());
            while harness.try_pull_event().is_some() || harness.try_pull_upstream_event().is_some() {}
        }
        println!("starts: {} KiB", resident_kib().saturating_sub(before));
        element.set_state(gst::State::Null).unwrap();
    }
    if leak {
        std::mem::forget(gst::Bus::new());
    }
    // SAFETY: nothing of GStreamer is used after this: the test ends here, and so does its process.
    unsafe { gst::deinit() };
}

/// The rounds in a process of their own: whether it ended well, what it printed, and the objects that were left alive.
fn traced(leak: bool) -> (bool, String, Vec<String>) {
    let kinds = "GstElement,GstPad,GstBus,GstBuffer,GstEvent,GstMessage,GstQuery,GstMemory";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "manners::rounds", "--ignored", "--nocapture"])
        .env("GST_TRACERS", format!("leaks(filters=\"{kinds}\")"))
        .env("GST_DEBUG", "GST_TRACER:7")
        .env("GST_DEBUG_NO_COLOR", "1");
    if leak {
        command.env("POLYP_TEST_LEAK", "1");
    }
    let output = command.output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    let alive = log
        .lines()
        .filter(|line| line.contains("object-alive, type-name=(string)Gst"))
        .map(str::to_owned)
        .collect();
    let said = format!("{}\n{log}", String::from_utf8_lossy(&output.stdout));
    (output.status.success(), said, alive)
}

#[test]
fn nothing_leaks() {
    let (well, said, alive) = traced(false);
    assert_eq!(alive, [""; 0]);
    assert!(well, "{}", &said[said.len().saturating_sub(3000)..]);
    for what in ["renegotiations: ", "starts: "] {
        let line = said.lines().find_map(|line| line.split_once(what)).expect(what).1;
        let grown: u64 = line.strip_suffix(" KiB").unwrap().parse().unwrap();
        println!("{what}{grown} KiB");
        assert!(grown < GROWTH_KIB, "{what}{grown} KiB in {RENEGOTIATIONS} or {STARTS} rounds");
    }
}

#[test]
fn a_leak_would_be_found() {
    let (_, said, alive) = traced(true);
    assert!(alive.iter().any(|line| line.contains("GstBus")), "{}", &said[said.len().saturating_sub(3000)..]);
}
