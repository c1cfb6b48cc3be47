//! EfficientNet-Lite against an independent program: ImageNet logits of one picture, with the public weights.
//! The expected ones are made by golden/efficientnet.py.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's way to fail"
)]

use std::path::Path;
use std::sync::Arc;

use polyp::model::{BatchNorm, Conv2d, EfficientNetLite, FrameOps, Init, LiteSize, Param};
use polyp_engine::reference::ReferenceOps;
use polyp_engine::weights::{Array, Weights};

const SIDE: usize = 256;

/// The same picture stands in golden/efficientnet.py.
fn picture() -> Array {
    let mut values = Vec::with_capacity(3 * SIDE * SIDE);
    for c in 0..3 {
        for y in 0..SIDE {
            for x in 0..SIDE {
                let inside = x.abs_diff(100).pow(2) + y.abs_diff(140).pow(2) < 60 * 60;
                let value = (x * (c + 1) + 2 * y) / 4 % 120 + 90 * usize::from(inside) + 20 * c;
                values.push((value as f32 - 127.0) / 128.0);
            }
        }
    }
    Array::new(vec![1, 3, SIDE, SIDE], values).unwrap()
}

fn param(path: &str, shape: &[usize]) -> Param {
    Param::new(path, shape, Init::Constant(0.0))
}

/// The last map through the classifier, which the network leaves out.
fn classify(ops: &ReferenceOps<'_>, last: &Arc<Array>) -> Arc<Array> {
    let channels = last.shape[1];
    let x = ops
        .conv2d(last, &param("_conv_head.weight", &[1280, channels, 1, 1]), None, Conv2d::dense(0))
        .unwrap();
    let part = |name: &str| param(&format!("_bn1.{name}"), &[1280]);
    let norm = BatchNorm {
        weight: part("weight"),
        bias: part("bias"),
        mean: part("running_mean"),
        variance: part("running_var"),
        epsilon: 1e-3,
        momentum: 0.01,
    };
    let x = ops.relu6(&ops.batch_norm(&x, &norm).unwrap()).unwrap();
    let x = ops.average_pool(&x, SIDE / 32, [0; 4]).unwrap();
    let x = ops.reshape(&x, &[1280]).unwrap();
    ops.linear(&x, &param("_fc.weight", &[1000, 1280]), Some(&param("_fc.bias", &[1000]))).unwrap()
}

#[test]
fn imagenet_logits_are_those_of_another_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, size) in [("efficientnet_lite0", LiteSize::Lite0), ("efficientnet_lite2", LiteSize::Lite2)] {
        let file = root.join("../.deps").join(name).join("model.safetensors");
        if !file.exists() {
            println!("skipped: {name}, because {} is not there (make setup)", file.display());
            continue;
        }
        let weights = Weights::read_safetensors(&file).unwrap();
        let inner = weights.iter().map(|(key, array)| (format!("encoder.{key}"), array.clone()));
        let all: Weights = weights.clone().into_iter().chain(inner).collect();
        let ops = ReferenceOps::new(&all);
        let encoder = EfficientNetLite::new("encoder", size);
        let taps = encoder.forward(&ops, &Arc::new(picture())).unwrap();
        let found = classify(&ops, taps.last().unwrap());
        let golden = root.join("tests/golden").join(format!("{name}.safetensors"));
        let golden = Weights::read_safetensors(&golden).unwrap();
        let expected = &golden.named("logits").unwrap().values;
        assert_eq!(found.values.len(), expected.len());
        let largest = expected.iter().map(|value| value.abs()).fold(0.0, f32::max);
        let pairs = expected.iter().zip(&found.values);
        let furthest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{name}: furthest {furthest:e} of {largest}");
        assert!(furthest <= 1e-4 * largest, "{name}: {furthest:e} of {largest}");
    }
}
