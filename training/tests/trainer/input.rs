//! One specification of the input: what the trainer shows the network is what a cart shows it.

use polyp::frame::{Colorimetry, FrameView, PixelFormat, Plane, Rect};
use polyp::input::{Fit, InputSpec, Normalisation};
use polyp::preprocess::Preprocessor;
use polyp_training::data::{Picture, Squash};
use polyp_training::fit::images_to_tensor;

use crate::fixture::{SIZE, picture};

#[test]
fn trainer_and_cart_see_the_same_numbers() {
    let kinds = [
        Normalisation::Fixed { mean: [127.0, 120.0, 110.0], std: [128.0, 60.0, 50.0] },
        Normalisation::ZScorePerImage,
    ];
    for normalisation in kinds {
        for index in 0..3 {
            let rgb = picture(index).0.into_raw();
            // The cart's way.
            let plane = Plane { bytes: &rgb, stride: 3 * SIZE.width as usize };
            let frame = FrameView::new(PixelFormat::Rgb, SIZE, Colorimetry::RGB, &[plane]).unwrap();
            let spec = InputSpec { side_px: 64, fit: Fit::Squash, normalisation };
            let mut cart = vec![0.0; 3 * 64 * 64];
            Preprocessor::new(spec).run(&frame, Rect::whole(SIZE), &mut cart).unwrap();
            // The trainer's.
            let picture = Picture { rgb: rgb.clone(), mask: vec![0; SIZE.area()], size: SIZE };
            let (mut small, mut mask) = (vec![0; 3 * 64 * 64], vec![0; 64 * 64]);
            Squash::new(64).run(&picture, &mut small, &mut mask).unwrap();
            let tensor = images_to_tensor(&small, 1, 64, &normalisation, tch::Device::Cpu).unwrap();
            let trainer = Vec::<f32>::try_from(tensor.contiguous().flatten(0, -1)).unwrap();
            let furthest = cart.iter().zip(&trainer).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(furthest < 1e-4, "{normalisation:?}: {furthest}");
            assert!(cart.iter().any(|value| value.abs() > 0.3), "{normalisation:?}: nothing to compare");
        }
    }
}
