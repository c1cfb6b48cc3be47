//! A smaller engine, asked while the budget is missed: each mask is of the engine in force, which is said, and the prompt is the same.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstpolyp::polypsegment::{BUDGET, PolypSegment};
use polyp::session::EngineRecord;
use polyp_engine::error::EngineError;

use crate::budget::told;
use crate::fallback::refused;
use crate::fixture::{GRAY_CAPS, Rig, SIDE, at, gray};
use crate::numbered::{Works, in_force, mask_of, segmenter, sized, swap_to};
use crate::swap::settles;

/// The gray of every frame.
const LEVEL: u8 = 128;
/// The number of the smaller engine; the other has 0.
const SMALLER: u64 = 50;

/// A segmenter with a smaller engine in reserve, and the frames that pass it.
struct Flow {
    works: Arc<Works>,
    rig: Rig,
    next: u64,
}

/// A segmenter that asks an engine of that side where the budget is missed.
fn with_smaller(works: &Arc<Works>, side_px: usize, fails: bool) -> gst::Element {
    let (element, of_engine) = (segmenter(works), Arc::clone(works));
    element.set_property("smaller-engine", "/engines/smaller");
    element.set_property_from_str("budget-missed", "shrink-input");
    element.downcast_ref::<PolypSegment>().unwrap().set_smaller_engine_factory(move |backend| {
        let mut opened = sized(&of_engine, backend, SMALLER, side_px)?;
        if fails {
            let (step, message) = ("open", "as ordered".to_owned());
            opened.engine = Box::new(move || Err(EngineError::Backend { backend, step, message }));
        }
        Ok(opened)
    });
    element
}

impl Flow {
    fn new(fails: bool) -> Self {
        let works = Arc::<Works>::default();
        let rig = Rig::new(&with_smaller(&works, SIDE / 2, fails), GRAY_CAPS);
        Self { works, rig, next: 0 }
    }

    /// From here on every frame is over the budget, or none.
    fn miss(&self, missed: bool) {
        self.rig.element.set_property("budget", if missed { "segment=0.01us" } else { "segment=1000ms" });
    }

    /// One frame. True when it has a mask, which is of what is in force, as is what is recorded of it.
    fn step(&mut self) -> bool {
        let (buffer, _) = self.rig.pass(gray(LEVEL, at(self.next)));
        self.next += 1;
        let meta = gstpolyp::meta::of(&buffer).unwrap();
        let Some(mask) = &meta.segmentation else { return false };
        // What the buffer says that it is of: the engine may be exchanged as soon as the frame has been looked at.
        let EngineRecord { name, prompt, .. } = meta.engine.as_deref().unwrap();
        let number = name.strip_prefix("engine ").unwrap().parse().unwrap();
        assert_eq!(mask.probability[0], mask_of(number, prompt, LEVEL), "{name}, {prompt:?}");
        assert_eq!(mask.probability.len(), if number == SMALLER { SIDE * SIDE / 4 } else { SIDE * SIDE });
        true
    }

    /// Frames until one has a mask and that engine and prompt are in force.
    fn until(&mut self, engine: u64, prompt: &str) {
        let begun = Instant::now();
        while !self.step() || in_force(&self.rig) != (engine, prompt.to_owned()) {
            std::thread::sleep(Duration::from_millis(1));
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?} is in force", in_force(&self.rig));
        }
    }

    /// What was said to be done about the budget since the last call.
    fn doings(&self) -> Vec<String> {
        told(&self.rig, BUDGET).iter().map(|said| said.get("doing").unwrap()).collect()
    }

    /// Frames until that is said to be done.
    fn until_said(&mut self, words: &str) {
        let begun = Instant::now();
        while !self.doings().iter().any(|doing| doing.contains(words)) {
            self.step();
            std::thread::sleep(Duration::from_millis(1));
            assert!(begun.elapsed() < Duration::from_secs(60), "never said: {words}");
        }
    }
}

#[test]
fn a_smaller_engine_is_asked_while_the_budget_is_missed_and_the_other_afterwards() {
    let mut flow = Flow::new(false);
    flow.until(0, "polyp");
    let opened = || flow.works.opened.load(Ordering::SeqCst);
    settles("engines to be opened", 0, || 2 - opened() as usize);
    flow.miss(true);
    flow.until(SMALLER, "polyp");
    flow.miss(false);
    flow.until(0, "polyp");
    let doings = flow.doings();
    let expected = ["the smaller engine is asked in the other's place", "the network is asked as before"];
    assert!(doings.first().is_some_and(|doing| doing == expected[0]), "{doings:?}");
    assert!(doings.last().is_some_and(|doing| doing == expected[1]), "{doings:?}");
    // None was opened for it, and the properties name what the user wanted.
    assert_eq!((flow.works.opened.load(Ordering::SeqCst), flow.rig.stat("swaps")), (2, 2));
    assert_eq!(flow.rig.element.property::<String>("engine"), "");
    let works = Arc::clone(&flow.works);
    drop(flow);
    settles("engines", 0, || works.alive.load(Ordering::SeqCst) as usize);
}

#[test]
fn the_engine_in_reserve_follows_the_prompt_and_is_not_asked_before_it_knows_it() {
    let mut flow = Flow::new(false);
    flow.until(0, "polyp");
    let works = Arc::clone(&flow.works);
    {
        let _held = works.encoder.lock().unwrap();
        flow.rig.element.set_property("prompt", "flat 3");
        flow.miss(true);
        flow.until_said("it goes on as it is: the engine in reserve has no memory of the prompt yet");
        assert_eq!(in_force(&flow.rig), (0, "polyp".to_owned()));
    }
    flow.until(SMALLER, "flat 3");
    // The other one, in reserve now, follows as well.
    flow.rig.element.set_property("prompt", "sessile 4");
    flow.until(SMALLER, "sessile 4");
    flow.miss(false);
    flow.until(0, "sessile 4");
}

#[test]
fn an_engine_that_the_user_wants_takes_the_place_of_the_larger_one() {
    let mut flow = Flow::new(false);
    flow.until(0, "polyp");
    flow.miss(true);
    flow.until(SMALLER, "polyp");
    swap_to(&flow.rig.element, &flow.works, 7);
    let works = Arc::clone(&flow.works);
    let begun = Instant::now();
    while works.opened.load(Ordering::SeqCst) < 3 || works.alive.load(Ordering::SeqCst) > 2 {
        flow.step();
        std::thread::sleep(Duration::from_millis(1));
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?} is in force", in_force(&flow.rig));
    }
    flow.miss(false);
    flow.until(7, "polyp");
    flow.miss(true);
    flow.until(SMALLER, "polyp");
    assert_eq!(works.opened.load(Ordering::SeqCst), 3, "and the smaller one is still the same");
}

#[test]
fn one_that_can_not_be_made_ready_is_said_and_the_other_goes_on() {
    let mut flow = Flow::new(true);
    flow.until(0, "polyp");
    let (begun, mut warnings) = (Instant::now(), Vec::new());
    while warnings.is_empty() {
        flow.step();
        warnings = flow.rig.messages(gst::MessageType::Warning);
        assert!(begun.elapsed() < Duration::from_secs(60), "never said");
    }
    let said = |words: &str| warnings.iter().filter(|warning| warning.contains(words)).count();
    assert_eq!(said("property smaller-engine: "), 1, "{warnings:?}");
    assert_eq!(said("as ordered; where the budget is missed the larger engine goes on"), 1, "{warnings:?}");
    flow.miss(true);
    flow.until_said("it goes on as it is: there is no smaller engine: ");
    flow.until(0, "polyp");
    assert!(flow.rig.messages(gst::MessageType::Warning).is_empty(), "once");
}

#[test]
fn one_that_is_not_smaller_or_not_named_is_refused_at_the_start() {
    let works = Arc::<Works>::default();
    let as_large = refused(&with_smaller(&works, SIDE, false));
    let expected = "property smaller-engine: expected an engine with an input of less than 64 px, as the other has, found one of 64 px";
    assert!(as_large.contains(expected), "{as_large}");
    let element = segmenter(&works);
    element.set_property_from_str("budget-missed", "shrink-input");
    let unnamed = refused(&element);
    assert!(
        unnamed.contains("property smaller-engine: expected the folder of an engine with a smaller input"),
        "{unnamed}"
    );
}
