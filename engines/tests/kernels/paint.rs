//! Painting by the kernels against the CPU's painter: the same bytes, in every format, in all of every plane.

use std::time::Duration;

use polyp::frame::{Canvas, PixelFormat, PlaneMut, Rect, Size};
use polyp::input::{Fit, Normalisation, Placement};
use polyp::overlay::{Badge, Recipe, STYLES, Scratch, Settings, Style, paint_badge};
use polyp::random::Random;
use polyp::segmentation::{Segmentation, Shown};
use polyp_engine::cuda::arguments::{DevicePlane, SourceFormat};
use polyp_engine::cuda::paint::{Overlay, Plate, Surface};

use crate::host::Host;
use crate::twin::Frame;
use crate::{noise, part, spec};

const LIMIT: Duration = Duration::from_millis(120);

/// What is painted on one frame.
struct Work<'a> {
    style: &'static dyn Style,
    shown: Shown<'a>,
    settings: Settings,
    badge: Option<Badge>,
}

impl Work<'_> {
    /// By the CPU's painter.
    fn on_cpu(&self, format: PixelFormat, frame: &Frame, scratch: &mut Scratch) -> Frame {
        let mut painted = frame.clone();
        let planes = painted.planes.iter_mut().map(|(bytes, stride)| PlaneMut { bytes, stride: *stride });
        let mut canvas = Canvas::new(format, frame.size, frame.colorimetry, planes).unwrap();
        self.style.paint(&self.shown, &self.settings, &mut canvas, scratch);
        if let Some(badge) = &self.badge {
            paint_badge(badge, &self.settings, &mut canvas, scratch);
        }
        painted
    }

    /// By the kernels.
    fn on_card(&self, host: &Host, format: PixelFormat, frame: &Frame) -> Frame {
        let (size, colorimetry) = (frame.size, frame.colorimetry);
        let mut painted = frame.clone();
        let surface = surface(format, &mut painted);
        let mut recipe = Recipe::default();
        recipe.renew(self.style, &self.shown, &self.settings, size);
        let overlay = Overlay::new(&recipe, &self.shown, format, size, colorimetry).unwrap().unwrap();
        host.paint(format, surface, overlay, &self.shown.segmentation().probability);
        if let Some(plate) = self.badge.and_then(|badge| badge.plate(&self.settings, size)) {
            host.badge(format, surface, Plate::new(&plate, format, colorimetry));
        }
        painted
    }

    /// Paints `frame` both ways, compares all of it, and gives the number of bytes that were changed.
    fn compare(&self, host: &Host, format: PixelFormat, frame: &Frame, scratch: &mut Scratch) -> usize {
        let expected = self.on_cpu(format, frame, scratch);
        let found = self.on_card(host, format, frame);
        let placement = self.shown.segmentation().placement;
        let told = || {
            let (style, size, age, settings) =
                (self.style, frame.size, self.shown.age(), (&self.settings, self.badge));
            format!("{style:?} {format} {size} {placement:?} {age:?} {settings:?}")
        };
        // What covers neither black nor white covers nothing.
        let [black, white] = [0, 255].map(|byte| {
            let mut blank = frame.clone();
            blank.planes.iter_mut().for_each(|(bytes, _)| bytes.fill(byte));
            self.on_cpu(format, &blank, scratch)
        });
        let mut changed = 0;
        for plane in 0..frame.planes.len() {
            let bytes = |frame: &Frame| frame.planes[plane].0.clone();
            let [input, expected, found] = [frame, &expected, &found].map(bytes);
            let [black, white] = [&black, &white].map(bytes);
            for (at, byte) in found.iter().enumerate() {
                let row = at / frame.planes[plane].1;
                assert_eq!(*byte, expected[at], "plane {plane}, row {row}, byte {at}: {}", told());
                let covered = black[at] != 0 || white[at] != 255;
                assert!(covered || *byte == input[at], "plane {plane}, byte {at} is touched: {}", told());
                changed += usize::from(*byte != input[at]);
            }
        }
        changed
    }
}

fn surface(format: PixelFormat, frame: &mut Frame) -> Surface {
    let plane = |(bytes, stride): &mut (Vec<u8>, usize)| DevicePlane {
        address: bytes.as_mut_ptr() as u64,
        bytes: bytes.len(),
        stride: *stride,
    };
    let planes: Vec<DevicePlane> = frame.planes.iter_mut().map(plane).collect();
    Surface::new(format, frame.size, &planes).unwrap()
}

/// A few hills with soft or steep feet.
fn hills(side: usize, random: &mut Random) -> Vec<u8> {
    let length = side as f32;
    let hills: Vec<[f32; 4]> = (0..1 + random.below(3))
        .map(|_| {
            let (x, y) = (random.between(0.2, 0.8) * length, random.between(0.2, 0.8) * length);
            [x, y, random.between(0.1, 0.4) * length, random.between(0.01, 0.15) * length]
        })
        .collect();
    let cell = |i: usize| {
        let (x, y) = ((i % side) as f32, (i / side) as f32);
        let hill = |[cx, cy, radius, soft]: &[f32; 4]| {
            1.0 / (1.0 + (((x - cx).hypot(y - cy) - radius) / soft.max(0.1)).exp())
        };
        (hills.iter().map(hill).fold(0.0, f32::max) * 255.0).round() as u8
    };
    (0..side * side).map(cell).collect()
}

/// Hills, noise of all bytes, noise of two bytes, or one byte everywhere.
fn field(side: usize, random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => (0..side * side).map(|_| (random.bits() >> 56) as u8).collect(),
        1 => (0..side * side).map(|_| if random.chance(0.1) { 255 } else { 0 }).collect(),
        2 => vec![(random.bits() >> 56) as u8; side * side],
        _ => hills(side, random),
    }
}

fn settings(random: &mut Random) -> Settings {
    let mut levels: Vec<f32> = (0..random.below(9)).map(|_| random.between(0.01, 0.99)).collect();
    levels.sort_by(f32::total_cmp);
    levels.dedup();
    let settings = Settings {
        threshold: random.between(0.05, 0.95),
        levels,
        opacity: random.unit(),
        badge: random.chance(0.7),
        line_px: random.between(0.5, 16.0),
    };
    let settings = if random.chance(0.3) { Settings::default() } else { settings };
    settings.check().unwrap();
    settings
}

/// A mask of a part of a frame: squashed, letterboxed, or any part of the input.
fn placement(side_px: u32, size: Size, random: &mut Random) -> Placement {
    let source = if random.chance(0.5) { Rect::whole(size) } else { part(size, random) };
    let fit = if random.chance(0.5) { Fit::Squash } else { Fit::Letterbox };
    let placement = spec(side_px, fit, Normalisation::ZScorePerImage).place(source);
    let target = part(Size::new(side_px, side_px), random);
    if random.chance(0.2) { Placement { target, ..placement } } else { placement }
}

fn mask(probability: Vec<u8>, placement: Placement) -> Segmentation {
    Segmentation { probability, placement, pts: Duration::ZERO, sequence: 0 }
}

fn age(random: &mut Random) -> Duration {
    if random.chance(0.5) { Duration::ZERO } else { LIMIT.mul_f32(random.unit()) }
}

fn badge(random: &mut Random) -> Option<Badge> {
    let badges = [
        Badge::Live,
        Badge::Held { age_ms: random.below(1200) as u32 },
        Badge::NoMask,
        Badge::Late,
        Badge::Fault,
        Badge::Off,
    ];
    badges.get(random.below(badges.len())).copied()
}

#[test]
fn a_card_paints_what_a_cpu_paints_to_the_last_bit() {
    let host = Host::new();
    let mut random = Random::new(&[30]);
    let mut scratch = Scratch::default();
    for style in STYLES {
        for format in PixelFormat::ALL {
            let mut changed = [0, 0];
            for round in 0..120 {
                // One in four is large enough for thick lines.
                let largest = if round % 8 < 2 { (360, 500) } else { (130, 110) };
                let size = Size::new(1 + random.below(largest.0) as u32, 1 + random.below(largest.1) as u32);
                let frame = noise(SourceFormat::Frame(format), size, random.below(9), &mut random);
                let side = [1, 2, 8, 32, 33, 96][random.below(6)];
                let mask = mask(field(side, &mut random), placement(side as u32, size, &mut random));
                let shown = mask.shown_on(age(&mut random), LIMIT).unwrap();
                // Every second one is the style's alone, so that what is counted is not the badge's.
                let badge = if round % 2 == 0 { badge(&mut random) } else { None };
                let work = Work { style: *style, shown, settings: settings(&mut random), badge };
                changed[round % 2] += work.compare(&host, format, &frame, &mut scratch);
            }
            assert!(changed.iter().all(|bytes| *bytes > 10_000), "{style:?} {format}: {changed:?} bytes");
        }
    }
}

/// Masks as experts drew them, on frames of several sizes, with the settings that a cart starts with.
#[test]
fn masks_of_real_polyps_are_painted_alike() {
    let host = Host::new();
    let mut random = Random::new(&[31]);
    let mut scratch = Scratch::default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/kvasir-seg/masks");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 4, "{folder}");
    for (index, path) in paths.iter().enumerate() {
        let drawn = image::open(path).unwrap().into_luma8();
        let small = image::imageops::resize(&drawn, 64, 64, image::imageops::FilterType::Triangle);
        let soft = image::imageops::blur(&small, 1.5).into_raw();
        let format = PixelFormat::ALL[index % PixelFormat::ALL.len()];
        let size = Size::new(320 + index as u32, 240 + index as u32 % 3);
        let frame = noise(SourceFormat::Frame(format), size, 0, &mut random);
        let source = Rect { x: 31, y: 0, width: 280, height: 240 };
        let mask = mask(soft, spec(64, Fit::Letterbox, Normalisation::ZScorePerImage).place(source));
        for style in STYLES {
            for age_ms in [0, 66, 120] {
                let shown = mask.shown_on(Duration::from_millis(age_ms), LIMIT).unwrap();
                let work = Work { style: *style, shown, settings: Settings::default(), badge: None };
                let changed = work.compare(&host, format, &frame, &mut scratch);
                assert!(changed > 100, "{style:?} {format} {}: {changed} bytes", path.display());
            }
        }
    }
}

#[test]
fn badges_are_painted_alike_at_every_size() {
    let host = Host::new();
    let mut random = Random::new(&[32]);
    let badges =
        [Badge::Live, Badge::Held { age_ms: 7 }, Badge::NoMask, Badge::Late, Badge::Fault, Badge::Off];
    let sizes = [(1, 1), (5, 5), (31, 18), (77, 9), (160, 40), (301, 203), (411, 407)];
    for format in PixelFormat::ALL {
        for size in sizes.map(|(width, height)| Size::new(width, height)) {
            let frame = noise(SourceFormat::Frame(format), size, 3, &mut random);
            for badge in badges {
                let settings = Settings { badge: size.width % 2 == 0, ..Settings::default() };
                let (mut expected, mut found) = (frame.clone(), frame.clone());
                let planes = expected.planes.iter_mut();
                let planes = planes.map(|(bytes, stride)| PlaneMut { bytes, stride: *stride });
                let mut canvas = Canvas::new(format, size, frame.colorimetry, planes).unwrap();
                paint_badge(&badge, &settings, &mut canvas, &mut Scratch::default());
                let plate = badge.plate(&settings, size);
                if let Some(plate) = &plate {
                    let plate = Plate::new(plate, format, frame.colorimetry);
                    host.badge(format, surface(format, &mut found), plate);
                }
                let told = format!("{badge:?} {format} {size}");
                assert!(found.planes == expected.planes, "{told}");
                let seen = plate.is_some() && size.height > 4;
                assert_eq!(found.planes != frame.planes, seen, "{told}");
            }
        }
    }
}

/// An empty mask leaves every byte as it was.
#[test]
fn nothing_is_painted_of_nothing() {
    let host = Host::new();
    let mut random = Random::new(&[33]);
    for (style, format) in STYLES.iter().flat_map(|style| PixelFormat::ALL.map(|format| (*style, format))) {
        let size = Size::new(67, 45);
        let frame = noise(SourceFormat::Frame(format), size, 1, &mut random);
        let mask = mask(vec![0; 32 * 32], placement(32, size, &mut random));
        let shown = mask.shown_on(Duration::ZERO, LIMIT).unwrap();
        let work = Work { style, shown, settings: Settings::default(), badge: None };
        assert!(work.on_card(&host, format, &frame).planes == frame.planes, "{style:?} {format}");
    }
}
