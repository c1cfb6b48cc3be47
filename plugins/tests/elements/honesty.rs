//! The overlay never lies: over random schedules of frames, answers, failures, silences, flushes, other caps, other
//! prompts, jumps of time and restarts with another engine, of two streams at once.
//!
//! Every mask carries in its cells of which picture, stream, prompt and engine it is. Time is the streams' own, so a
//! schedule takes as long as the elements' own work and no longer.
//!
//! Not here: painting (`untouched.rs`), and how long anything takes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use gst::prelude::*;
use gstpolyp::meta::{self, FrameMeta, badge_name};
use polyp::overlay::Badge;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::fixture::{Rig, bytes, init, with_factory};
use crate::puppet::{Order, PROMPTS, SIDE, cell, level, puppet};

const LIMIT: Duration = Duration::from_millis(120);
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 30);
const CAPS: [&str; 2] = [
    "video/x-raw,format=RGB,width=4,height=4,framerate=30/1",
    "video/x-raw,format=RGB,width=8,height=4,framerate=30/1",
];
/// Steps of a schedule, at most; so many orders fit into their queue.
const LONGEST: usize = 60;
/// So many repeats, and the picture is frozen.
const FROZEN_AFTER: u32 = 3;

/// What a schedule does to one of its streams.
#[derive(Clone, Debug)]
enum Step {
    /// A frame comes, so many nanoseconds after the one before (or before it); the same picture as that one, or another.
    Frame {
        after: i64,
        same: bool,
    },
    Order(Order),
    Flush,
    Caps(usize),
    Prompt(usize),
    Locked(bool),
    Enabled(bool),
    /// To READY and back, with another engine.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let frame = FRAME.as_nanos() as i64;
    let after = prop_oneof![
        12 => Just(frame),
        2 => 0..frame * 5,
        1 => -frame * 5..0,
        1 => Just(3_600_000_000_000),
        1 => Just(-3_600_000_000_000),
    ];
    let order = prop_oneof![8 => Just(Order::Answer), 1 => Just(Order::Fail), 1 => Just(Order::NotANumber)];
    prop_oneof![
        24 => (after, prop::bool::weighted(0.3)).prop_map(|(after, same)| Step::Frame { after, same }),
        4 => Just(Step::Frame { after: frame, same: true }),
        20 => order.prop_map(Step::Order),
        1 => Just(Step::Flush),
        1 => (0..CAPS.len()).prop_map(Step::Caps),
        1 => (0..PROMPTS.len()).prop_map(Step::Prompt),
        2 => any::<bool>().prop_map(Step::Locked),
        1 => prop::bool::weighted(0.7).prop_map(Step::Enabled),
        1 => Just(Step::Restart),
    ]
}

/// A frame that went in.
struct Sent {
    time: Duration,
    /// Counts everything after which no mask of before may be shown.
    epoch: u64,
    picture: usize,
}

/// One stream, and what is known of it.
struct Stream {
    number: usize,
    rig: Rig,
    orders: Option<Sender<Order>>,
    next_orders: Arc<std::sync::Mutex<Option<Receiver<Order>>>>,
    done: Arc<AtomicU64>,
    engine: Arc<AtomicU64>,
    sent: Vec<Sent>,
    epoch: u64,
    caps: usize,
    time: Duration,
    picture: usize,
    /// The last picture that the element has looked at, and how often it has come again.
    looked: Option<(usize, u32)>,
    enabled: bool,
    locked: bool,
}

impl Stream {
    fn new(number: usize) -> Self {
        init();
        let element = gst::ElementFactory::make("polypsegment")
            .property_from_str("roi", "whole")
            .property("frozen-after", FROZEN_AFTER)
            .property("motion-compensation", false)
            .property("max-mask-age", LIMIT.as_nanos() as u64)
            .build()
            .unwrap();
        let (to, from) = bounded(LONGEST);
        let next_orders = Arc::new(std::sync::Mutex::new(Some(from)));
        let (done, engine) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        {
            let (orders, done, engine) = (Arc::clone(&next_orders), Arc::clone(&done), Arc::clone(&engine));
            with_factory(&element, move |_backend| {
                let number = engine.load(Ordering::SeqCst) as usize % 4;
                puppet(orders.lock().unwrap().take().unwrap(), Arc::clone(&done), number)
            });
        }
        let rig = Rig::new(&element, CAPS[0]);
        Self {
            number,
            rig,
            orders: Some(to),
            next_orders,
            done,
            engine,
            sent: Vec::new(),
            epoch: 0,
            caps: 0,
            time: Duration::from_secs(7200),
            picture: 0,
            looked: None,
            enabled: true,
            locked: false,
        }
    }

    fn orders_left(&self) -> usize {
        self.orders.as_ref().map_or(0, Sender::len)
    }

    /// Lets the engine finish what it has been told to, so that schedules have answers in them. What must not be shown
    /// must not be shown whether this has come to its end or not.
    fn settle(&self) {
        let begun = Instant::now();
        let asked = self.rig.stat("asked");
        while self.orders_left() > 0
            && asked > self.done.load(Ordering::SeqCst)
            && begun.elapsed() < Duration::from_millis(5)
        {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(30));
    }

    fn take(&mut self, step: &Step, seen: &Seen) {
        match *step {
            Step::Frame { after, same } => self.frame(after, same, seen),
            Step::Order(order) => {
                self.orders.as_ref().unwrap().send(order).unwrap();
                self.settle();
            }
            Step::Flush => {
                self.rig.harness.push_event(gst::event::FlushStart::new());
                self.rig.harness.push_event(gst::event::FlushStop::new(true));
                let segment = gst::FormattedSegment::<gst::ClockTime>::new();
                self.rig.harness.push_event(gst::event::Segment::new(&segment));
                self.forget();
            }
            Step::Caps(caps) => {
                // The same caps again are no other caps.
                if caps != self.caps {
                    self.caps = caps;
                    self.rig.harness.set_src_caps_str(CAPS[caps]);
                    self.forget();
                }
            }
            Step::Prompt(prompt) => self.rig.element.set_property("prompt", PROMPTS[prompt]),
            Step::Locked(locked) => {
                self.locked = locked;
                self.rig.element.set_property_from_str("mode", if locked { "locked" } else { "live" });
            }
            Step::Enabled(enabled) => {
                self.enabled = enabled;
                self.rig.element.set_property("enabled", enabled);
            }
            Step::Restart => self.restart(),
        }
    }

    fn forget(&mut self) {
        self.epoch += 1;
        self.looked = None;
    }

    fn restart(&mut self) {
        // The engine waits no longer: what it is on becomes an error.
        self.orders = None;
        self.rig.element.set_state(gst::State::Ready).unwrap();
        let (to, from) = bounded(LONGEST);
        *self.next_orders.lock().unwrap() = Some(from);
        self.orders = Some(to);
        self.engine.fetch_add(1, Ordering::SeqCst);
        self.done.store(0, Ordering::SeqCst);
        self.rig.element.set_state(gst::State::Playing).unwrap();
        self.rig.harness.set_src_caps_str(CAPS[self.caps]);
        self.sent.clear();
        self.forget();
    }

    /// Whether the present picture is one of a dead source. Switched off, the element does not look.
    fn is_frozen(&mut self) -> bool {
        if !self.enabled {
            return false;
        }
        let again = self.looked.filter(|(picture, _)| *picture == self.picture);
        let repeats = again.map_or(0, |(_, repeats)| repeats + 1);
        self.looked = Some((self.picture, repeats));
        repeats >= FROZEN_AFTER
    }

    fn frame(&mut self, after: i64, same: bool, seen: &Seen) {
        let step = Duration::from_nanos(after.unsigned_abs());
        let time = if after < 0 { self.time.saturating_sub(step) } else { self.time + step };
        if !self.sent.is_empty() && (time <= self.time || time - self.time > LIMIT) {
            self.epoch += 1;
        }
        if !same {
            self.picture = (self.picture + 1) % 4;
        }
        self.time = time;
        let frozen = self.is_frozen();
        if frozen {
            self.epoch += 1;
        }
        if self.locked {
            // Without orders for this frame and the one that the engine may be on, it would be waited for in vain.
            let budget = if self.orders_left() >= 2 { 1_000_000_000_u64 } else { 1_000_000 };
            self.rig.element.set_property("latency-budget", budget);
        }
        self.sent.push(Sent { time, epoch: self.epoch, picture: self.picture });

        let caps: gst::Caps = CAPS[self.caps].parse().unwrap();
        let size = gst_video::VideoInfo::from_caps(&caps).unwrap().size();
        let mut buffer = gst::Buffer::from_mut_slice(vec![level(self.picture, self.number); size]);
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::try_from(time).unwrap());
        let before = bytes(&buffer);
        let (got, _) = self.rig.pass(buffer);
        assert_eq!(bytes(&got), before, "its pixels are only read");
        assert_eq!(got.iter_meta::<gst::Meta>().count(), 1, "every frame has one meta");
        let meta = meta::of(&got).unwrap();
        assert_eq!((meta.sequence + 1, meta.time), (self.sent.len() as u64, time));
        assert_eq!(meta.badge == Badge::Frozen, frozen, "{:?}", self.looked);
        assert_eq!(meta.badge == Badge::Off, !self.enabled);
        self.check(&meta);
        seen.note(&meta);
        self.settle();
    }

    /// What has to be true of every mask, and of every badge without one.
    fn check(&self, meta: &FrameMeta) {
        let Some(mask) = &meta.segmentation else {
            assert!(
                !matches!(meta.badge, Badge::Live | Badge::Held { .. }),
                "{:?} without a mask",
                meta.badge
            );
            return;
        };
        let own = mask.sequence == meta.sequence;
        let of = self.sent.get(mask.sequence as usize).expect("no mask of a frame that is still to come");
        assert_eq!(mask.pts, of.time);
        assert_eq!(of.epoch, self.epoch, "no mask of before a flush, a jump, other caps or a frozen picture");
        let age = meta.time.checked_sub(mask.pts).expect("no mask of a later frame");
        assert!(age <= LIMIT, "{age:?} is too old");
        match meta.badge {
            Badge::Live => assert!(own && age.is_zero(), "LIVE is of that very frame"),
            Badge::Held { age_ms } => {
                assert!(!own && !self.locked, "HELD is of an earlier frame, and not in locked mode");
                assert_eq!(u128::from(age_ms), age.as_millis());
            }
            badge => panic!("{badge:?} with a mask"),
        }
        assert!(own || !self.locked, "in locked mode a mask is of that very frame");
        let in_force: String = self.rig.element.property::<gst::Structure>("stats").get("prompt").unwrap();
        let prompt = PROMPTS.iter().position(|prompt| *prompt == in_force).unwrap();
        let engine = self.engine.load(Ordering::SeqCst) as usize % 4;
        let expected = cell(of.picture, self.number, prompt, engine);
        assert_eq!(
            mask.probability,
            vec![expected; SIDE * SIDE],
            "picture, stream, prompt or engine is another"
        );
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.orders = None;
    }
}

/// What all schedules together have shown: a test in which no mask appears would hold whatever the element did.
#[derive(Default)]
struct Seen {
    badges: RefCell<BTreeMap<&'static str, u64>>,
    oldest: Cell<Duration>,
}

impl Seen {
    fn note(&self, meta: &FrameMeta) {
        *self.badges.borrow_mut().entry(badge_name(&meta.badge)).or_default() += 1;
        let age = meta.segmentation.as_ref().map_or(Duration::ZERO, |mask| meta.time - mask.pts);
        self.oldest.set(self.oldest.get().max(age));
    }
}

#[test]
fn no_schedule_makes_the_overlay_lie() {
    let seen = Seen::default();
    let config = Config { cases: 1500, failure_persistence: None, ..Config::default() };
    let schedule = prop::collection::vec((0..2_usize, step()), 1..=LONGEST);
    TestRunner::new(config)
        .run(&schedule, |steps| {
            let mut streams = [Stream::new(0), Stream::new(1)];
            for (stream, step) in &steps {
                streams[*stream].take(step, &seen);
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    println!("{:?}, oldest mask {:?}", seen.badges, seen.oldest.get());
    for badge in ["live", "held", "no-mask", "late", "fault", "frozen", "off"] {
        assert!(
            seen.badges.borrow().get(badge).is_some_and(|count| *count > 20),
            "{badge}: {:?}",
            seen.badges
        );
    }
    assert!(seen.oldest.get() > FRAME * 2, "masks were held for long: {:?}", seen.oldest.get());
}
