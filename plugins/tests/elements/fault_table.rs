//! The list of faults: what is done to the network, the source or the stream while it plays, which badge says so, which
//! one message names the cause, and that masks are back without a restart once the cause is gone.
//!
//! Every row is played in both modes. Of every row it is checked that each frame comes out, in its order, with its
//! timestamp and its pixels, and with exactly one meta whose badge and mask agree.
//!
//! Not here: what happens to the engine's process (`isolation.rs`) and to files and cards (`system_faults.rs`), and what
//! is refused before the first frame (`refusals.rs`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gst::prelude::*;
use gstpolyp::meta::FrameMeta;
use polyp::overlay::Badge;

use crate::fixture::{GRAY_CAPS, Orders, Rig, at, bytes, segmenter};

/// Frames that a fault is looked at for, once it is seen: more than a second, in which all must be said only once.
const LASTS: u64 = 40;
/// Frames after it, of which a second has to be well until the end of a trouble is said.
const WELL: u64 = 40;

/// What is seen of a fault.
enum Seen {
    /// Nothing: masks go on.
    Nothing,
    /// No mask on the first frame, and no trouble: the network is asked anew. In `mode=locked` nothing at all.
    Restart,
    /// This badge, and no mask, for as long as it lasts; and one WARNING with these words.
    Trouble(Badge, &'static str),
    /// One WARNING with these words, and masks go on.
    Refused(&'static str),
}

/// One row.
struct Fault {
    /// `max-mask-age`: above all that a busy test machine adds, unless lateness is what is looked for.
    limit: Duration,
    begin: fn(&mut Stream),
    end: fn(&mut Stream),
    seen: Seen,
}

/// Long enough that no test machine is late by accident.
const PATIENT: Duration = Duration::from_secs(10);
/// So that a gap of two seconds is one.
const SECOND: Duration = Duration::from_secs(1);
/// The elements' own.
const DEFAULT: Duration = Duration::from_millis(120);

/// A stream that goes on at its own pace.
struct Stream {
    rig: Rig,
    orders: Arc<Orders>,
    caps: &'static str,
    /// The frames that were pushed.
    pushed: u64,
    /// The next frame's timestamp.
    time: Duration,
    /// `None` for pictures that differ, as a camera's do.
    still: Option<u8>,
    /// Bytes that buffers lack.
    cut: usize,
}

impl Stream {
    fn new(mode: &str, limit: Duration) -> Self {
        let orders = Arc::<Orders>::default();
        let element = segmenter(&orders);
        element.set_property_from_str("mode", mode);
        element.set_property("latency-budget", 500_000_000_u64);
        element.set_property("max-mask-age", limit.as_nanos() as u64);
        element.set_property("frozen-after", 3_u32);
        let rig = Rig::new(&element, GRAY_CAPS);
        // An hour into the session, so that time can jump backwards.
        let time = Duration::from_secs(3600);
        Self { rig, orders, caps: GRAY_CAPS, pushed: 0, time, still: None, cut: 0 }
    }

    /// Pushes one frame, and holds what has to be true of every frame.
    fn push(&mut self) -> Arc<FrameMeta> {
        let info = gst_video::VideoInfo::from_caps(&self.caps.parse::<gst::Caps>().unwrap()).unwrap();
        let level = self.still.unwrap_or((100 + self.pushed % 50) as u8);
        let mut buffer = gst::Buffer::from_mut_slice(vec![level; info.size() - self.cut]);
        let pts = gst::ClockTime::try_from(self.time).unwrap();
        buffer.get_mut().unwrap().set_pts(pts);
        let sent = bytes(&buffer);
        let (got, _) = self.rig.pass(buffer);
        assert_eq!((got.pts(), bytes(&got)), (Some(pts), sent), "frame {}", self.pushed);
        assert_eq!(self.rig.harness.buffers_in_queue(), 0, "one comes out for one that goes in");
        assert_eq!(got.iter_meta::<gst::Meta>().count(), 1);
        let meta = gstpolyp::meta::of(&got).unwrap();
        assert_eq!((meta.sequence, meta.time), (self.pushed, self.time));
        let age = meta.segmentation.as_ref().map(|mask| {
            assert!(mask.sequence <= meta.sequence);
            meta.time.checked_sub(mask.pts).expect("no mask of a later frame")
        });
        match meta.badge {
            Badge::Live => assert_eq!(age, Some(Duration::ZERO)),
            Badge::Held { age_ms } => assert_eq!(age.map(|age| age.as_millis()), Some(age_ms.into())),
            badge => assert_eq!(age, None, "{badge:?}"),
        }
        self.pushed += 1;
        self.time += Duration::from(at(1));
        std::thread::sleep(at(1).into());
        meta
    }

    /// Pushes frames until one is as it is wanted, at most for twenty seconds.
    fn until(&mut self, what: &str, wanted: impl Fn(&FrameMeta) -> bool) -> Arc<FrameMeta> {
        let mut last = None;
        for _ in 0..600 {
            let meta = self.push();
            if wanted(&meta) {
                return meta;
            }
            last = Some(meta.badge);
        }
        panic!("600 frames and no {what}, but {last:?}");
    }

    fn set_caps(&mut self, caps: &'static str) {
        self.caps = caps;
        self.rig.harness.set_src_caps_str(caps);
    }
}

fn is_well(meta: &FrameMeta) -> bool {
    matches!(meta.badge, Badge::Live | Badge::Held { .. })
}

/// Plays one row in one mode.
fn play(mode: &str, fault: &Fault) {
    let mut stream = Stream::new(mode, fault.limit);
    stream.until("mask", is_well);
    assert_eq!(stream.rig.messages(gst::MessageType::Warning), [""; 0], "{mode}");
    (fault.begin)(&mut stream);
    match &fault.seen {
        Seen::Nothing | Seen::Refused(_) => {
            for _ in 0..LASTS {
                let meta = stream.push();
                assert!(is_well(&meta), "{mode}: {:?}", meta.badge);
            }
        }
        Seen::Restart => {
            let expected = if mode == "live" { Badge::NoMask } else { Badge::Live };
            assert_eq!(stream.push().badge, expected, "{mode}");
        }
        Seen::Trouble(badge, _) => {
            stream.until("trouble", |meta| meta.badge == *badge);
            for _ in 0..LASTS {
                assert_eq!(stream.push().badge, *badge, "{mode}");
            }
        }
    }
    let words = match &fault.seen {
        Seen::Trouble(_, words) | Seen::Refused(words) => {
            // What was refused beside the stream is said from another thread.
            let limit = gst::ClockTime::from_seconds(10);
            let first = stream.rig.bus.timed_pop_filtered(limit, &[gst::MessageType::Warning]).unwrap();
            let text = crate::fixture::text_of(&first);
            assert!(text.contains(words), "{mode}: {text}");
            Some(words)
        }
        Seen::Nothing | Seen::Restart => None,
    };
    (fault.end)(&mut stream);
    stream.until("mask again", is_well);
    for _ in 0..WELL {
        let meta = stream.push();
        assert!(is_well(&meta), "{mode}: {:?}", meta.badge);
    }
    let kinds = [gst::MessageType::Warning, gst::MessageType::Info, gst::MessageType::Error];
    let said = stream.rig.said(&kinds);
    match &fault.seen {
        Seen::Trouble(..) => assert!(
            matches!(&said[..], [(gst::MessageType::Info, text)] if text.starts_with("masks again, after ")),
            "{mode}, after {words:?}: {said:?}"
        ),
        _ => assert_eq!(said, [], "{mode}, after {words:?}"),
    }
    assert_eq!(stream.rig.stat("frames"), stream.pushed, "{mode}: no frame was lost");
}

/// Each row becomes a test of its own name.
macro_rules! faults {
    ($($(#[$attribute:meta])* $name:ident: $fault:expr;)+) => {
        $(
            $(#[$attribute])*
            #[test]
            fn $name() {
                for mode in ["live", "locked"] {
                    play(mode, &$fault);
                }
            }
        )+
    };
}

faults! {
    not_a_number: Fault {
        limit: PATIENT,
        begin: |stream| stream.orders.nan.store(true, Ordering::SeqCst),
        end: |stream| stream.orders.nan.store(false, Ordering::SeqCst),
        seen: Seen::Trouble(Badge::Fault, "expected a finite number, found NaN"),
    };
    an_error_of_inference: Fault {
        limit: PATIENT,
        begin: |stream| stream.orders.fail.store(true, Ordering::SeqCst),
        end: |stream| stream.orders.fail.store(false, Ordering::SeqCst),
        seen: Seen::Trouble(Badge::Fault, "backend fixture, infer: as ordered"),
    };
    a_hang_of_ten_seconds: Fault {
        limit: DEFAULT,
        begin: |stream| {
            let asked = stream.orders.begun.load(Ordering::SeqCst);
            stream.orders.delay(Duration::from_secs(10));
            while stream.orders.begun.load(Ordering::SeqCst) == asked {
                stream.push();
            }
            // The frame that it is on takes the ten seconds, and no later one.
            stream.orders.delay(Duration::ZERO);
        },
        end: |_| {},
        seen: Seen::Trouble(Badge::Late, "the network "),
    };
    a_prompt_that_is_gone: Fault {
        limit: PATIENT,
        begin: |stream| stream.rig.element.set_property("prompt", "unknown"),
        end: |stream| assert_eq!(stream.rig.element.property::<String>("prompt"), "polyp"),
        seen: Seen::Refused("the network is still asked for \"polyp\""),
    };
    another_size: Fault {
        limit: PATIENT,
        begin: |stream| stream.set_caps("video/x-raw,format=RGB,width=32,height=24,framerate=30/1"),
        end: |stream| stream.set_caps(GRAY_CAPS),
        seen: Seen::Restart,
    };
    another_format: Fault {
        limit: PATIENT,
        begin: |stream| stream.set_caps("video/x-raw,format=NV12,width=16,height=16,framerate=30/1"),
        end: |stream| stream.set_caps(GRAY_CAPS),
        seen: Seen::Restart,
    };
    buffers_that_are_cut: Fault {
        limit: PATIENT,
        begin: |stream| stream.cut = 7,
        end: |stream| stream.cut = 0,
        seen: Seen::Trouble(Badge::Fault, "RGB"),
    };
    a_lost_signal_that_is_told: Fault {
        limit: SECOND,
        begin: |stream| {
            for _ in 0..20 {
                let start = gst::ClockTime::try_from(stream.time).unwrap();
                let gap = gst::event::Gap::builder(start).duration(gst::ClockTime::from_mseconds(100)).build();
                assert!(stream.rig.harness.push_event(gap));
                stream.time += Duration::from_millis(100);
                std::thread::sleep(Duration::from_millis(100));
            }
        },
        end: |_| {},
        seen: Seen::Restart,
    };
    a_lost_signal_that_is_not_told: Fault {
        limit: SECOND,
        begin: |stream| {
            std::thread::sleep(Duration::from_secs(2));
            stream.time += Duration::from_secs(2);
        },
        end: |_| {},
        seen: Seen::Restart,
    };
    a_black_picture_that_stands_still: Fault {
        limit: PATIENT,
        begin: |stream| stream.still = Some(0),
        end: |stream| stream.still = None,
        seen: Seen::Trouble(Badge::Frozen, "the source is dead: the same picture came 3 times again"),
    };
    time_that_jumps_an_hour_forwards: Fault {
        limit: SECOND,
        begin: |stream| stream.time += Duration::from_secs(3600),
        end: |_| {},
        seen: Seen::Restart,
    };
    time_that_jumps_an_hour_backwards: Fault {
        limit: SECOND,
        begin: |stream| stream.time -= Duration::from_secs(3600),
        end: |_| {},
        seen: Seen::Restart,
    };
    /// Less than a mask may be old: a mask of before would pass for one of the same time after.
    time_that_jumps_a_little_backwards: Fault {
        limit: SECOND,
        begin: |stream| stream.time -= Duration::from_millis(100),
        end: |_| {},
        seen: Seen::Restart,
    };
    switched_off_and_on: Fault {
        limit: PATIENT,
        begin: |stream| {
            stream.rig.element.set_property("enabled", false);
            assert_eq!(stream.push().badge, Badge::Off);
            stream.rig.element.set_property("enabled", true);
        },
        end: |_| {},
        seen: Seen::Nothing,
    };
}

/// The engine is on a frame of before when time jumps: that is no lateness of the network.
#[test]
fn time_that_jumps_while_a_frame_is_underway() {
    let mut stream = Stream::new("live", SECOND);
    stream.until("mask", is_well);
    for jump in [3600_i64, -3600] {
        stream.orders.delay(Duration::from_millis(300));
        let asked = stream.orders.begun.load(Ordering::SeqCst);
        while stream.orders.begun.load(Ordering::SeqCst) == asked {
            stream.push();
        }
        stream.orders.delay(Duration::ZERO);
        let by = Duration::from_secs(jump.unsigned_abs());
        stream.time = if jump > 0 { stream.time + by } else { stream.time - by };
        let jumped = stream.pushed;
        assert_eq!(stream.push().badge, Badge::NoMask);
        let meta = stream.until("mask again", is_well);
        assert!(meta.segmentation.as_ref().unwrap().sequence >= jumped, "none of before the jump");
    }
    assert_eq!(stream.rig.messages(gst::MessageType::Warning), [""; 0]);
}
