//! Another prompt and another engine while the picture runs: no frame is lost, each mask is of what is in force, and what can
//! not be made leaves what is in force alone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstpolyp::polypsegment::{COMPARISON, Opened};
use polyp_engine::error::EngineError;

use crate::fixture::{GRAY_CAPS, Rig, gray, init, with_factory};
use crate::numbered::{Works, close, in_force, is_of_what_is_in_force, opened, segmenter, swap_to};

/// The gray of every frame: masks are held.
const LEVEL: u8 = 128;

/// Frames through a rig, each looked at.
struct Flow {
    rig: Rig,
    next: u64,
}

impl Flow {
    fn new(works: &Arc<Works>) -> Self {
        Self { rig: Rig::new(&segmenter(works), GRAY_CAPS), next: 0 }
    }

    /// One frame. True when it has a mask, which is of what is in force.
    fn step(&mut self) -> bool {
        let time = close(self.next);
        let (buffer, _) = self.rig.pass(gray(LEVEL, time));
        assert_eq!(buffer.pts(), Some(time));
        let meta = gstpolyp::meta::of(&buffer).unwrap();
        assert_eq!(meta.sequence, self.next, "in order, and none is lost");
        self.next += 1;
        is_of_what_is_in_force(&self.rig, &meta, LEVEL)
    }

    /// Frames until one has a mask and `so` is true.
    fn until(&mut self, so: impl Fn(&Rig) -> bool) {
        let begun = Instant::now();
        while !self.step() || !so(&self.rig) {
            std::thread::yield_now();
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?} is in force", in_force(&self.rig));
        }
    }

    fn frames(&mut self, count: u64) {
        for _ in 0..count {
            self.step();
        }
    }
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Waits until `count` is not above `limit` any more.
pub(crate) fn settles(what: &str, limit: usize, count: impl Fn() -> usize) {
    let begun = Instant::now();
    while count() > limit {
        std::thread::sleep(Duration::from_millis(5));
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}: {} and not {limit}", count());
    }
}

#[test]
fn a_thousand_engines_one_after_another_cost_no_frame() {
    for mode in ["live", "locked"] {
        let works = Arc::<Works>::default();
        let mut flow = Flow::new(&works);
        flow.rig.element.set_property_from_str("mode", mode);
        flow.rig.element.set_property("latency-budget", 1_000_000_000_u64);
        flow.until(|rig| in_force(rig).0 == 0);
        let mut with_few = 0;
        for number in 1..=1000 {
            swap_to(&flow.rig.element, &works, number);
            flow.until(|rig| in_force(rig).0 == number);
            if number == 10 {
                settles("engines", 1, || works.alive.load(Ordering::SeqCst) as usize);
                with_few = threads();
            }
        }
        settles("engines", 1, || works.alive.load(Ordering::SeqCst) as usize);
        settles("threads", with_few, threads);
        assert_eq!((flow.rig.stat("frames"), flow.rig.stat("swaps")), (flow.next, 1000), "{mode}");
        assert_eq!(flow.rig.messages(gst::MessageType::Warning), [""; 0], "{mode}");
        assert_eq!(flow.rig.element.property::<String>("engine"), "/engines/1000");
        flow.rig.element.set_state(gst::State::Null).unwrap();
        settles("engines", 0, || works.alive.load(Ordering::SeqCst) as usize);
    }
}

#[test]
fn a_thousand_prompts_one_after_another_cost_no_frame() {
    let works = Arc::<Works>::default();
    let mut flow = Flow::new(&works);
    flow.until(|rig| in_force(rig).1 == "polyp");
    let mut with_few = 0;
    for number in 1..=1000 {
        // Every other one was in force lately.
        let prompt = format!("lesion {}", if number % 2 == 0 { number } else { number / 8 });
        flow.rig.element.set_property("prompt", &prompt);
        flow.until(|rig| in_force(rig).1 == prompt);
        if number == 10 {
            with_few = threads();
        }
    }
    settles("threads", with_few, threads);
    assert_eq!((flow.rig.stat("frames"), flow.rig.stat("swaps")), (flow.next, 0));
    assert_eq!(flow.rig.messages(gst::MessageType::Warning), [""; 0]);
}

#[test]
fn properties_that_change_faster_than_engines_are_made_end_in_the_last() {
    let works = Arc::<Works>::default();
    let mut flow = Flow::new(&works);
    flow.until(|_| true);
    for number in 1..=300 {
        swap_to(&flow.rig.element, &works, number);
        flow.rig.element.set_property("prompt", format!("lesion {number}"));
        if number % 7 == 0 {
            flow.step();
        }
    }
    flow.until(|rig| in_force(rig) == (300, "lesion 300".to_owned()));
    // The newest takes the place of those that were not begun, so that only a few are there at once.
    flow.frames(20);
    settles("engines", 1, || works.alive.load(Ordering::SeqCst) as usize);
    assert_eq!(in_force(&flow.rig), (300, "lesion 300".to_owned()));
    assert_eq!(flow.rig.messages(gst::MessageType::Warning), [""; 0]);
    assert_eq!(flow.rig.stat("frames"), flow.next);
}

#[test]
fn the_picture_does_not_wait_for_the_text_encoder() {
    let works = Arc::<Works>::default();
    let mut flow = Flow::new(&works);
    flow.until(|_| true);
    let held = works.encoder.lock().unwrap();
    flow.rig.element.set_property("prompt", "lesion 1");
    flow.frames(50);
    assert_eq!(in_force(&flow.rig).1, "polyp", "the old one goes on");
    drop(held);
    flow.until(|rig| in_force(rig).1 == "lesion 1");

    // One that was in force before is in force with the next frame, whatever the text encoder does, and nothing that was
    // wanted in between comes after it.
    let (made, held) = (works.remembered.load(Ordering::SeqCst), works.encoder.lock().unwrap());
    flow.rig.element.set_property("prompt", "lesion 2");
    flow.rig.element.set_property("prompt", "");
    flow.step();
    assert_eq!(in_force(&flow.rig).1, "polyp");
    drop(held);
    flow.frames(50);
    flow.until(|_| works.remembered.load(Ordering::SeqCst) <= made + 1);
    assert_eq!(in_force(&flow.rig).1, "polyp");
}

#[test]
fn back_to_the_engine_in_force_leaves_it_there() {
    let works = Arc::<Works>::default();
    let mut flow = Flow::new(&works);
    flow.until(|_| true);
    flow.rig.element.set_property("engine", "");
    let held = works.encoder.lock().unwrap();
    swap_to(&flow.rig.element, &works, 1);
    flow.frames(3);
    flow.rig.element.set_property("engine", "");
    drop(held);
    flow.frames(50);
    assert_eq!((in_force(&flow.rig).0, flow.rig.stat("swaps")), (0, 0));
    let said = flow.rig.messages(gst::MessageType::Progress);
    assert_eq!(said.last().unwrap(), "the engine in force is wanted again");
}

/// Wants an engine that `factory` makes: one warning with these words, and all is as it was.
fn refuses(
    words: &str,
    factory: impl Fn(&Arc<Works>, &'static str) -> Result<Opened, EngineError> + Send + Sync + 'static,
) {
    let works = Arc::<Works>::default();
    let mut flow = Flow::new(&works);
    flow.rig.element.set_property("prompt", "lesion 5");
    flow.until(|rig| in_force(rig).1 == "lesion 5");
    let of_factory = Arc::clone(&works);
    with_factory(&flow.rig.element, move |backend| factory(&of_factory, backend));
    let element = flow.rig.element.clone();
    swap_to(&element, &works, 1);
    flow.until(|_| element.property::<String>("engine").is_empty());
    flow.frames(50);
    assert_eq!((in_force(&flow.rig), flow.rig.stat("swaps")), ((0, "lesion 5".to_owned()), 0));
    let said = flow.rig.said(&[gst::MessageType::Warning, gst::MessageType::Progress]);
    let warnings: Vec<_> = said.iter().filter(|(kind, _)| *kind == gst::MessageType::Warning).collect();
    assert!(matches!(&warnings[..], [(_, one)] if one.contains(words)), "{said:?}");
    assert!(warnings[0].1.ends_with("; engine \"engine 0\" stays in force"), "{said:?}");
    assert_eq!(flow.rig.stat("frames"), flow.next);
    settles("engines", 1, || works.alive.load(Ordering::SeqCst) as usize);
}

#[test]
fn an_engine_that_is_not_there_is_refused() {
    refuses("this program was built without", |_, backend| {
        Err(EngineError::Feature { backend, feature: "fixture" })
    });
}

#[test]
fn an_engine_that_does_not_open_is_refused() {
    refuses("backend fixture, opening: as ordered", |works, backend| {
        let (step, message) = ("opening", "as ordered".to_owned());
        let engine = Box::new(move || Err(EngineError::Backend { backend: "fixture", step, message }));
        Ok(Opened { engine, ..opened(works, backend)? })
    });
}

#[test]
fn an_engine_that_can_not_be_prepared_is_refused() {
    refuses("backend fixture, building: as ordered", |works, backend| {
        let (step, message) = ("building", "as ordered".to_owned());
        let prepare = Some(Box::new(move |_: gstpolyp::polypsegment::Hear<'_>| {
            Err(EngineError::Backend { backend: "fixture", step, message })
        }) as _);
        Ok(Opened { prepare, ..opened(works, backend)? })
    });
}

#[test]
fn an_engine_that_fails_its_warm_up_is_refused() {
    refuses("backend fixture, infer: as ordered", |_, backend| {
        let broken = Arc::<Works>::default();
        broken.fail.store(true, Ordering::SeqCst);
        opened(&broken, backend)
    });
}

#[test]
fn an_engine_that_panics_is_refused() {
    refuses("the engine panicked while it was opened", |_, _| panic!("as ordered"));
}

#[test]
fn an_engine_without_the_prompt_in_force_is_refused() {
    refuses("prompt memory, text: expected words that are known", |works, backend| {
        let remember = opened(works, backend)?.remember;
        Ok(Opened { remember: Arc::new(move |_| remember(Some("unknown"))), ..opened(works, backend)? })
    });
}

#[test]
fn a_prompt_that_is_refused_while_an_engine_is_made_does_not_come_with_it() {
    let works = Arc::<Works>::default();
    let mut flow = Flow::new(&works);
    flow.until(|_| true);
    let held = works.encoder.lock().unwrap();
    swap_to(&flow.rig.element, &works, 1);
    flow.rig.element.set_property("prompt", "unknown");
    flow.frames(3);
    drop(held);
    flow.until(|rig| in_force(rig).0 == 1);
    flow.frames(50);
    assert_eq!(in_force(&flow.rig), (1, "polyp".to_owned()));
    assert_eq!(flow.rig.element.property::<String>("prompt"), "polyp");
    let warnings = flow.rig.messages(gst::MessageType::Warning);
    assert!(warnings.iter().any(|text| text.contains("still asked for \"polyp\"")), "{warnings:?}");
}

/// The comparison on the bus.
fn comparison(rig: &Rig) -> gst::Structure {
    let all = std::iter::from_fn(|| rig.bus.pop_filtered(&[gst::MessageType::Element]));
    let mut all: Vec<_> = all.filter_map(|message| message.structure().map(ToOwned::to_owned)).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].name(), COMPARISON);
    all.remove(0)
}

#[test]
fn two_engines_are_compared_on_the_same_frames_before_the_one_takes_over() {
    // Engine 0 sees no polyp; engines 1 and 2 are above and below one half.
    for (number, dice, disagreement) in [(2, 0.0, 1.0), (1, 1.0, 0.0)] {
        let works = Arc::<Works>::default();
        let mut flow = Flow::new(&works);
        flow.rig.element.set_property("compare-frames", 5_u32);
        flow.until(|_| true);
        swap_to(&flow.rig.element, &works, number);
        flow.until(|rig| {
            // At a pace: frames that can not be compared count too, to have an end.
            std::thread::sleep(Duration::from_millis(1));
            in_force(rig).0 == number
        });
        let said = comparison(&flow.rig);
        assert_eq!(said.get::<u32>("frames"), Ok(5));
        assert_eq!((said.get("old"), said.get("new")), (Ok("engine 0"), Ok(&*format!("engine {number}"))));
        assert_eq!((said.get("dice-mean"), said.get("disagreement-mean")), (Ok(dice), Ok(disagreement)));
        assert!(said.has_field("old-infer-mean") && said.has_field("new-infer-mean"));
        // Its masks are there from the first frame on: it has seen frames.
        assert!(flow.step());
    }
}

#[test]
fn a_comparison_asks_the_new_engine_only_when_it_is_idle_and_never_holds_up_the_picture() {
    let works = Arc::<Works>::default();
    let mut flow = Flow::new(&works);
    flow.rig.element.set_property("compare-frames", 100_u32);
    flow.until(|_| true);
    let held = works.hold(1);
    swap_to(&flow.rig.element, &works, 1);
    while works.at_gate.load(Ordering::SeqCst) == 0 {
        flow.step();
    }
    // In the middle of its first frame it sees no other, and the old engine's masks go on.
    flow.frames(20);
    assert_eq!((works.at_gate.load(Ordering::SeqCst), in_force(&flow.rig).0), (1, 0));
    drop(held);
    flow.until(|rig| {
        // At a pace: frames that can not be compared count too, to have an end.
        std::thread::sleep(Duration::from_millis(1));
        in_force(rig).0 == 1
    });
    assert_eq!(comparison(&flow.rig).get::<u32>("frames"), Ok(100));
    assert!(works.at_gate.load(Ordering::SeqCst) >= 100);
}

#[test]
fn an_engine_that_never_answers_or_fails_while_it_is_compared_is_refused() {
    let works = Arc::<Works>::default();
    let mut flow = Flow::new(&works);
    flow.rig.element.set_property("compare-frames", 3_u32);
    flow.until(|_| true);
    let held = works.hold(1);
    swap_to(&flow.rig.element, &works, 1);
    let element = flow.rig.element.clone();
    flow.until(|_| element.property::<String>("engine").is_empty());
    drop(held);
    let warnings = flow.rig.messages(gst::MessageType::Warning);
    assert!(matches!(&warnings[..], [one] if one.contains("did not answer while")), "{warnings:?}");
    flow.frames(20);
    assert_eq!((in_force(&flow.rig).0, flow.rig.stat("swaps")), (0, 0));
    settles("engines", 1, || works.alive.load(Ordering::SeqCst) as usize);
}

#[test]
fn stopping_in_the_middle_of_a_swap_leaves_nothing_behind() {
    let works = Arc::<Works>::default();
    for number in 1..=30 {
        let mut flow = Flow::new(&works);
        flow.rig.element.set_property("compare-frames", 1000_u32);
        flow.until(|_| true);
        swap_to(&flow.rig.element, &works, number);
        flow.frames(number * 3 % 17);
        flow.rig.element.set_state(gst::State::Null).unwrap();
        drop(flow);
        settles("engines", 0, || works.alive.load(Ordering::SeqCst) as usize);
    }
}

#[test]
fn with_none_in_force_an_engine_comes_into_force_too() {
    init();
    let works = Arc::<Works>::default();
    let element = gst::ElementFactory::make("polypsegment")
        .property_from_str("roi", "whole")
        .property("enabled", false)
        .property("max-mask-age", 10_000_000_000_u64)
        .property("frozen-after", 0_u32)
        .property("motion-compensation", false)
        .build()
        .unwrap();
    let mut flow = Flow { rig: Rig::new(&element, GRAY_CAPS), next: 0 };
    let of_factory = Arc::clone(&works);
    with_factory(&element, move |backend| opened(&of_factory, backend));
    swap_to(&element, &works, 7);
    element.set_property("enabled", true);
    flow.until(|rig| in_force(rig).0 == 7);
}
