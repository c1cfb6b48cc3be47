//! The plain twin, and what the formats must agree on.
//!
//! Tolerances, in grey levels of 255. The resizer rounds after each of its two passes: an RGB format is at most 2
//! from the twin; a luma and chroma format at most 4, since the conversion stretches luma's level by 1.16 and
//! chroma's by up to 2.15. A format with halved chroma is at most 6 from RGB of the same picture, and 1 in the mean
//! (chroma is averaged before it is resized; on pictures as smooth as an endoscope's).

use proptest::prelude::*;

use super::*;
use crate::colour::{to_rgb_exact, to_yuv};
use crate::frame::{Colorimetry, FrameView, Matrix, PixelFormat, Plane, Range};
use crate::input::{Fit, InputSpec, Normalisation};
use crate::picture::{Owned, smooth};

fn spec(side_px: u32, fit: Fit) -> InputSpec {
    InputSpec { side_px, fit, normalisation: Normalisation::ZScorePerImage }
}

/// The triangle filter's weights along one axis: for every output place, those of samples `first..first + n`
/// of which `read` may be used; `start` and `length` are the part that is meant.
fn weights(read: u32, start: f64, length: f64, out: u32) -> Vec<Vec<f64>> {
    let scale = length / f64::from(out);
    let radius = scale.max(1.0);
    (0..out)
        .map(|place| {
            let centre = start + (f64::from(place) + 0.5) * scale;
            let raw: Vec<f64> = (0..read)
                .map(|sample| (1.0 - ((f64::from(sample) + 0.5 - centre) / radius).abs()).max(0.0))
                .collect();
            let sum: f64 = raw.iter().sum();
            raw.into_iter().map(|weight| weight / sum).collect()
        })
        .collect()
}

/// One sample plane of a frame, read by `at`, resized to `target` by the formula.
fn twin_plane(source: Rect, shift: (u32, u32), target: Rect, at: impl Fn(u32, u32) -> u8) -> Vec<f64> {
    let span = |start: u32, length: u32, shift: u32| {
        let first = start >> shift;
        let end = (start + length).div_ceil(1 << shift);
        let scale = f64::from(1_u32 << shift);
        (first, end - first, f64::from(start) / scale - f64::from(first), f64::from(length) / scale)
    };
    let (x0, read_x, left, width) = span(source.x, source.width, shift.0);
    let (y0, read_y, top, height) = span(source.y, source.height, shift.1);
    let across = weights(read_x, left, width, target.width);
    let down = weights(read_y, top, height, target.height);
    let mut out = Vec::new();
    for weights_y in &down {
        for weights_x in &across {
            let mut sum = 0.0;
            for (y, wy) in (y0..).zip(weights_y).filter(|(_, w)| **w > 0.0) {
                for (x, wx) in (x0..).zip(weights_x).filter(|(_, w)| **w > 0.0) {
                    sum += wx * wy * f64::from(at(x, y));
                }
            }
            out.push(sum);
        }
    }
    out
}

/// The specification of `resize_rgb`, in f64.
fn twin(frame: &FrameView<'_>, source: Rect, spec: &InputSpec) -> Vec<f64> {
    let placement = spec.place(source);
    let target = placement.target;
    let plane = |index: usize| frame.planes()[index];
    let get = |index: usize, place: usize| plane(index).bytes[place];
    let at = |index: usize, step: usize, offset: usize| {
        move |x: u32, y: u32| get(index, y as usize * plane(index).stride + x as usize * step + offset)
    };
    let luma_chroma = |luma: Vec<f64>, u: Vec<f64>, v: Vec<f64>| -> Vec<[f64; 3]> {
        luma.iter()
            .zip(u)
            .zip(v)
            .map(|((y, u), v)| {
                to_rgb_exact([*y as f32, u as f32, v as f32], frame.colorimetry()).map(f64::from)
            })
            .collect()
    };
    let full = |index, step, offset| twin_plane(source, (0, 0), target, at(index, step, offset));
    let half = |index, step, offset| twin_plane(source, (1, 1), target, at(index, step, offset));
    let wide = |index, step, offset| twin_plane(source, (1, 0), target, at(index, step, offset));
    let rgb = |step, [r, g, b]: [usize; 3]| -> Vec<[f64; 3]> {
        let (r, g, b) = (full(0, step, r), full(0, step, g), full(0, step, b));
        r.iter().zip(g).zip(b).map(|((r, g), b)| [*r, g, b]).collect()
    };
    let small = match frame.format() {
        PixelFormat::I420 => luma_chroma(full(0, 1, 0), half(1, 1, 0), half(2, 1, 0)),
        PixelFormat::Nv12 => luma_chroma(full(0, 1, 0), half(1, 2, 0), half(1, 2, 1)),
        PixelFormat::Yuy2 => luma_chroma(full(0, 2, 0), wide(0, 4, 1), wide(0, 4, 3)),
        PixelFormat::Uyvy => luma_chroma(full(0, 2, 1), wide(0, 4, 0), wide(0, 4, 2)),
        PixelFormat::Bgrx | PixelFormat::Bgra => rgb(4, [2, 1, 0]),
        PixelFormat::Rgba => rgb(4, [0, 1, 2]),
        PixelFormat::Rgb => rgb(3, [0, 1, 2]),
    };
    let side = spec.side_px;
    let mut out = vec![0.0; 3 * (side * side) as usize];
    let mut small = small.into_iter();
    for y in target.y..target.y + target.height {
        for x in target.x..target.x + target.width {
            let place = 3 * (y * side + x) as usize;
            out[place..place + 3].copy_from_slice(&small.next().unwrap().map(|s| s.clamp(0.0, 255.0)));
        }
    }
    out
}

fn fast(frame: &FrameView<'_>, source: Rect, spec: InputSpec) -> Vec<u8> {
    let side = spec.side_px as usize;
    let mut out = vec![0; 3 * side * side];
    Preprocessor::new(spec).resize_rgb(frame, source, &mut out).unwrap();
    out
}

fn worst(fast: &[u8], twin: &[f64]) -> f64 {
    fast.iter().zip(twin).map(|(fast, twin)| (f64::from(*fast) - twin).abs()).fold(0.0, f64::max)
}

/// Grey levels from the twin.
fn tolerance(format: PixelFormat) -> f64 {
    if format.is_yuv() { 4.0 } else { 2.0 }
}

fn colorimetry_of(format: PixelFormat) -> Colorimetry {
    let yuv = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };
    if format.is_yuv() { yuv } else { Colorimetry::RGB }
}

#[test]
fn every_format_agrees_with_the_twin_and_with_rgb() {
    let size = Size::new(301, 211);
    let source = Rect { x: 13, y: 7, width: 273, height: 190 };
    let spec = spec(64, Fit::Squash);
    let rgb = smooth(size);
    let reference =
        fast(&Owned::of_rgb(&rgb, size, PixelFormat::Rgb, Colorimetry::RGB, 0).view(), source, spec);
    for format in PixelFormat::ALL {
        let frame = Owned::of_rgb(&rgb, size, format, colorimetry_of(format), 0);
        let picture = fast(&frame.view(), source, spec);
        let off = worst(&picture, &twin(&frame.view(), source, &spec));
        assert!(off <= tolerance(format), "{format}: {off} from the twin");
        let differences = picture.iter().zip(&reference).map(|(a, b)| u32::from(a.abs_diff(*b)));
        let (most, sum) = differences.fold((0, 0), |(most, sum), d| (most.max(d), sum + d));
        let mean = f64::from(sum) / picture.len() as f64;
        assert!(most <= 6 && mean <= 1.0, "{format}: {most} from RGB, {mean} in the mean");
    }
}

#[test]
fn a_part_is_what_a_cut_out_picture_is() {
    let size = Size::new(120, 90);
    let rgb = smooth(size);
    let source = Rect { x: 31, y: 11, width: 64, height: 57 };
    let cut: Vec<u8> = (0..source.height as usize)
        .flat_map(|y| {
            let from = 3 * ((y + 11) * 120 + 31);
            rgb[from..from + 3 * 64].to_vec()
        })
        .collect();
    let whole = Owned::of_rgb(&rgb, size, PixelFormat::Rgb, Colorimetry::RGB, 0);
    let cut_size = Size::new(source.width, source.height);
    let cut = Owned::of_rgb(&cut, cut_size, PixelFormat::Rgb, Colorimetry::RGB, 0);
    let spec = spec(32, Fit::Squash);
    assert_eq!(fast(&whole.view(), source, spec), fast(&cut.view(), Rect::whole(cut_size), spec));
}

#[test]
fn run_is_resize_and_normalise() {
    let size = Size::new(97, 61);
    let frame = Owned::of_rgb(&smooth(size), size, PixelFormat::Nv12, colorimetry_of(PixelFormat::Nv12), 3);
    for fit in [Fit::Squash, Fit::Letterbox] {
        let spec = spec(32, fit);
        let mut preprocessor = Preprocessor::new(spec);
        let (mut direct, mut staged) = (vec![0.0; 3 * 32 * 32], vec![0.0; 3 * 32 * 32]);
        let placement = preprocessor.run(&frame.view(), Rect::whole(size), &mut direct).unwrap();
        normalise(&fast(&frame.view(), Rect::whole(size), spec), &spec, placement.target, &mut staged);
        assert_eq!(direct, staged, "{fit:?}");
    }
}

#[test]
fn letterbox_bars_stay_black_when_the_shape_changes() {
    let (wide, high) = (Size::new(64, 16), Size::new(16, 64));
    let white = |size: Size| vec![255; 3 * size.area()];
    let spec = spec(32, Fit::Letterbox);
    let mut preprocessor = Preprocessor::new(spec);
    let mut out = vec![7; 3 * 32 * 32];
    for size in [wide, high] {
        let frame = Owned::of_rgb(&white(size), size, PixelFormat::Rgb, Colorimetry::RGB, 0);
        let placement = preprocessor.resize_rgb(&frame.view(), Rect::whole(size), &mut out).unwrap();
        let filled = out.iter().filter(|sample| **sample == 255).count();
        assert_eq!(filled, 3 * (placement.target.width * placement.target.height) as usize);
        assert_eq!(out.iter().filter(|sample| **sample == 0).count(), out.len() - filled);
    }
}

#[test]
fn wrong_lengths_and_sources_are_named() {
    let size = Size::new(8, 8);
    let frame = Owned::of_rgb(&smooth(size), size, PixelFormat::Rgb, Colorimetry::RGB, 0);
    let mut preprocessor = Preprocessor::new(spec(32, Fit::Squash));
    let mut out = vec![0.0; 3 * 32 * 32];
    let rect = Rect { x: 1, y: 0, width: 8, height: 8 };
    let refused = preprocessor.run(&frame.view(), rect, &mut out).err();
    assert_eq!(refused, Some(PreprocessError::Source { rect, size }));
    let refused = preprocessor.run(&frame.view(), Rect::whole(size), &mut out[1..]).err();
    assert_eq!(refused, Some(PreprocessError::Length { side_px: 32, expected: 3072, found: 3071 }));
}

#[test]
fn short_last_rows_are_read_like_long_ones() {
    let size = Size::new(33, 21);
    for format in PixelFormat::ALL {
        let frame = Owned::of_rgb(&smooth(size), size, format, colorimetry_of(format), 8);
        let view = frame.view();
        let short: Vec<Plane<'_>> = (0..format.planes())
            .map(|index| {
                let (row_bytes, rows) = format.plane_extent(index, size);
                let plane = view.planes()[index];
                Plane { bytes: &plane.bytes[..plane.stride * (rows - 1) + row_bytes], ..plane }
            })
            .collect();
        let cut = FrameView::new(format, size, view.colorimetry(), &short).unwrap();
        let spec = spec(32, Fit::Squash);
        assert_eq!(fast(&view, Rect::whole(size), spec), fast(&cut, Rect::whole(size), spec), "{format}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any size, part, stride and format: never a panic, never far from the twin, never the padding.
    #[test]
    fn anything_is_close_to_the_twin(
        (width, height) in (1_u32..70, 1_u32..70),
        (x, y, w, h) in (0.0..1.0_f64, 0.0..1.0_f64, 0.0..1.0_f64, 0.0..1.0_f64),
        padding in 0_usize..9,
        format in proptest::sample::select(&PixelFormat::ALL[..]),
        letterbox in any::<bool>(),
    ) {
        let size = Size::new(width, height);
        let pick = |f: f64, most: u32| ((f * f64::from(most)) as u32).min(most - 1);
        let (x, y) = (pick(x, width), pick(y, height));
        let source = Rect { x, y, width: 1 + pick(w, width - x), height: 1 + pick(h, height - y) };
        let frame = Owned::of_rgb(&smooth(size), size, format, colorimetry_of(format), padding);
        let spec = spec(32, if letterbox { Fit::Letterbox } else { Fit::Squash });
        let off = worst(&fast(&frame.view(), source, spec), &twin(&frame.view(), source, &spec));
        prop_assert!(off <= tolerance(format), "{} from the twin", off);
    }
}

#[test]
fn colours_survive() {
    let size = Size::new(64, 64);
    let colour = [200, 90, 70];
    let rgb: Vec<u8> = colour.iter().copied().cycle().take(3 * size.area()).collect();
    for format in PixelFormat::ALL {
        let frame = Owned::of_rgb(&rgb, size, format, colorimetry_of(format), 0);
        let out = fast(&frame.view(), Rect::whole(size), spec(32, Fit::Squash));
        for (found, sent) in out.iter().zip(colour.iter().cycle()) {
            assert!(found.abs_diff(*sent) <= 3, "{format}: {found} for {sent}");
        }
    }
    assert_eq!(to_yuv([0, 0, 0], Colorimetry::RGB), [0, 128, 128]);
}
