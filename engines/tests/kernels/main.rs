//! The kernels that a card runs, compiled by the C++ compiler of this machine, against their Rust twins on random
//! pictures of random sizes: the same to the last bit, and right.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's way to fail"
)]

mod host;
#[cfg(feature = "cuda")]
mod nvrtc;
mod paint;
mod twin;

use std::time::Duration;

use half::f16;
use polyp::decode::{DecodeError, Decoder, uncertainty_byte};
use polyp::frame::{Colorimetry, FrameView, Matrix, PixelFormat, Plane, Range, Rect, Size};
use polyp::input::{Fit, InputSpec, Normalisation, Placement};
use polyp::preprocess::{Preprocessor, normalise};
use polyp::random::Random;
use polyp_engine::cuda::arguments::{DevicePlane, Picture, SourceFormat, Target};

use host::Host;
use twin::Frame;

/// A frame of random bytes: with hard edges everywhere, which no camera has.
fn noise(format: SourceFormat, size: Size, padding: usize, random: &mut Random) -> Frame {
    let planes = (0..format.planes())
        .map(|plane| {
            let (row_bytes, rows) = format.plane_extent(plane, size);
            let stride = row_bytes + padding;
            ((0..stride * rows).map(|_| (random.bits() >> 56) as u8).collect(), stride)
        })
        .collect();
    let matrix = [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020][random.below(3)];
    let range = [Range::Full, Range::Limited][random.below(2)];
    Frame { format, size, colorimetry: Colorimetry { matrix, range }, planes }
}

fn picture(frame: &Frame, source: Rect) -> Picture {
    let plane = |(bytes, stride): &(Vec<u8>, usize)| DevicePlane {
        address: bytes.as_ptr() as u64,
        bytes: bytes.len(),
        stride: *stride,
    };
    let planes: Vec<DevicePlane> = frame.planes.iter().map(plane).collect();
    Picture::new(frame.format, frame.size, frame.colorimetry, &planes, source).unwrap()
}

/// A part of a frame.
fn part(size: Size, random: &mut Random) -> Rect {
    let (x, y) = (random.below(size.width as usize) as u32, random.below(size.height as usize) as u32);
    let width = 1 + random.below((size.width - x) as usize) as u32;
    let height = 1 + random.below((size.height - y) as usize) as u32;
    Rect { x, y, width, height }
}

fn spec(side_px: u32, fit: Fit, normalisation: Normalisation) -> InputSpec {
    InputSpec { side_px, fit, normalisation }
}

#[test]
fn shrinking_is_the_twins_to_the_last_bit_and_the_formulas_to_half_a_level() {
    let host = Host::new();
    let mut random = Random::new(&[20]);
    for round in 0..12 {
        for format in SourceFormat::ALL {
            let size = Size::new(1 + random.below(150) as u32, 1 + random.below(110) as u32);
            let frame = noise(format, size, random.below(9), &mut random);
            let source = part(size, &mut random);
            let fit = if round % 2 == 0 { Fit::Squash } else { Fit::Letterbox };
            let placement = spec(32, fit, Normalisation::ZScorePerImage).place(source);
            let (rgb, sums, squares) = host.shrink(picture(&frame, source), placement.into());
            let told = format!("{format:?} {size}, source {source}, {fit:?}, {:?}", frame.colorimetry);
            assert!(rgb == twin::shrink(&frame, placement), "{told}");
            let target = placement.target;
            for (column, row) in (0..8).map(|i| (i * 37 % target.width, i * 53 % target.height)) {
                let place = ((target.y + row) * 32 + target.x + column) as usize;
                for (channel, value) in twin::formula(&frame, placement, column, row).into_iter().enumerate()
                {
                    let found = f64::from(rgb[channel * 1024 + place]);
                    // Half a level by rounding, and what float32 loses.
                    assert!((found - value).abs() <= 0.51, "{told}, ({column}, {row}): {found}, {value}");
                }
            }
            for (row, samples) in rgb.chunks_exact(32).enumerate() {
                let wide = samples.iter().map(|&sample| u32::from(sample));
                assert_eq!(sums[row], wide.clone().sum::<u32>(), "{told}");
                assert_eq!(squares[row], wide.map(|sample| sample * sample).sum::<u32>(), "{told}");
            }
        }
    }
}

/// What a cart's CPU makes of the frame differs by the rounding of its two passes alone.
#[test]
fn a_card_sees_what_a_cpu_sees() {
    let host = Host::new();
    let mut random = Random::new(&[21]);
    for format in PixelFormat::ALL {
        let size = Size::new(203, 151);
        let frame = noise(SourceFormat::Frame(format), size, 5, &mut random);
        let colorimetry = if format.is_yuv() { frame.colorimetry } else { Colorimetry::RGB };
        let planes: Vec<Plane<'_>> =
            frame.planes.iter().map(|(bytes, stride)| Plane { bytes, stride: *stride }).collect();
        let view = FrameView::new(format, size, colorimetry, &planes).unwrap();
        let spec = spec(64, Fit::Squash, Normalisation::ZScorePerImage);
        let source = Rect { x: 3, y: 2, width: 197, height: 144 };
        let mut pixels = vec![0; 3 * 64 * 64];
        let placement = Preprocessor::new(spec).resize_rgb(&view, source, &mut pixels).unwrap();
        let (rgb, ..) = host.shrink(picture(&frame, source), placement.into());
        let planes = (0..3).flat_map(|channel| pixels.iter().skip(channel).step_by(3));
        let off = rgb.iter().zip(planes).map(|(card, cpu)| card.abs_diff(*cpu)).max().unwrap();
        // The CPU's own tolerance (src/preprocess/tests.rs).
        assert!(off <= if format.is_yuv() { 4 } else { 2 }, "{format}: {off}");
    }
}

#[test]
fn normalising_is_the_cpus_to_the_last_bit() {
    let host = Host::new();
    let mut random = Random::new(&[22]);
    let fixed = Normalisation::Fixed { mean: [123.7, 116.3, 103.5], std: [58.4, 57.1, 57.4] };
    for (normalisation, fit) in [
        (fixed, Fit::Letterbox),
        (Normalisation::ZScorePerImage, Fit::Letterbox),
        (Normalisation::ZScorePerImage, Fit::Squash),
    ] {
        for size in [Size::new(90, 41), Size::new(31, 77)] {
            let spec = spec(32, fit, normalisation);
            let frame = noise(SourceFormat::Frame(PixelFormat::Rgb), size, 0, &mut random);
            let placement = spec.place(Rect::whole(size));
            let target = Target::from(placement);
            let (rgb, sums, squares) = host.shrink(picture(&frame, placement.source), target);
            let (moments, outside) = match normalisation {
                Normalisation::ZScorePerImage => (host.moments(target, &sums, &squares), false),
                Normalisation::Fixed { mean, std } => {
                    (mean.into_iter().zip(std).flat_map(|(mean, std)| [mean, 1.0 / std]).collect(), true)
                }
            };
            let image = host.normalise(target, outside, &rgb, &moments);
            let pixels: Vec<u8> = (0..1024).flat_map(|i| [rgb[i], rgb[1024 + i], rgb[2048 + i]]).collect();
            let mut expected = vec![9.0; 3 * 1024];
            normalise(&pixels, &spec, placement.target, &mut expected);
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            // Neither knows a negative zero apart.
            assert_eq!(bits(&image).len(), bits(&expected).len());
            assert_eq!(image, expected, "{spec:?} {size}");
            let halves: Vec<u16> = image.iter().map(|value| f16::from_f32(*value).to_bits()).collect();
            assert_eq!(host.normalise_half(target, outside, &rgb, &moments), halves, "{spec:?} {size}");
        }
    }
}

#[test]
fn halves_are_rounded_as_ieee_says() {
    let host = Host::new();
    let target = Target { side: 64, filled: [0, 0, 64, 64] };
    let rgb: Vec<u8> = (0..3 * 64 * 64).map(|index| (index % 256) as u8).collect();
    let mut random = Random::new(&[23]);
    // Scales that reach from below the smallest half to above the largest.
    for exponent in -40..=20 {
        let moments: Vec<f32> = (0..3)
            .flat_map(|_| [random.unit() * 200.0, (1.0 + random.unit()) * 2_f32.powi(exponent)])
            .collect();
        let image = host.normalise(target, true, &rgb, &moments);
        let halves = host.normalise_half(target, true, &rgb, &moments);
        for (value, half) in image.iter().zip(halves) {
            assert_eq!(half, f16::from_f32(*value).to_bits(), "{value}");
        }
    }
}

fn placement(side_px: u32) -> Placement {
    let whole = Rect::whole(Size::new(side_px, side_px));
    Placement { source: whole, target: whole, side_px }
}

#[test]
fn decoding_is_the_cpus_to_the_last_bit() {
    let host = Host::new();
    let doubts: Vec<u8> = (0..=255).map(uncertainty_byte).collect();
    for temperature in [0.05, 1.0, 1.81, 6.55] {
        let decoder = Decoder::new(temperature).unwrap();
        let steps = decoder.steps();
        let mut logits: Vec<f32> =
            (0..250 * 250).map(|i| (i as f32 / 31_250.0 - 1.0) * 8.0 * temperature).collect();
        logits.extend(steps.iter().flat_map(|step| [step.next_down(), *step, step.next_up()]));
        logits.extend([0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE]);
        logits.resize(256 * 256, 0.3);
        let expected = decoder.decode(&logits, placement(256), Duration::ZERO, 0, None).unwrap().probability;
        let (probability, doubt, wrong) = host.decode(&logits, &steps, &doubts);
        assert_eq!((probability == expected, wrong), (true, u32::MAX), "temperature {temperature}");
        let expected: Vec<u8> = probability.iter().map(|&byte| uncertainty_byte(byte)).collect();
        assert!(doubt == expected, "temperature {temperature}");
    }
}

#[test]
fn every_half_is_read_and_what_is_not_finite_is_found() {
    let host = Host::new();
    let decoder = Decoder::new(1.7).unwrap();
    let (steps, doubts) = (decoder.steps(), vec![0; 256]);
    let finite: Vec<u16> = (0..=u16::MAX).filter(|bits| f16::from_bits(*bits).is_finite()).collect();
    let (probability, _, wrong) = host.decode_half(&finite, &steps, &doubts);
    assert_eq!(wrong, u32::MAX);
    let mut logits: Vec<f32> = finite.iter().map(|bits| f16::from_bits(*bits).to_f32()).collect();
    logits.resize(256 * 256, 0.0);
    let expected = decoder.decode(&logits, placement(256), Duration::ZERO, 0, None).unwrap().probability;
    assert!(probability == expected[..finite.len()]);

    for (index, value) in [(3, f32::NAN), (700, f32::INFINITY), (1023, f32::NEG_INFINITY)] {
        let mut logits = vec![0.0; 1024];
        (logits[index], logits[1023]) = (value, f32::NAN);
        let (_, _, wrong) = host.decode(&logits, &steps, &doubts);
        let said = decoder.decode(&logits, placement(32), Duration::ZERO, 0, None).unwrap_err();
        assert_eq!(wrong as usize, index);
        assert!(matches!(said, DecodeError::NotFinite { index: place, .. } if place == index), "{said}");
    }
}
