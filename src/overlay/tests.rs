//! Styles and badges against goldens, and every pixel format against the plainest of them.
//!
//! A golden is a PNG in `tests/fixtures/overlay/`. Where a picture differs, what was painted is written beside the
//! build's other output and named in the message. To accept it: `POLYP_BLESS=1 cargo test -p polyp --lib overlay`,
//! then look at the PNGs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use image::RgbImage;

use super::*;
use crate::colour::to_yuv;
use crate::frame::{Canvas, Colorimetry, Matrix, PixelFormat, PlaneMut, Range, Rect};
use crate::input::Placement;
use crate::motion::{Affine, Motion};
use crate::segmentation::Segmentation;

const LIMIT: Duration = Duration::from_millis(120);
const SIZE: Size = Size::new(320, 256);
const SIDE: usize = 64;

fn colorimetry(format: PixelFormat) -> Colorimetry {
    let yuv = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };
    if format.is_yuv() { yuv } else { Colorimetry::RGB }
}

/// The background: smooth colours like mucosa's, with a bright and a dark part.
fn ground(x: usize, y: usize) -> [u8; 3] {
    [(140 + x / 4) as u8, (60 + y / 4) as u8, (50 + (x + y) / 16) as u8]
}

/// An owned frame.
struct Painted {
    format: PixelFormat,
    size: Size,
    planes: Vec<(Vec<u8>, usize)>,
}

impl Painted {
    /// The background in that format; chroma is the mean of the pixels that share it.
    fn new(format: PixelFormat, size: Size) -> Self {
        let (width, height) = (size.width as usize, size.height as usize);
        let planes: Vec<(Vec<u8>, usize)> = (0..format.planes())
            .map(|plane| {
                let (stride, rows) = format.plane_extent(plane, size);
                (vec![0; stride * rows], stride)
            })
            .collect();
        let mut frame = Self { format, size, planes };
        let yuv =
            |x: usize, y: usize| to_yuv(ground(x.min(width - 1), y.min(height - 1)), colorimetry(format));
        let rows = if matches!(format, PixelFormat::Yuy2 | PixelFormat::Uyvy) { 1 } else { 2 };
        let shared = |x: usize, y: usize, part: usize| {
            let (x, y) = (x / 2 * 2, y / rows * rows);
            let sum: u32 =
                (0..rows).flat_map(|dy| (0..2).map(move |dx| u32::from(yuv(x + dx, y + dy)[part]))).sum();
            ((sum + rows as u32) / (2 * rows as u32)) as u8
        };
        for y in 0..height {
            for x in 0..width {
                let rgb = ground(x, y);
                let mut put = |plane: usize, row: usize, at: usize, value: u8| {
                    let (bytes, stride) = &mut frame.planes[plane];
                    bytes[row * *stride + at] = value;
                };
                match format {
                    PixelFormat::I420 => {
                        put(0, y, x, yuv(x, y)[0]);
                        put(1, y / 2, x / 2, shared(x, y, 1));
                        put(2, y / 2, x / 2, shared(x, y, 2));
                    }
                    PixelFormat::Nv12 => {
                        put(0, y, x, yuv(x, y)[0]);
                        put(1, y / 2, x / 2 * 2, shared(x, y, 1));
                        put(1, y / 2, x / 2 * 2 + 1, shared(x, y, 2));
                    }
                    PixelFormat::Yuy2 | PixelFormat::Uyvy => {
                        let first = usize::from(format == PixelFormat::Uyvy);
                        put(0, y, 2 * x + first, yuv(x, y)[0]);
                        put(0, y, x / 2 * 4 + 1 - first, shared(x, y, 1));
                        put(0, y, x / 2 * 4 + 3 - first, shared(x, y, 2));
                    }
                    PixelFormat::Rgb => (0..3).for_each(|i| put(0, y, 3 * x + i, rgb[i])),
                    PixelFormat::Rgba => {
                        (0..4).for_each(|i| put(0, y, 4 * x + i, [rgb[0], rgb[1], rgb[2], 77][i]));
                    }
                    PixelFormat::Bgrx | PixelFormat::Bgra => {
                        (0..4).for_each(|i| put(0, y, 4 * x + i, [rgb[2], rgb[1], rgb[0], 77][i]));
                    }
                }
            }
        }
        frame
    }

    fn paint(&mut self, with: impl FnOnce(&mut Canvas<'_>)) {
        let planes = self.planes.iter_mut().map(|(bytes, stride)| PlaneMut { bytes, stride: *stride });
        with(&mut Canvas::new(self.format, self.size, colorimetry(self.format), planes).unwrap());
    }

    /// Luma, U and V, or red, green and blue, of a pixel.
    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let sample = |plane: usize, row: usize, at: usize| {
            let (bytes, stride) = &self.planes[plane];
            bytes[row * stride + at]
        };
        let packed = |offsets: [usize; 3]| offsets.map(|offset| sample(0, y, offset));
        match self.format {
            PixelFormat::I420 => [sample(0, y, x), sample(1, y / 2, x / 2), sample(2, y / 2, x / 2)],
            PixelFormat::Nv12 => {
                [sample(0, y, x), sample(1, y / 2, x / 2 * 2), sample(1, y / 2, x / 2 * 2 + 1)]
            }
            PixelFormat::Yuy2 => packed([2 * x, x / 2 * 4 + 1, x / 2 * 4 + 3]),
            PixelFormat::Uyvy => packed([2 * x + 1, x / 2 * 4, x / 2 * 4 + 2]),
            PixelFormat::Rgb => packed([3 * x, 3 * x + 1, 3 * x + 2]),
            PixelFormat::Rgba => packed([4 * x, 4 * x + 1, 4 * x + 2]),
            PixelFormat::Bgrx | PixelFormat::Bgra => packed([4 * x + 2, 4 * x + 1, 4 * x]),
        }
    }

    fn picture(&self) -> RgbImage {
        assert_eq!(self.format, PixelFormat::Rgb);
        RgbImage::from_raw(self.size.width, self.size.height, self.planes[0].0.clone()).unwrap()
    }
}

/// Two hills of probability, one of them with a wide foot, in a region inside the frame.
fn mask(size: Size) -> Segmentation {
    let hill = |x: f32, y: f32, cx: f32, cy: f32, radius: f32, soft: f32| {
        1.0 / (1.0 + (((x - cx).hypot(y - cy) - radius) / soft).exp())
    };
    let cell = |i: usize| {
        let (x, y) = ((i % SIDE) as f32, (i / SIDE) as f32);
        let p = hill(x, y, 22.0, 30.0, 11.0, 1.0).max(hill(x, y, 48.0, 40.0, 7.0, 3.0));
        (p * 255.0).round() as u8
    };
    let source = Rect {
        x: size.width / 10,
        y: size.height / 8,
        width: size.width * 8 / 10,
        height: size.height * 7 / 8,
    };
    let target = Rect::whole(Size::new(SIDE as u32, SIDE as u32));
    Segmentation {
        probability: (0..SIDE * SIDE).map(cell).collect(),
        placement: Placement { source, target, side_px: SIDE as u32 },
        pts: Duration::ZERO,
        sequence: 0,
    }
}

fn styled(style: &dyn Style, format: PixelFormat, size: Size, age_ms: u64) -> Painted {
    let (mask, mut frame) = (mask(size), Painted::new(format, size));
    let shown = mask.shown_on(Duration::from_millis(age_ms), LIMIT).unwrap();
    frame.paint(|canvas| style.paint(&shown, &Settings::default(), canvas, &mut Scratch::default()));
    frame
}

/// Compares with the golden of that name, or writes it.
fn golden(name: &str, found: &RgbImage) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("tests/fixtures/overlay").join(format!("{name}.png"));
    if std::env::var_os("POLYP_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        found.save(&path).unwrap();
        return;
    }
    let expected =
        image::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into_rgb8();
    let same_size = expected.dimensions() == found.dimensions();
    // One grey level, for another machine's rounding.
    let near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= 1;
    if !same_size || !expected.as_raw().iter().zip(found.as_raw()).all(near) {
        let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let beside = folder.join(format!("overlay-{name}.png"));
        found.save(&beside).unwrap();
        panic!("{} differs from what was painted: {}", path.display(), beside.display());
    }
}

#[test]
fn every_style_paints_its_golden() {
    for style in STYLES {
        golden(style.name(), &styled(*style, PixelFormat::Rgb, SIZE, 0).picture());
    }
}

#[test]
fn an_aged_mask_is_drawn_otherwise_and_has_its_golden() {
    let fresh = styled(STYLES[0], PixelFormat::Rgb, SIZE, 0).picture();
    let aged = styled(STYLES[0], PixelFormat::Rgb, SIZE, 100).picture();
    assert_ne!(fresh, aged);
    golden(&format!("{}-100ms", STYLES[0].name()), &aged);
}

#[test]
fn every_badge_has_its_place_on_the_golden() {
    let held = Badge::Held { age_ms: 80 };
    let unwell = [Badge::Starting, Badge::NoMask, Badge::Frozen, Badge::Late, Badge::Fault, Badge::Off];
    let badges = [&[Badge::Live, held], &unwell[..]].concat();
    let (width, height) = (160, 40);
    let mut sheet = RgbImage::new(width, height * badges.len() as u32);
    for (row, badge) in (0_i64..).zip(&badges) {
        let mut frame = Painted::new(PixelFormat::Rgb, Size::new(width, height));
        frame.paint(|canvas| paint_badge(badge, &Settings::default(), canvas, &mut Scratch::default()));
        image::imageops::replace(&mut sheet, &frame.picture(), 0, row * i64::from(height));
    }
    golden("badges", &sheet);
}

/// The RGB painting is what the goldens say; every other format has to show the same.
#[test]
fn every_format_shows_what_rgb_shows() {
    for style in STYLES {
        for age_ms in [0, 60] {
            let plain = styled(*style, PixelFormat::Rgb, SIZE, age_ms);
            for format in PixelFormat::ALL {
                let found = styled(*style, format, SIZE, age_ms);
                let (mut luma_off, mut chroma_off) = (0, 0);
                for y in 0..SIZE.height as usize {
                    for x in 0..SIZE.width as usize {
                        let expected = plain.at(x, y);
                        if !format.is_yuv() {
                            assert_eq!(found.at(x, y), expected, "{style:?} {format} at {x},{y}");
                            continue;
                        }
                        let expected = to_yuv(expected, colorimetry(format));
                        let [luma, u, v] = found.at(x, y);
                        luma_off = luma_off.max(luma.abs_diff(expected[0]));
                        // Chroma is shared: compared only where the neighbours are painted alike.
                        let alike = (-1..=1).all(|dy| {
                            (-1..=1).all(|dx| {
                                let at = |v: usize, d: i32, end: u32| {
                                    v.saturating_add_signed(d as isize).min(end as usize - 1)
                                };
                                let other = plain.at(at(x, dx, SIZE.width), at(y, dy, SIZE.height));
                                other.iter().zip(plain.at(x, y)).all(|(a, b)| a.abs_diff(b) <= 3)
                            })
                        });
                        if alike {
                            chroma_off = chroma_off.max(u.abs_diff(expected[1]).max(v.abs_diff(expected[2])));
                        }
                    }
                }
                assert!(luma_off <= 2, "{style:?} {format}: luma is off by {luma_off}");
                assert!(chroma_off <= 4, "{style:?} {format}: chroma is off by {chroma_off}");
            }
        }
    }
}

#[test]
fn the_fourth_byte_stays_as_it_was() {
    for format in [PixelFormat::Bgra, PixelFormat::Rgba, PixelFormat::Bgrx] {
        let found = styled(STYLES[0], format, SIZE, 0);
        assert!(found.planes[0].0.chunks(4).all(|pixel| pixel[3] == 77), "{format}");
    }
}

/// Far from every level nothing may change, in any byte of any plane, at odd sizes too.
#[test]
fn what_is_not_covered_stays_as_it_was_to_the_bit() {
    for format in PixelFormat::ALL {
        for size in [SIZE, Size::new(321, 255), Size::new(33, 17)] {
            let untouched = Painted::new(format, size);
            for style in STYLES {
                let mut blank = mask(size);
                blank.probability.fill(0);
                let shown = blank.shown_on(Duration::ZERO, LIMIT).unwrap();
                let mut frame = Painted::new(format, size);
                frame.paint(|canvas| {
                    style.paint(&shown, &Settings::default(), canvas, &mut Scratch::default())
                });
                assert!(frame.planes == untouched.planes, "{style:?} {format} {size}: an empty mask paints");
                let found = styled(*style, format, size, 0);
                assert!(found.planes != untouched.planes, "{style:?} {format} {size}: a mask does not paint");
                let source = mask(size).placement.source;
                for y in 0..size.height {
                    for x in 0..size.width {
                        // A chroma sample half in the region belongs to it.
                        let inside = (source.x.saturating_sub(1)..=source.x + source.width).contains(&x)
                            && (source.y.saturating_sub(1)..=source.y + source.height).contains(&y);
                        let (x, y) = (x as usize, y as usize);
                        assert!(
                            inside || found.at(x, y) == untouched.at(x, y),
                            "{style:?} {format} {size} at {x},{y}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_well_badge_can_be_hidden_and_trouble_can_not() {
    let settings = Settings { badge: false, ..Settings::default() };
    let untouched = Painted::new(PixelFormat::Nv12, SIZE);
    let paints = |badge: Badge| {
        let mut frame = Painted::new(PixelFormat::Nv12, SIZE);
        frame.paint(|canvas| paint_badge(&badge, &settings, canvas, &mut Scratch::default()));
        frame.planes != untouched.planes
    };
    assert!(!paints(Badge::Live) && !paints(Badge::Held { age_ms: 5 }));
    let unwell = [Badge::Starting, Badge::NoMask, Badge::Frozen, Badge::Late, Badge::Fault, Badge::Off];
    assert!(unwell.into_iter().all(paints));
}

#[test]
fn a_mask_of_another_picture_is_not_painted() {
    let mut cut = mask(SIZE);
    cut.probability.pop();
    let untouched = Painted::new(PixelFormat::I420, SIZE);
    for mask in [mask(Size::new(640, 512)), cut] {
        let shown = mask.shown_on(Duration::ZERO, LIMIT).unwrap();
        let mut frame = Painted::new(PixelFormat::I420, SIZE);
        frame.paint(|canvas| STYLES[0].paint(&shown, &Settings::default(), canvas, &mut Scratch::default()));
        assert!(frame.planes == untouched.planes);
    }
}

/// A moved mask of which only what is needed was moved is painted as one that was moved as a whole.
#[test]
fn what_is_needed_is_all_that_is_painted() {
    let mut mask = mask(SIZE);
    // As a network's: nowhere quite nothing.
    for (index, cell) in mask.probability.iter_mut().enumerate() {
        *cell = (*cell).max((index * 7 % 9) as u8);
    }
    let to = Duration::from_millis(33);
    for (turn, line_px) in [(0.0, 2.5), (0.02, 0.5), (-0.03, 16.0)] {
        let settings = Settings { line_px, ..Settings::default() };
        let map = Affine { matrix: [[1.02, turn], [-turn, 0.99]], offset: [7.3, -11.6] };
        let motion = Motion { from: Duration::ZERO, to, map, quality: 1.0 };
        let needed = needed(&settings, mask.placement, SIZE);
        let (all, some) =
            (mask.moved(&motion, None).unwrap(), mask.moved_where(needed, &motion, None).unwrap());
        assert_ne!(all.segmentation().probability, some.segmentation().probability, "nothing was spared");
        for style in STYLES {
            let [all, some] = [&all, &some].map(|moved| {
                let shown = moved.shown_on(to, LIMIT).unwrap();
                let mut frame = Painted::new(PixelFormat::Nv12, SIZE);
                frame.paint(|canvas| style.paint(&shown, &settings, canvas, &mut Scratch::default()));
                frame
            });
            assert!(all.planes == some.planes, "{style:?}, lines of {line_px} px");
        }
    }
}
