//! `polypoverlay`: paints what hangs on the buffer if it may, and leaves everything else to the bit.

use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use gstpolyp::meta::{self, FrameMeta};
use polyp::frame::{Rect, Size};
use polyp::input::Placement;
use polyp::motion::{Affine, Motion};
use polyp::overlay::{Badge, STYLES};
use polyp::segmentation::Segmentation;
use polyp::trace::{Ledger, Stage};

use crate::fixture::{Rig, bytes, frame_meta, init, text_of};

const SIZE: Size = Size::new(320, 240);
const CAPS: &str = "video/x-raw,format=RGB,width=320,height=240,framerate=30/1";

fn overlay(properties: &[(&str, &str)]) -> Rig {
    init();
    let element = gst::ElementFactory::make("polypoverlay").build().unwrap();
    for (name, value) in properties {
        element.set_property_from_str(name, value);
    }
    Rig::new(&element, CAPS)
}

fn frame(pts_ms: u64) -> gst::Buffer {
    let data = (0..SIZE.area() * 3).map(|i| (i % 97) as u8 + 60).collect::<Vec<_>>();
    let mut buffer = gst::Buffer::from_mut_slice(data);
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(pts_ms));
    buffer
}

/// A disc in the middle, of the frame at `pts_ms`.
fn mask(pts_ms: u64) -> Arc<Segmentation> {
    let inside = |i: usize| (i % 64).abs_diff(32).pow(2) + (i / 64).abs_diff(32).pow(2) < 300;
    let probability = (0..64 * 64).map(|i| if inside(i) { 250 } else { 5 }).collect();
    let target = Rect::whole(Size::new(64, 64));
    let placement = Placement { source: Rect::whole(SIZE), target, side_px: 64 };
    Arc::new(Segmentation { probability, placement, pts: Duration::from_millis(pts_ms), sequence: 0 })
}

/// `frame(pts_ms)` with that hung on it.
fn hung(pts_ms: u64, segmentation: Option<Arc<Segmentation>>, badge: Badge) -> gst::Buffer {
    let mut buffer = frame(pts_ms);
    let time = Duration::from_millis(pts_ms);
    let meta = frame_meta(segmentation, badge, SIZE, time);
    meta::attach(buffer.get_mut().unwrap(), meta).unwrap();
    buffer
}

/// The first and the last column from 100 px down that was painted on.
fn painted_columns(buffer: &gst::Buffer) -> (usize, usize) {
    let (before, after) = (bytes(&frame(0)), bytes(buffer));
    let changed = |x: usize| {
        (100..240).any(|y| (0..3).any(|c| before[y * 960 + x * 3 + c] != after[y * 960 + x * 3 + c]))
    };
    let columns: Vec<usize> = (0..320).filter(|x| changed(*x)).collect();
    (columns[0], columns[columns.len() - 1])
}

#[test]
fn a_mask_is_painted_where_the_picture_has_moved_it() {
    let mut rig = overlay(&[("style", "outline")]);
    let columns = |rig: &mut Rig, x: f32| {
        let mut buffer = hung(40, Some(mask(0)), Badge::Held { age_ms: 40 });
        let map = Affine { offset: [x, 0.0], ..Affine::IDENTITY };
        let motion = Motion { from: Duration::ZERO, to: Duration::from_millis(40), map, quality: 1.0 };
        let meta = FrameMeta { motion: Some(motion), ..(*meta::of(&buffer).unwrap()).clone() };
        meta::attach(buffer.get_mut().unwrap(), meta).unwrap();
        painted_columns(&rig.pass(buffer).0)
    };
    let (left, right) = columns(&mut rig, 0.0);
    for x in [30, 55] {
        let moved = columns(&mut rig, x as f32);
        assert!(
            moved.0.abs_diff(left + x) <= 2 && moved.1.abs_diff(right + x) <= 2,
            "{moved:?}, {left} {right}"
        );
    }
}

/// Whether the middle of the picture (where no badge is) was painted on.
fn is_painted(buffer: &gst::Buffer) -> bool {
    let row = |data: &[u8], y: usize| data[y * 960..(y + 1) * 960].to_vec();
    let (before, after) = (bytes(&frame(0)), bytes(buffer));
    (100..240).any(|y| row(&before, y) != row(&after, y))
}

#[test]
fn every_style_paints_a_fresh_mask() {
    for style in STYLES {
        let mut rig = overlay(&[("style", style.name())]);
        let (got, _) = rig.pass(hung(100, Some(mask(100)), Badge::Live));
        assert!(is_painted(&got), "{style:?}");
        assert_eq!(rig.stat("painted"), 1);
    }
}

#[test]
fn an_expired_mask_and_one_of_the_future_are_not_painted() {
    let mut rig = overlay(&[("max-mask-age", "120000000")]);
    let painted = |rig: &mut Rig, pts, of| is_painted(&rig.pass(hung(pts, Some(mask(of)), Badge::Live)).0);
    assert!(painted(&mut rig, 220, 100));
    assert!(!painted(&mut rig, 221, 100));
    assert!(!painted(&mut rig, 90, 100));
    rig.element.set_property("max-mask-age", 200_000_000_u64);
    assert!(painted(&mut rig, 300, 100));
}

#[test]
fn what_hangs_there_without_a_mask_leaves_the_picture_alone() {
    let mut rig = overlay(&[]);
    for badge in
        [Badge::Starting, Badge::NoMask, Badge::Frozen, Badge::Late, Badge::Fault, Badge::Off, Badge::Live]
    {
        assert!(!is_painted(&rig.pass(hung(0, None, badge)).0), "{badge:?}");
    }
}

#[test]
fn a_buffer_on_which_nothing_hangs_passes_to_the_bit_and_is_not_copied() {
    let mut rig = overlay(&[("badge", "true")]);
    let sent = frame(0);
    let kept = sent.clone();
    let (got, _) = rig.pass(sent);
    assert_eq!(bytes(&got), bytes(&kept));
    assert_eq!(got.as_ptr(), kept.as_ptr(), "the very same buffer, also when somebody else holds it");
    assert_eq!(rig.stat("without-meta"), 1);
}

#[test]
fn switched_off_everything_passes_to_the_bit_and_is_not_copied() {
    let mut rig = overlay(&[("enabled", "false")]);
    let sent = hung(0, Some(mask(0)), Badge::Live);
    let kept = sent.clone();
    let (got, _) = rig.pass(sent);
    assert_eq!((bytes(&got), got.as_ptr()), (bytes(&frame(0)), kept.as_ptr()));
    rig.element.set_property("enabled", true);
    assert!(is_painted(&rig.pass(hung(0, Some(mask(0)), Badge::Live)).0));
}

#[test]
fn a_shared_picture_is_copied_before_it_is_painted_on() {
    let mut rig = overlay(&[]);
    let sent = hung(0, Some(mask(0)), Badge::Live);
    let kept = sent.clone();
    let (got, _) = rig.pass(sent);
    assert!(is_painted(&got));
    assert_eq!(bytes(&kept), bytes(&frame(0)), "the other holder's picture is not painted on");
}

#[test]
fn a_mask_of_another_size_is_a_fault_and_said_once() {
    let mut rig = overlay(&[]);
    for _ in 0..5 {
        let mut buffer = frame(0);
        let meta = frame_meta(Some(mask(0)), Badge::Live, Size::new(640, 480), Duration::ZERO);
        meta::attach(buffer.get_mut().unwrap(), meta).unwrap();
        assert!(!is_painted(&rig.pass(buffer).0));
    }
    let warnings = rig.messages(gst::MessageType::Warning);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("640x480") && warnings[0].contains("320x240"), "{warnings:?}");
}

#[test]
fn settings_may_change_while_playing_and_wrong_ones_are_refused() {
    let mut rig = overlay(&[]);
    let meta = || hung(0, Some(mask(0)), Badge::Live);
    let thin = bytes(&rig.pass(meta()).0);
    rig.element.set_property("line-px", 16.0_f32);
    assert_ne!(bytes(&rig.pass(meta()).0), thin);
    let style = rig.element.property::<String>("style");
    rig.element.set_property("style", "glitter");
    assert_eq!(rig.element.property::<String>("style"), style, "what is in force is what is said");
    rig.element.set_property("levels", "0.9,0.1");
    let warnings = rig.messages(gst::MessageType::Warning);
    assert!(warnings[0].contains("property style") && warnings[1].contains("levels"), "{warnings:?}");
    rig.pass(meta());
}

#[test]
fn wrong_settings_are_refused_before_the_first_frame() {
    init();
    let element = gst::ElementFactory::make("polypoverlay").property("style", "glitter").build().unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Paused).is_err());
    let text = text_of(&bus.pop_filtered(&[gst::MessageType::Error]).unwrap());
    assert!(text.contains("property style: expected contours") && text.contains("\"glitter\""), "{text}");
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_frame_that_was_too_long_on_its_way_says_so_painted_or_not() {
    let ledger = Arc::new(Ledger::default());
    ledger.set_budget("picture=0.01us".parse().unwrap());
    let over = |badge: &str, segmentation| {
        let mut rig = overlay(&[("badge", badge)]);
        let mut buffer = hung(100, segmentation, Badge::Live);
        let meta = FrameMeta { ledger: Some(Arc::clone(&ledger)), ..(*meta::of(&buffer).unwrap()).clone() };
        meta::attach(buffer.get_mut().unwrap(), meta).unwrap();
        let (got, _) = rig.pass(buffer);
        let said = gst::meta::CustomMeta::from_buffer(&got, meta::NAME).unwrap();
        (said.structure().get::<String>("over-budget").ok(), rig.stat("painted"))
    };
    assert_eq!(over("true", Some(mask(100))), (Some("picture".to_owned()), 1));
    assert_eq!(over("false", None), (Some("picture".to_owned()), 0));
    let counted = ledger.report().stage(Stage::Picture).map(|stage| (stage.count, stage.over));
    assert_eq!(counted, Some((2, 2)));
}
