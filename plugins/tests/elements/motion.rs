//! Masks that are moved along with the picture, in `mode=live`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gst::prelude::*;
use gstpolyp::meta::FrameMeta;
use polyp::overlay::Badge;
use polyp::random::Random;
use polyp::trace::Stage;

use crate::fixture::{Orders, Rig, at, is_held, mask_of, segmenter};

const WIDTH: usize = 320;
const HEIGHT: usize = 240;
pub(crate) const CAPS: &str = "video/x-raw,format=RGB,width=320,height=240,framerate=30/1";
/// How far the picture moves from frame to frame, in pixels across and down.
const STEP: (f64, f64) = (3.0, -2.0);

/// A cut-out of a texture without a period, `index` steps along. `scene` names the texture, `corner` is the first pixel's level, which
/// the obedient engine answers with.
pub(crate) fn frame(scene: u64, index: u64, corner: u8) -> gst::Buffer {
    let moved = |place: usize, step: f64| place as f64 - step * index as f64;
    let mut data = Vec::with_capacity(WIDTH * HEIGHT * 3);
    for (x, y) in (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y))) {
        let level = texture(scene, moved(x, STEP.0), moved(y, STEP.1));
        data.extend([level; 3]);
    }
    // More than the pixels that its first cell is made of.
    for row in data.chunks_mut(WIDTH * 3).take(20) {
        row[..20 * 3].fill(corner);
    }
    let mut buffer = gst::Buffer::from_mut_slice(data);
    let writable = buffer.get_mut().unwrap();
    writable.set_pts(at(index));
    writable.set_duration(at(1));
    buffer
}

/// Levels from 40 to 216: random numbers on a lattice, and straight lines between them.
fn texture(scene: u64, x: f64, y: f64) -> u8 {
    const LATTICE: f64 = 10.0;
    let (column, row) = ((x / LATTICE).floor(), (y / LATTICE).floor());
    let node = |right: f64, down: f64| {
        let place = [column + right, row + down].map(|at| (at as i64).cast_unsigned());
        f64::from(Random::new(&[scene, place[0], place[1]]).unit())
    };
    let (right, down) = (x / LATTICE - column, y / LATTICE - row);
    let upper = node(0.0, 0.0) * (1.0 - right) + node(1.0, 0.0) * right;
    let lower = node(0.0, 1.0) * (1.0 - right) + node(1.0, 1.0) * right;
    (40.0 + 176.0 * (upper * (1.0 - down) + lower * down)) as u8
}

pub(crate) fn rig(orders: &Arc<Orders>) -> Rig {
    let element = segmenter(orders);
    element.set_property("motion-compensation", true);
    Rig::new(&element, CAPS)
}

/// Gives frame `index` of a scene, and its meta after the engine has had time to answer.
fn shown(rig: &mut Rig, scene: u64, index: u64, corner: u8) -> Arc<FrameMeta> {
    let meta = rig.meta(frame(scene, index, corner));
    std::thread::sleep(Duration::from_millis(60));
    meta
}

#[test]
fn a_held_mask_carries_how_the_picture_moved_since_its_frame() {
    let orders = Arc::<Orders>::default();
    let mut rig = rig(&orders);
    shown(&mut rig, 1, 0, 200);
    shown(&mut rig, 1, 1, 200);
    // From here on the engine is busy, and the mask of frame 1 gets older.
    orders.delay(Duration::from_secs(5));
    for index in 2..5 {
        let meta = rig.meta(frame(1, index, 200));
        let mask = meta.segmentation.as_ref().unwrap();
        assert!(is_held(&meta) && mask.sequence == 1, "{:?}", meta.badge);
        let motion = meta.motion.unwrap();
        assert_eq!((motion.from, motion.to), (mask.pts, meta.time));
        let steps = (index - 1) as f64;
        let [x, y] = motion.map.apply([160.0, 120.0]).map(f64::from);
        let off = (x - 160.0 - steps * STEP.0).hypot(y - 120.0 - steps * STEP.1);
        assert!(off < 0.5 * steps, "frame {index} is {off} px off: {motion:?}");
        assert!(meta.trace.time(Stage::Motion) > Duration::ZERO);
    }
    assert_eq!(rig.stat("lost"), 0);
    assert!(rig.stat("motion-mean") > 0);
}

#[test]
fn on_another_scene_no_mask_of_the_last_one_is_shown() {
    let orders = Arc::<Orders>::default();
    let mut rig = rig(&orders);
    for index in 0..3 {
        shown(&mut rig, 1, index, 200);
    }
    let cut = shown(&mut rig, 2, 3, 200);
    assert_eq!((cut.badge, cut.segmentation.is_none(), cut.motion), (Badge::NoMask, true, None));
    assert_eq!(rig.stat("lost"), 1);
    let after = shown(&mut rig, 2, 4, 200);
    assert!(is_held(&after) && after.segmentation.as_ref().unwrap().sequence == 3, "{:?}", after.badge);
    assert!(rig.messages(gst::MessageType::Warning).is_empty(), "a change of scene is no trouble");
}

#[test]
fn a_picture_with_nothing_to_hold_on_to_has_no_old_mask() {
    let orders = Arc::<Orders>::default();
    let mut rig = rig(&orders);
    let flat = |index: u64| {
        let mut buffer = frame(1, index, 200);
        let level = 60 + (index % 2) as u8;
        buffer.get_mut().unwrap().map_writable().unwrap().fill(level);
        buffer
    };
    for index in 0..4 {
        let meta = rig.meta(flat(index));
        assert_eq!((meta.badge, meta.segmentation.is_none()), (Badge::NoMask, true));
        std::thread::sleep(Duration::from_millis(60));
    }
    assert!(orders.begun.load(Ordering::SeqCst) > 3, "the network goes on being asked");
}

#[test]
fn switched_off_a_mask_stays_where_it_was() {
    let orders = Arc::<Orders>::default();
    let mut rig = rig(&orders);
    rig.element.set_property("motion-compensation", false);
    shown(&mut rig, 1, 0, 200);
    let held = shown(&mut rig, 2, 1, 200);
    assert!(is_held(&held) && held.motion.is_none(), "{:?}", held.badge);
    assert_eq!((held.trace.time(Stage::Motion), rig.stat("lost")), (Duration::ZERO, 0));
    // Switched on again while it plays: the last mask's frame was not looked at.
    rig.element.set_property("motion-compensation", true);
    assert_eq!(shown(&mut rig, 2, 2, 200).badge, Badge::NoMask);
    assert!(is_held(&shown(&mut rig, 2, 3, 200)));
}

#[test]
fn smoothing_evens_out_what_changes_from_mask_to_mask() {
    // Every other frame the engine says something else.
    let spread = |smoothing: f32| {
        let orders = Arc::<Orders>::default();
        let mut rig = rig(&orders);
        rig.element.set_property("smoothing", smoothing);
        let levels = (0..8).map(|index| {
            let corner = if index % 2 == 0 { 180 } else { 120 };
            let meta = shown(&mut rig, 1, index, corner);
            // The middle: what came in from outside is evened out with nothing.
            meta.segmentation.as_ref().map(|mask| (mask.probability[32 * 64 + 32], mask.sequence))
        });
        let masks: Vec<(u8, u64)> = levels.flatten().collect();
        assert!(masks.iter().map(|mask| mask.1).eq(0..7), "a mask stays its own frame's: {masks:?}");
        let last: Vec<u8> = masks.iter().rev().take(2).map(|mask| mask.0).collect();
        last[0].abs_diff(last[1])
    };
    assert_eq!(spread(0.0), mask_of(180) - mask_of(120));
    let half = spread(0.5);
    // In the long run it alternates between (2 a + b) / 3 and (a + 2 b) / 3.
    assert!(half.abs_diff((mask_of(180) - mask_of(120)) / 3) <= 2, "{half}");
}
