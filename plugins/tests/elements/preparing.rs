//! An engine that has to be prepared is prepared beside the picture, which passes meanwhile and says so.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstpolyp::polypsegment::{Hear, Opened};
use polyp::overlay::Badge;
use polyp_engine::engine::Progress;
use polyp_engine::error::EngineError;

use crate::fixture::{
    GRAY_CAPS, Orders, Rig, at, bytes, gray, is_held, opened, segmenter, text_of, with_factory,
};

/// What a preparation does next.
pub(crate) enum Next {
    Tell(usize),
    Succeed,
    Fail,
    Panic,
}

/// The orders of one preparation, given to it while it goes on.
pub(crate) fn preparation() -> (SyncSender<Next>, Arc<Mutex<Receiver<Next>>>) {
    let (to, from) = sync_channel(64);
    (to, Arc::new(Mutex::new(from)))
}

/// Follows those orders; without anybody who gives them it succeeds.
fn prepare(orders: &Mutex<Receiver<Next>>, hear: Hear<'_>) -> Result<(), EngineError> {
    loop {
        match orders.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).recv() {
            Ok(Next::Tell(done)) => hear(Progress { phase: "Building engine".to_owned(), done, steps: 6 }),
            Ok(Next::Fail) => {
                let (backend, step, message) = ("fixture", "building", "as ordered".to_owned());
                return Err(EngineError::Backend { backend, step, message });
            }
            Ok(Next::Panic) => panic!("as ordered"),
            Ok(Next::Succeed) | Err(_) => return Ok(()),
        }
    }
}

/// An engine on that backend that follows `orders`, after a preparation that follows its own.
pub(crate) fn slow(
    orders: &Arc<Orders>,
    backend: &'static str,
    preparation: &Arc<Mutex<Receiver<Next>>>,
) -> Result<Opened, EngineError> {
    let preparation = Arc::clone(preparation);
    let prepare = Some(Box::new(move |hear: Hear<'_>| prepare(&preparation, hear)) as _);
    Ok(Opened { prepare, ..opened(orders, backend)? })
}

/// A `polypsegment` whose engine follows `orders`, and whose masks are never too late: a busy machine's warnings are not
/// what is looked for.
pub(crate) fn patient(orders: &Arc<Orders>) -> gst::Element {
    let element = segmenter(orders);
    element.set_property("max-mask-age", 10_000_000_000_u64);
    element
}

/// A `polypsegment` whose engine has to be prepared, not started, and what orders the preparation.
fn slow_segmenter(orders: &Arc<Orders>) -> (gst::Element, SyncSender<Next>) {
    let element = patient(orders);
    let (to, preparation) = preparation();
    let orders = Arc::clone(orders);
    with_factory(&element, move |backend| slow(&orders, backend, &preparation));
    (element, to)
}

/// Pushes frames of many grays from number `first` on; each has to come out as it went in, with that badge.
pub(crate) fn pass_as_they_are(rig: &mut Rig, numbers: std::ops::Range<u64>, badge: Badge) {
    for index in numbers {
        let sent = gray(index as u8, at(index));
        let (pixels, pts) = (bytes(&sent), sent.pts());
        let (got, _) = rig.pass(sent);
        assert_eq!((bytes(&got), got.pts()), (pixels, pts), "frame {index}");
        let meta = gstpolyp::meta::of(&got).unwrap();
        assert_eq!((meta.badge, meta.sequence), (badge, index));
        assert!(meta.segmentation.is_none());
    }
}

#[test]
fn the_picture_passes_while_an_engine_is_prepared_and_then_has_masks() {
    for mode in ["live", "locked"] {
        let orders = Arc::<Orders>::default();
        let (element, preparation) = slow_segmenter(&orders);
        element.set_property_from_str("mode", mode);
        element.set_property("latency-budget", 500_000_000_u64);
        let mut rig = Rig::new(&element, GRAY_CAPS);
        pass_as_they_are(&mut rig, 0..60, Badge::Starting);
        let stats = element.property::<gst::Structure>("stats");
        assert_eq!((rig.stat("frames"), rig.stat("starting"), rig.stat("asked")), (60, 60, 0), "{mode}");
        assert_eq!(stats.get::<String>("prompt").unwrap(), "polyp");
        assert!(!stats.has_field("backend"), "nothing runs yet");

        preparation.send(Next::Succeed).unwrap();
        let (next, meta) = rig.until(60, |meta| meta.segmentation.is_some());
        assert!(meta.segmentation.as_ref().unwrap().sequence >= 60, "{mode}");
        assert_eq!(rig.stat("frames"), next, "{mode}: no frame was lost");
        let stats = element.property::<gst::Structure>("stats");
        assert_eq!(stats.get::<String>("backend").unwrap(), "openvino");
        assert_eq!(rig.messages(gst::MessageType::Warning), [""; 0], "{mode}");
    }
}

#[test]
fn progress_is_told_in_its_order() {
    let (element, preparation) = slow_segmenter(&Arc::default());
    let mut rig = Rig::new(&element, GRAY_CAPS);
    for done in 1..=6 {
        preparation.send(Next::Tell(done)).unwrap();
    }
    preparation.send(Next::Succeed).unwrap();
    rig.until(0, is_held);
    let (mut kinds, mut texts) = (Vec::new(), Vec::new());
    for message in std::iter::from_fn(|| rig.bus.pop()) {
        if let gst::MessageView::Progress(progress) = message.view() {
            let (kind, code, text) = progress.get();
            assert_eq!((code, message.src()), ("prepare", Some(element.upcast_ref())));
            kinds.push(kind);
            texts.push(text.to_owned());
        }
    }
    let (first, last) = (texts.remove(0), texts.pop().unwrap());
    assert_eq!(first, "backend openvino: making the engine ready");
    assert_eq!(last, "backend openvino: the engine is ready");
    // How many come through in between depends on the time that they took.
    assert_eq!(texts[0], "Building engine: 1 of 6");
    assert!(texts.is_sorted() && texts.iter().all(|text| text.ends_with(" of 6")), "{texts:?}");
    assert_eq!(
        (kinds.remove(0), kinds.pop().unwrap()),
        (gst::ProgressType::Start, gst::ProgressType::Complete)
    );
    assert!(kinds.iter().all(|kind| *kind == gst::ProgressType::Continue), "{kinds:?}");
}

/// Breaks a preparation in that way: one PROGRESS that ends it, one WARNING, and the picture goes on.
fn breaks(order: Next, words: &str) {
    let (element, preparation) = slow_segmenter(&Arc::default());
    let mut rig = Rig::new(&element, GRAY_CAPS);
    pass_as_they_are(&mut rig, 0..5, Badge::Starting);
    preparation.send(order).unwrap();
    let (next, _) = rig.until(5, |meta| meta.badge == Badge::Fault);
    pass_as_they_are(&mut rig, next..next + 60, Badge::Fault);
    let said = rig.said(&[gst::MessageType::Progress, gst::MessageType::Warning, gst::MessageType::Error]);
    let kinds: Vec<_> = said.iter().map(|(kind, _)| *kind).collect();
    let (progress, warning) = (gst::MessageType::Progress, gst::MessageType::Warning);
    assert_eq!(kinds, [progress, progress, warning], "{said:?}");
    assert!(said[1].1.contains(words) && said[2].1.contains(words), "{said:?}");
    assert!(said[2].1.ends_with("; the picture goes on without a mask"), "{said:?}");
    assert_eq!(rig.stat("frames"), next + 60, "no frame was lost");
}

#[test]
fn a_preparation_that_fails() {
    breaks(Next::Fail, "backend fixture, building: as ordered");
}

#[test]
fn a_preparation_that_panics() {
    breaks(Next::Panic, "engine: panicked while preparing: as ordered");
}

#[test]
fn stopping_does_not_wait_for_a_preparation_alone() {
    let (element, preparation) = slow_segmenter(&Arc::default());
    let mut rig = Rig::new(&element, GRAY_CAPS);
    pass_as_they_are(&mut rig, 0..3, Badge::Starting);
    let begun = Instant::now();
    element.set_state(gst::State::Ready).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    drop(preparation);
}

#[test]
fn what_an_older_preparation_comes_to_is_neither_said_nor_taken_up() {
    for end in [Next::Succeed, Next::Fail, Next::Panic] {
        let orders = Arc::<Orders>::default();
        let element = patient(&orders);
        let (first, first_orders) = preparation();
        let (second, second_orders) = preparation();
        let left = Mutex::new(vec![second_orders, Arc::clone(&first_orders)]);
        with_factory(&element, move |backend| slow(&orders, backend, &left.lock().unwrap().pop().unwrap()));
        let mut rig = Rig::new(&element, GRAY_CAPS);
        pass_as_they_are(&mut rig, 0..3, Badge::Starting);
        element.set_state(gst::State::Ready).unwrap();
        let said = rig.messages(gst::MessageType::Progress);
        assert_eq!(said.last().unwrap(), "stopped before the engine was ready");

        element.set_state(gst::State::Playing).unwrap();
        rig.harness.set_src_caps_str(GRAY_CAPS);
        assert_eq!(rig.messages(gst::MessageType::Progress), ["backend openvino: making the engine ready"]);
        first.send(Next::Tell(1)).unwrap();
        first.send(end).unwrap();
        // The first preparation's thread is gone when nobody else holds its orders.
        let waited = Instant::now();
        while Arc::strong_count(&first_orders) > 1 && waited.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(Arc::strong_count(&first_orders), 1);
        pass_as_they_are(&mut rig, 0..3, Badge::Starting);
        assert_eq!(rig.said(&[gst::MessageType::Progress, gst::MessageType::Warning]), []);
        second.send(Next::Succeed).unwrap();
        rig.until(3, is_held);
    }
}

#[test]
fn a_prompt_that_changes_meanwhile_is_asked_about_from_the_first_frame() {
    let orders = Arc::<Orders>::default();
    let (element, preparation) = slow_segmenter(&orders);
    let mut rig = Rig::new(&element, GRAY_CAPS);
    pass_as_they_are(&mut rig, 0..3, Badge::Starting);
    // A prompt that is refused says which one is in force: until it is the new one, that one was not made in time.
    let is_made = (1..10).any(|round| {
        element.set_property("prompt", "a flat lesion");
        std::thread::sleep(Duration::from_millis(20 * round));
        element.set_property("prompt", "unknown");
        let limit = gst::ClockTime::from_seconds(20);
        let warning = rig.bus.timed_pop_filtered(limit, &[gst::MessageType::Warning]);
        let text = text_of(&warning.unwrap());
        assert!(text.contains("\"unknown\": prompt memory, text: expected words"), "{text}");
        text.contains("still asked for \"a flat lesion\"")
    });
    assert!(is_made);
    assert_eq!(element.property::<String>("prompt"), "a flat lesion");
    preparation.send(Next::Succeed).unwrap();
    rig.until(3, is_held);
    let prompts = orders.prompts.lock().unwrap().clone();
    // The worker warms up on the prompt of the start.
    assert!(prompts.iter().skip(1).all(|prompt| prompt == "a flat lesion"), "{prompts:?}");
    assert!(prompts.len() > 1);
    let stats = element.property::<gst::Structure>("stats");
    assert_eq!(stats.get::<String>("prompt").unwrap(), "a flat lesion");
}

#[test]
fn a_wrong_prompt_is_refused_before_anything_is_prepared() {
    let (element, preparation) = slow_segmenter(&Arc::default());
    element.set_property("prompt", "unknown");
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Paused).is_err());
    let text = text_of(&bus.pop_filtered(&[gst::MessageType::Error]).unwrap());
    assert!(text.contains("expected words that are known"), "{text}");
    drop(preparation);
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn the_overlay_says_so_even_where_a_healthy_badge_is_hidden() {
    let (segment, preparation) = slow_segmenter(&Arc::default());
    let overlay = gst::ElementFactory::make("polypoverlay").property("badge", false).build().unwrap();
    let bin = gst::Bin::new();
    bin.add_many([&segment, &overlay]).unwrap();
    segment.link(&overlay).unwrap();
    for (name, element) in [("sink", &segment), ("src", &overlay)] {
        let pad = element.static_pad(name).unwrap();
        bin.add_pad(&gst::GhostPad::with_target(&pad).unwrap()).unwrap();
    }
    let caps = "video/x-raw,format=RGB,width=320,height=240,framerate=30/1";
    let mut rig = Rig::new(bin.upcast_ref(), caps);
    let mut sent = gst::Buffer::from_mut_slice(vec![100_u8; 320 * 240 * 3]);
    sent.get_mut().unwrap().set_pts(at(0));
    let (got, _) = rig.pass(sent);
    let painted = bytes(&got).chunks(3).filter(|pixel| **pixel != [100; 3]).count();
    assert!(painted > 100, "{painted} pixels of the badge");
    drop(preparation);
}
