//! The alarm that a polyp is in view: in the meta, on the bus, and never because of what no longer counts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gst::prelude::*;
use gstpolyp::polypsegment::ALARM;

use crate::fixture::{GRAY_CAPS, Orders, Rig, at, gray, segmenter};
use crate::numbered::{Works, close, in_force, segmenter as numbered, swap_to};

/// Grays that the obedient engine takes for a polyp, and not.
const POLYP: u8 = 200;
const NONE: u8 = 40;

fn rig(orders: &Arc<Orders>, alarm: &str) -> Rig {
    let element = segmenter(orders);
    element.set_property_from_str("mode", "locked");
    element.set_property("latency-budget", 1_000_000_000_u64);
    element.set_property("alarm", alarm);
    Rig::new(&element, GRAY_CAPS)
}

/// Whether the alarm is raised on each of these frames, from frame `first` on.
fn raised(rig: &mut Rig, first: u64, levels: &[u8]) -> String {
    let each = (first..).zip(levels).map(|(index, level)| match rig.meta(gray(*level, at(index))).alarm {
        None => '-',
        Some(raised) => char::from(b'0' + u8::from(raised)),
    });
    each.collect()
}

/// What was said of the alarm since the last call: whether it was raised, and with which frame.
fn said(rig: &Rig) -> Vec<(bool, u64)> {
    let messages: Vec<gst::Message> = std::iter::from_fn(|| rig.bus.pop()).collect();
    let alarms =
        messages.iter().filter_map(|message| message.structure()).filter(|said| said.name() == ALARM);
    alarms.map(|said| (said.get("raised").unwrap(), said.get("sequence").unwrap())).collect()
}

#[test]
fn unless_it_is_asked_for_there_is_none() {
    let orders = Arc::<Orders>::default();
    let mut rig = rig(&orders, "off");
    assert_eq!(raised(&mut rig, 0, &[POLYP; 20]), "-".repeat(20));
    assert_eq!((said(&rig), rig.stat("alarms")), (vec![], 0));
}

#[test]
fn it_is_raised_and_ended_by_several_masks_and_said_once() {
    let orders = Arc::<Orders>::default();
    let mut rig = rig(&orders, "3/4/1");
    let levels = [POLYP, NONE, POLYP, POLYP, POLYP, NONE, NONE, NONE, POLYP, NONE];
    assert_eq!(raised(&mut rig, 0, &levels), "0001111000");
    assert_eq!(said(&rig), [(true, 3), (false, 7)]);
    assert_eq!(rig.stat("alarms"), 1);
}

#[test]
fn a_frame_without_a_mask_ends_it() {
    let orders = Arc::<Orders>::default();
    let mut rig = rig(&orders, "2/8/0");
    assert_eq!(raised(&mut rig, 0, &[POLYP; 4]), "0111");
    orders.fail.store(true, Ordering::SeqCst);
    assert_eq!(raised(&mut rig, 4, &[POLYP]), "0");
    orders.fail.store(false, Ordering::SeqCst);
    assert_eq!(raised(&mut rig, 5, &[POLYP; 2]), "01", "what was voted before does not count");
    rig.element.set_property("enabled", false);
    assert_eq!(raised(&mut rig, 7, &[POLYP]), "-");
    assert_eq!(said(&rig), [(true, 1), (false, 4), (true, 6), (false, 7)]);
}

#[test]
fn nothing_of_before_a_flush_a_jump_of_time_or_other_caps_counts() {
    let orders = Arc::<Orders>::default();
    let mut rig = rig(&orders, "2/8/0");
    assert_eq!(raised(&mut rig, 0, &[POLYP; 2]), "01");
    rig.harness.push_event(gst::event::FlushStart::new());
    rig.harness.push_event(gst::event::FlushStop::new(true));
    rig.harness.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    assert_eq!(raised(&mut rig, 2, &[POLYP; 2]), "01");
    assert_eq!(raised(&mut rig, 9000, &[POLYP; 2]), "01");
}

#[test]
fn a_small_mask_does_not_count() {
    let orders = Arc::<Orders>::default();
    let mut rig = rig(&orders, "1/1/0");
    let mut of = |index: u64, cells: usize, area: f32| {
        orders.cells.store(cells, Ordering::SeqCst);
        rig.element.set_property("alarm-area", area);
        raised(&mut rig, index, &[POLYP])
    };
    // A hundredth of all cells are 41, rounded up.
    assert_eq!([of(0, 40, 0.01), of(1, 41, 0.01), of(2, 41, 0.02)], ["0", "1", "0"]);
    assert_eq!(of(3, 1, 0.0), "1");
    assert_eq!(raised(&mut rig, 4, &[NONE]), "0", "nothing is never enough, whatever the least area");
}

#[test]
fn a_rule_that_is_none_is_refused_and_the_old_one_stays() {
    let orders = Arc::<Orders>::default();
    let mut rig = rig(&orders, "1/1/0");
    rig.element.set_property("alarm", "3/2/1");
    let warnings = rig.messages(gst::MessageType::Warning);
    assert_eq!(warnings.len(), 1);
    let text = &warnings[0];
    assert!(text.starts_with("property alarm \"3/2/1\": expected `off`, `on` or K/N/R"), "{text}");
    assert_eq!(rig.element.property::<String>("alarm"), "1/1/0");
    assert_eq!(raised(&mut rig, 0, &[POLYP]), "1");
}

#[test]
fn one_answer_counts_once_however_many_frames_show_it() {
    let orders = Arc::<Orders>::default();
    let element = segmenter(&orders);
    element.set_property("alarm", "2/2/0");
    element.set_property("max-mask-age", 10_000_000_000_u64);
    let mut rig = Rig::new(&element, GRAY_CAPS);
    assert_eq!(raised(&mut rig, 0, &[POLYP]), "0");
    std::thread::sleep(Duration::from_millis(60));
    // The first answer is there, and there is no other for a while.
    orders.delay(Duration::from_millis(700));
    assert_eq!(raised(&mut rig, 1, &[POLYP; 8]), "0".repeat(8));
    std::thread::sleep(Duration::from_millis(900));
    assert_eq!(raised(&mut rig, 9, &[POLYP]), "1");
}

#[test]
fn votes_of_an_engine_or_a_prompt_that_is_no_longer_in_force_do_not_count() {
    let works = Arc::<Works>::default();
    let element = numbered(&works);
    element.set_property_from_str("mode", "locked");
    element.set_property("latency-budget", 1_000_000_000_u64);
    element.set_property("alarm", "3/3/0");
    let mut rig = Rig::new(&element, GRAY_CAPS);
    let mut index = 0;
    // Numbers whose masks cover everything: see `numbered::logit`.
    for (engine, prompt) in [(2, "polyp"), (5, "polyp"), (5, "polyp 1")] {
        let mut run = 0;
        if engine != in_force(&rig).0 {
            swap_to(&element, &works, engine);
        }
        element.set_property("prompt", prompt);
        while run < 4 {
            let meta = rig.meta(gray(128, close(index)));
            index += 1;
            let is = in_force(&rig) == (engine, prompt.to_owned());
            run = if is && meta.segmentation.is_some() { run + 1 } else { 0 };
            if is {
                assert_eq!(meta.alarm, Some(run >= 3), "{engine} {prompt}: frame {run}");
            }
        }
    }
    assert_eq!(rig.stat("alarms"), 3);
}
