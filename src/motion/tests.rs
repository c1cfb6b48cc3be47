//! Planes, vectors and maps against plain twins and known motion; `tests/clip.rs` has masks on moving real pictures.

mod clip;
mod twin;

use std::time::Duration;

use super::search::Field;
use super::*;
use crate::colour::to_yuv;
use crate::frame::{Colorimetry, FrameView, Matrix, PixelFormat, Plane, Range, Rect, Size};
use crate::picture::Owned;
use crate::random::Random;

const LIMITED: Colorimetry = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };
const SIZE: Size = Size::new(640, 480);
/// Pixels of a cell at [`SIZE`].
const CELL: f32 = 4.0;

/// NV12 without colour.
struct Grey {
    size: Size,
    luma: Vec<u8>,
    chroma: Vec<u8>,
}

impl Grey {
    fn of(size: Size, luma: impl Fn(f32, f32) -> f32) -> Self {
        let pixels = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
        let luma = pixels.map(|(x, y)| luma(x as f32 + 0.5, y as f32 + 0.5) as u8).collect();
        Self { size, luma, chroma: vec![128; size.area() / 2] }
    }

    /// A texture without a period, moved so that what was at `p` is at `map(p)`.
    fn moved(map: &Affine) -> Self {
        let back = map.inverse().unwrap();
        Self::of(SIZE, |x, y| texture(back.apply([x, y])))
    }

    fn view(&self) -> FrameView<'_> {
        let stride = self.size.width as usize;
        let planes = [Plane { bytes: &self.luma, stride }, Plane { bytes: &self.chroma, stride }];
        FrameView::new(PixelFormat::Nv12, self.size, LIMITED, &planes).unwrap()
    }

    fn read(&self) -> Luma {
        let mut luma = Luma::default();
        luma.read(&self.view(), Rect::whole(self.size)).unwrap();
        luma
    }
}

/// Luma from 40 to 216: smoothed random numbers on a coarse and a fine lattice.
fn texture([x, y]: [f32; 2]) -> f32 {
    let noise = |side: f32, name: u64| {
        let (column, row) = ((x / side).floor(), (y / side).floor());
        let node = |right: f32, down: f32| {
            let place = [column + right, row + down].map(|at| (at as i64).cast_unsigned());
            Random::new(&[name, place[0], place[1]]).unit()
        };
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (right, down) = (ease(x / side - column), ease(y / side - row));
        let upper = node(0.0, 0.0) + (node(1.0, 0.0) - node(0.0, 0.0)) * right;
        let lower = node(0.0, 1.0) + (node(1.0, 1.0) - node(0.0, 1.0)) * right;
        upper + (lower - upper) * down
    };
    40.0 + 116.0 * noise(90.0, 0) + 60.0 * noise(24.0, 1)
}

fn shift(x: f32, y: f32) -> Affine {
    Affine { offset: [x, y], ..Affine::IDENTITY }
}

fn measure(map: &Affine) -> Result<Measured, Lost> {
    Meter::default().measure(&Grey::moved(&Affine::IDENTITY).read(), &Grey::moved(map).read())
}

/// How far two maps are apart in the picture's corners, in pixels, at most.
fn apart(a: &Affine, b: &Affine) -> f32 {
    let (width, height) = (SIZE.width as f32, SIZE.height as f32);
    let corners = [[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]];
    let off = corners.map(|at| {
        let (a, b) = (a.apply(at), b.apply(at));
        (a[0] - b[0]).hypot(a[1] - b[1])
    });
    off.into_iter().fold(0.0, f32::max)
}

#[test]
fn a_plane_is_the_means_of_boxes_in_every_format() {
    let size = Size::new(331, 242);
    let rgb = crate::picture::smooth(size);
    let source = Rect { x: 3, y: 5, width: 322, height: 231 };
    for format in PixelFormat::ALL {
        let owned = Owned::of_rgb(&rgb, size, format, LIMITED, 5);
        let mut luma = Luma::default();
        luma.read(&owned.view(), source).unwrap();
        // 322 / 160 is 2: every row of a box is read, and the plain mean is what is asked for.
        assert_eq!(luma.size(), (161, 115), "{format}");
        for (index, value) in luma.values().iter().enumerate() {
            let (x, y) = (index % 161 * 2 + 3, index / 161 * 2 + 5);
            let plain = |x: usize, y: usize| {
                let at = 3 * (y * size.width as usize + x);
                let pixel = [rgb[at], rgb[at + 1], rgb[at + 2]];
                if !format.is_yuv() {
                    return f32::from(pixel[1]);
                }
                (f32::from(to_yuv(pixel, LIMITED)[0]) - 16.0) * 255.0 / 219.0
            };
            let mean = (plain(x, y) + plain(x + 1, y) + plain(x, y + 1) + plain(x + 1, y + 1)) / 4.0;
            assert!((mean - f32::from(*value)).abs() <= 0.51, "{format} {index}: {value} for {mean}");
        }
    }
}

#[test]
fn a_part_of_the_rows_is_enough_for_large_frames() {
    let size = Size::new(1920, 1080);
    let frame = Grey::of(size, |x, y| texture([x, y]));
    let luma = frame.read();
    assert_eq!(luma.size(), (160, 90));
    for (index, value) in luma.values().iter().enumerate() {
        let (left, top) = (index % 160 * 12, index / 160 * 12);
        let rows = (top..top + 12).flat_map(|y| &frame.luma[y * 1920 + left..y * 1920 + left + 12]);
        let mean = rows.map(|sample| (f32::from(*sample) - 16.0) * 255.0 / 219.0).sum::<f32>() / 144.0;
        assert!((mean - f32::from(*value)).abs() <= 3.0, "{index}: {value} for {mean}");
    }
}

#[test]
fn regions_of_no_use_are_refused_and_leave_nothing_behind() {
    let frame = Grey::moved(&Affine::IDENTITY);
    let mut luma = frame.read();
    for source in [
        Rect { x: 0, y: 0, width: SIZE.width + 1, height: SIZE.height },
        Rect { x: 0, y: 0, width: SIZE.width, height: 150 },
        Rect { x: 0, y: 0, width: 40, height: 40 },
    ] {
        assert_eq!(luma.read(&frame.view(), source), Err(Lost::Region), "{source}");
        assert_eq!(luma.source(), None);
        assert_eq!(Meter::default().measure(&luma, &luma), Err(Lost::Region));
    }
}

#[test]
fn known_motion_is_measured_to_a_tenth_of_a_cell() {
    let turn = |angle: f32, zoom: f32| {
        let (sin, cos) = angle.sin_cos();
        let matrix = [[zoom * cos, -zoom * sin], [zoom * sin, zoom * cos]];
        let turned = Affine { matrix, offset: [0.0, 0.0] };
        // About the picture's middle.
        shift(-320.0, -240.0).then(&turned).then(&shift(320.0, 240.0))
    };
    let maps = [
        Affine::IDENTITY,
        shift(0.7, -0.4),
        shift(-3.3, 5.1),
        shift(30.0, -22.0),
        shift(-75.0, 40.0),
        turn(0.03, 1.0),
        turn(0.0, 1.04),
        turn(-0.02, 0.97).then(&shift(9.0, 4.0)),
    ];
    for map in maps {
        let measured = measure(&map).unwrap();
        // Corners are beyond the blocks: they are off by more than the middle.
        let off = apart(&measured.map, &map);
        assert!(off < 0.25 * CELL, "{map:?}: {off} px off");
        assert!(measured.quality > 0.8 && measured.left < 0.25, "{map:?}: {measured:?}");
    }
}

#[test]
fn brightness_may_change() {
    let then = Grey::moved(&Affine::IDENTITY).read();
    let now = Grey::of(SIZE, |x, y| texture([x - 8.0, y - 3.0]) * 0.95 + 14.0).read();
    let measured = Meter::default().measure(&then, &now).unwrap();
    assert!(apart(&measured.map, &shift(8.0, 3.0)) < 0.3 * CELL, "{measured:?}");
}

#[test]
fn what_stands_still_in_front_does_not_hold_the_picture() {
    // A black border and a panel of stripes over a fifth of the picture.
    let screened = |dx: f32| {
        Grey::of(SIZE, |x, y| match (x, y) {
            (x, y) if x < 60.0 || y < 30.0 => 16.0,
            (x, y) if x > 480.0 && y > 260.0 => 100.0 + 50.0 * (x * 0.3).sin() * (y * 0.2).cos(),
            _ => texture([x - dx, y]),
        })
    };
    let measured = Meter::default().measure(&screened(0.0).read(), &screened(10.0).read()).unwrap();
    let middle = measured.map.apply([300.0, 200.0]);
    assert!((middle[0] - 310.0).abs() < 1.0 && (middle[1] - 200.0).abs() < 1.0, "{measured:?}");
}

#[test]
fn dark_burnt_and_flat_pictures_are_lost() {
    let then = Grey::moved(&Affine::IDENTITY).read();
    for luma in [16.0, 235.0, 120.0] {
        let now = Grey::of(SIZE, |_, _| luma).read();
        for (a, b) in [(&now, &now), (&now, &then), (&then, &now)] {
            let lost = Meter::default().measure(a, b).unwrap_err();
            assert!(!matches!(lost, Lost::Region | Lost::Forgotten), "{luma}: {lost}");
        }
        assert_eq!(Meter::default().measure(&now, &now), Err(Lost::Featureless { blocks: 0 }));
    }
}

#[test]
fn another_scene_is_lost() {
    let then = Grey::moved(&Affine::IDENTITY).read();
    let now = Grey::of(SIZE, |x, y| texture([640.0 - x * 0.8, y * 1.3 + 700.0])).read();
    let lost = Meter::default().measure(&then, &now).unwrap_err();
    assert!(matches!(lost, Lost::Inconsistent { .. } | Lost::Cut { .. }), "{lost}");
}

#[test]
fn what_is_too_far_is_lost() {
    assert!(measure(&shift(170.0, 0.0)).is_err());
}

#[test]
fn other_regions_are_not_compared() {
    let frame = Grey::moved(&Affine::IDENTITY);
    let mut other = Luma::default();
    other.read(&frame.view(), Rect { x: 0, y: 0, width: 600, height: 480 }).unwrap();
    assert_eq!(Meter::default().measure(&frame.read(), &other), Err(Lost::Region));
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_tracker_joins_the_steps() {
    let mut tracker = Tracker::new();
    for frame in 0..5_u64 {
        let moved = Grey::moved(&shift(3.0 * frame as f32, -2.0 * frame as f32));
        assert_eq!(tracker.see(&moved.view(), Rect::whole(SIZE), ms(33 * frame)), Ok(()));
    }
    let motion = tracker.since(ms(33)).unwrap();
    assert_eq!((motion.from, motion.to), (ms(33), ms(132)));
    assert!(apart(&motion.map, &shift(9.0, -6.0)) < 0.25 * CELL, "{motion:?}");
    let none = tracker.since(ms(132)).unwrap();
    assert_eq!(none, Motion { from: ms(132), to: ms(132), map: Affine::IDENTITY, quality: 1.0 });
    assert_eq!(tracker.since(ms(34)), Err(Lost::Forgotten));
}

#[test]
fn a_step_that_is_lost_cuts_what_is_before_it_off() {
    let mut tracker = Tracker::new();
    let mut see = |frame: &Grey, at: u64| tracker.see(&frame.view(), Rect::whole(SIZE), ms(at));
    assert_eq!(see(&Grey::moved(&Affine::IDENTITY), 0), Ok(()));
    let lost = see(&Grey::of(SIZE, |_, _| 16.0), 33).unwrap_err();
    assert!(see(&Grey::moved(&Affine::IDENTITY), 66).is_err());
    assert_eq!(see(&Grey::moved(&shift(4.0, 0.0)), 99), Ok(()));
    assert_eq!(tracker.since(ms(0)), Err(lost));
    assert!(tracker.since(ms(33)).is_err());
    assert!(tracker.since(ms(66)).is_ok());
}

#[test]
fn a_tracker_forgets_the_oldest_and_other_streams() {
    let mut tracker = Tracker::new();
    let frame = Grey::moved(&Affine::IDENTITY);
    let mut see = |at: u64| tracker.see(&frame.view(), Rect::whole(SIZE), ms(at)).unwrap();
    (0..20).for_each(|index| see(10 * index));
    assert_eq!(tracker.since(ms(30)), Err(Lost::Forgotten));
    assert!(tracker.since(ms(40)).is_ok());
    // Time that runs backwards: the stream was sought or began anew.
    tracker.see(&frame.view(), Rect::whole(SIZE), ms(100)).unwrap();
    assert_eq!(tracker.since(ms(90)), Err(Lost::Forgotten));
    assert_eq!(tracker.since(ms(100)).map(|motion| motion.to), Ok(ms(100)));
}

#[test]
fn a_frame_that_can_not_be_read_is_a_lost_step() {
    let mut tracker = Tracker::new();
    let frame = Grey::moved(&Affine::IDENTITY);
    let (whole, small) = (Rect::whole(SIZE), Rect { x: 0, y: 0, width: 40, height: 40 });
    tracker.see(&frame.view(), whole, ms(0)).unwrap();
    assert_eq!(tracker.see(&frame.view(), small, ms(10)), Err(Lost::Region));
    assert_eq!(tracker.see(&frame.view(), whole, ms(20)), Err(Lost::Region));
    assert_eq!(tracker.see(&frame.view(), whole, ms(30)), Ok(()));
    assert_eq!(tracker.since(ms(0)), Err(Lost::Region));
    assert!(tracker.since(ms(20)).is_ok());
}
