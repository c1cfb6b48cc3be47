//! The committed engine in half precision: the same masks.

use std::path::{Path, PathBuf};

use polyp::frame::{Colorimetry, FrameView, PixelFormat, Plane, Rect, Size};
use polyp::preprocess::Preprocessor;
use polyp_engine::folder::EngineFolder;
use polyp_engine::manifest::MODEL_FILE;
use polyp_engine::onnx::{halve, read_weights};
use polyp_engine::weights::Array;

use super::runtimes::{onnx_runtime, openvino};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The committed pictures as the network sees them, `[12,3,S,S]`.
fn pictures(folder: &EngineFolder) -> Array {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root().join("tests/fixtures/kvasir-seg/images"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let spec = folder.manifest().input;
    let side = spec.side_px as usize;
    let mut preprocessor = Preprocessor::new(spec);
    let mut values = vec![0.0; paths.len() * 3 * side * side];
    for (path, out) in paths.iter().zip(values.chunks_exact_mut(3 * side * side)) {
        let picture = image::open(path).unwrap().to_rgb8();
        let size = Size::new(picture.width(), picture.height());
        let plane = Plane { bytes: picture.as_raw(), stride: 3 * picture.width() as usize };
        let frame = FrameView::new(PixelFormat::Rgb, size, Colorimetry::RGB, &[plane]).unwrap();
        preprocessor.run(&frame, Rect::whole(size), out).unwrap();
    }
    Array::new(vec![paths.len(), 3, side, side], values).unwrap()
}

#[test]
fn a_halved_engine_draws_the_same_masks() {
    let folder = EngineFolder::open(&root().join("engines/store/lite")).unwrap();
    let whole = folder.path().join(MODEL_FILE);
    let temp = tempfile::tempdir().unwrap();
    let half = temp.path().join("half.onnx");
    std::fs::write(&half, halve(&whole, &folder.model().unwrap()).unwrap()).unwrap();
    let length = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(length(&half) * 2 < length(&whole) + 100_000, "{} of {}", length(&half), length(&whole));
    // A norm that was not folded would still have its statistics.
    let weights = read_weights(&half).unwrap();
    let left: Vec<&str> =
        weights.iter().map(|(name, _)| name).filter(|name| name.contains("running_")).collect();
    assert!(left.is_empty(), "{left:?}");

    let memory = folder.memory().unwrap();
    let mut inputs = vec![("image", pictures(&folder))];
    for (name, array) in &memory.tensors {
        let shape = [&[1], array.shape.as_slice()].concat();
        inputs.push((name, Array::new(shape, array.values.clone()).unwrap()));
    }
    let outputs = ["logits".to_owned()];
    let [exact] = openvino(&whole, &inputs, &outputs).try_into().unwrap();
    for (library, found) in [
        ("onnxruntime", onnx_runtime(&half, &inputs, &outputs)),
        ("openvino", openvino(&half, &inputs, &outputs)),
    ] {
        let [found] = found.try_into().unwrap();
        let count = |pick: &dyn Fn(f32, f32) -> bool| {
            exact.values.iter().zip(&found.values).filter(|(a, b)| pick(**a, **b)).count() as f64
        };
        let both = count(&|a, b| a > 0.0 && b > 0.0);
        let dice = 2.0 * both / (count(&|a, _| a > 0.0) + count(&|_, b| b > 0.0));
        let pairs = exact.values.iter().zip(&found.values);
        let furthest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{library}: Dice with the float32 masks {dice:.6}, furthest logit {furthest}");
        assert!(dice >= 0.999, "{library}: {dice}");
        assert!(found.values.iter().all(|logit| logit.is_finite()), "{library}");
    }
}
