//! Painting on frames in a card's memory against painting on the same frames here.

use std::time::Duration;

use polyp::frame::{Canvas, Colorimetry, Matrix, PixelFormat, PlaneMut, Range, Rect, Size};
use polyp::input::Placement;
use polyp::overlay::{Badge, STYLES, Scratch, Settings, paint_badge};
use polyp::random::Random;
use polyp::segmentation::Segmentation;
use polyp_engine::cuda::arguments::DevicePlane;
use polyp_engine::cuda::driver::CardError;
use polyp_engine::cuda::painter::{CardCanvas, Drawing, Painter};
use polyp_engine::error::EngineError;

use crate::mock::Mock;
use crate::{folder, on_cpu};

const SIZE: Size = Size::new(46, 34);
const LIMIT: Duration = Duration::from_millis(120);

fn painter() -> (Mock, Painter) {
    let folder = folder();
    let mock = Mock::new(on_cpu(&folder), folder.memory().unwrap());
    let painter = Painter::new(Box::new(mock.clone())).unwrap();
    (mock, painter)
}

/// A disc on a square of `side` cells, of all of the frame.
fn mask(side: usize) -> Segmentation {
    let half = side / 2;
    let inside =
        |i: usize| (i % side).abs_diff(half).pow(2) + (i / side).abs_diff(half).pow(2) < half * half / 2;
    let probability = (0..side * side).map(|i| if inside(i) { 240 } else { 9 }).collect();
    let target = Rect::whole(Size::new(side as u32, side as u32));
    let placement = Placement { source: Rect::whole(SIZE), target, side_px: side as u32 };
    Segmentation { probability, placement, pts: Duration::ZERO, sequence: 0 }
}

/// Planes of noise, with bytes after each row.
fn noise(format: PixelFormat, random: &mut Random) -> Vec<(Vec<u8>, usize)> {
    let plane = |plane| {
        let (row, rows) = format.plane_extent(plane, SIZE);
        let stride = row + 5;
        ((0..stride * rows).map(|_| (random.bits() >> 56) as u8).collect(), stride)
    };
    (0..format.planes()).map(plane).collect()
}

fn places(planes: &mut [(Vec<u8>, usize)]) -> Vec<DevicePlane> {
    let place = |(bytes, stride): &mut (Vec<u8>, usize)| DevicePlane {
        address: bytes.as_mut_ptr() as u64,
        bytes: bytes.len(),
        stride: *stride,
    };
    planes.iter_mut().map(place).collect()
}

fn colorimetry(format: PixelFormat) -> Colorimetry {
    let limited = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };
    if format.is_yuv() { limited } else { Colorimetry::RGB }
}

/// Paints by the kernels.
fn paint(
    painter: &mut Painter,
    format: PixelFormat,
    planes: &mut [(Vec<u8>, usize)],
    drawing: &Drawing<'_>,
) -> Result<(), EngineError> {
    let planes = places(planes);
    let canvas = CardCanvas { format, size: SIZE, colorimetry: colorimetry(format), planes: &planes };
    // SAFETY: the mock's memory is this machine's, and nobody else has these planes.
    unsafe { painter.paint(&canvas, drawing) }
}

#[test]
fn frames_are_painted_as_here_and_memory_is_asked_for_once() {
    let (mock, mut painter) = painter();
    let (mut random, mut scratch, settings) = (Random::new(&[41]), Scratch::default(), Settings::default());
    let mut asked = None;
    for style in STYLES {
        for format in PixelFormat::ALL {
            // The largest mask first: from then on there is room.
            for (side, badge) in [(32, Badge::Live), (24, Badge::Held { age_ms: 33 }), (8, Badge::Late)] {
                let mut found = noise(format, &mut random);
                let mut expected = found.clone();
                let mask = mask(side);
                let shown = mask.shown_on(Duration::ZERO, LIMIT).unwrap();
                let planes = expected.iter_mut().map(|(bytes, stride)| PlaneMut { bytes, stride: *stride });
                let mut canvas = Canvas::new(format, SIZE, colorimetry(format), planes).unwrap();
                style.paint(&shown, &settings, &mut canvas, &mut scratch);
                paint_badge(&badge, &settings, &mut canvas, &mut scratch);
                let before = found.clone();
                let drawing = Drawing { mask: Some((*style, &shown)), badge, settings: &settings };
                paint(&mut painter, format, &mut found, &drawing).unwrap();
                assert!(found == expected && found != before, "{style:?} {format} {side}");
                let had = (mock.count("allocate"), mock.pinned.load(std::sync::atomic::Ordering::Relaxed));
                assert_eq!(*asked.get_or_insert(had), had);
            }
        }
    }
}

#[test]
fn where_there_is_nothing_to_paint_the_card_is_not_asked() {
    let (mock, mut painter) = painter();
    let settings = Settings { badge: false, ..Settings::default() };
    let drawing = Drawing { mask: None, badge: Badge::Live, settings: &settings };
    let mut planes = noise(PixelFormat::Nv12, &mut Random::new(&[42]));
    let before = planes.clone();
    paint(&mut painter, PixelFormat::Nv12, &mut planes, &drawing).unwrap();
    assert!(planes == before);
    assert_eq!((mock.count("launch"), mock.count("synchronise")), (0, 0));
}

#[test]
fn what_can_not_be_painted_is_said_and_what_was_begun_is_waited_for() {
    let (mock, mut painter) = painter();
    let (settings, mut random) = (Settings::default(), Random::new(&[43]));
    let mut wrong = mask(16);
    wrong.probability.pop();
    let shown = wrong.shown_on(Duration::ZERO, LIMIT).unwrap();
    let drawing = Drawing { mask: Some((STYLES[0], &shown)), badge: Badge::Live, settings: &settings };
    let mut planes = noise(PixelFormat::Rgb, &mut random);
    let said = |outcome: Result<(), EngineError>| outcome.unwrap_err().to_string();
    let mut told = |painter: &mut Painter, drawing: &Drawing<'_>| {
        said(paint(painter, PixelFormat::Rgb, &mut planes, drawing))
    };
    assert_eq!(told(&mut painter, &drawing), "input mask: expected 256 bytes, found 255");
    let right = mask(16);
    let shown = right.shown_on(Duration::ZERO, LIMIT).unwrap();
    let drawing = Drawing { mask: Some((STYLES[0], &shown)), ..drawing };
    // The second launch: the first is underway.
    let error = CardError::Call { call: "cuLaunchKernel", words: "as ordered".to_owned() };
    mock.fail("launch", 1, error);
    let waits = mock.count("synchronise");
    assert_eq!(told(&mut painter, &drawing), "card, painting a frame: cuLaunchKernel failed: as ordered");
    assert_eq!(mock.count("synchronise"), waits + 1);
    let short = [DevicePlane { address: 256, bytes: 10, stride: 3 * 46 }];
    let canvas =
        CardCanvas { format: PixelFormat::Rgb, size: SIZE, colorimetry: Colorimetry::RGB, planes: &short };
    // SAFETY: it is refused before anything is written.
    let error = unsafe { painter.paint(&canvas, &drawing) }.unwrap_err().to_string();
    assert!(error.starts_with("input plane 0: expected rows of at least 138 bytes"), "{error}");
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_program_without_the_feature_says_so() {
    let error = Painter::open().unwrap_err().to_string();
    assert_eq!(
        error,
        "backend card: this program was built without the feature `cuda`; build it with `--features cuda`"
    );
}
