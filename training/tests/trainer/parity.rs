//! tch against the plain reference, block by block and whole, in float32. The same random weights, the same inputs;
//! distances are relative to the largest of the reference's values without sign.

use std::rc::Rc;
use std::sync::Arc;

use polyp::model::{
    ConvNext, EfficientNetLite, Fusion, Head, Init, LevelMemory, LiteSize, Mixer, MoDab, Mode, ModelError,
    ModelSpec, Network, PROMPT_TOKENS, Param, PromptLevel, PromptOps, SsMix, UpBlock,
};
use polyp_engine::reference::ReferenceOps;
use polyp_engine::weights::{Array, Weights};
use polyp_training::ops::TchOps;
use polyp_training::variables::Variables;
use tch::{Device, Kind, Tensor};

/// Sums are made in another order, and that is all.
const TOLERANCE: f32 = 1e-5;

/// Random weights; what starts constant (norms, running statistics) gets a spread of its own.
fn weights(params: &[&Param]) -> Weights {
    let mut weights = Weights::random(params, 3);
    for param in params {
        let Init::Constant(start) = param.init else { continue };
        let noise = Param::new(format!("{} noise", param.path), &param.shape, Init::Uniform(0.3));
        let noise = Weights::random(&[&noise], 4).get(&noise).unwrap().values.clone();
        let start = if start == 1e-6 { 0.5 } else { start };
        let values = noise.into_iter().map(|value| value + start).collect();
        weights.insert(&param.path, Array::new(param.shape.clone(), values).unwrap());
    }
    weights
}

fn input(shape: &[usize], seed: u64) -> Array {
    let param = Param::new("input", shape, Init::Uniform(2.0));
    Weights::random(&[&param], seed).get(&param).unwrap().clone()
}

/// Something that any interpreter can run.
trait Block {
    fn forward<O: PromptOps>(&self, ops: &O, inputs: &[O::Tensor]) -> Result<Vec<O::Tensor>, ModelError>;
}

/// Runs `block` on both; gives back the furthest that tch is off, relative.
fn compare(name: &str, block: &impl Block, params: &[&Param], inputs: &[Array], tolerance: f32) {
    let weights = weights(params);
    let plain: Vec<_> = inputs.iter().map(|array| Arc::new(array.clone())).collect();
    let expected = block.forward(&ReferenceOps::new(&weights), &plain).unwrap();
    let variables = Variables::of(params, &weights, &[], Device::Cpu).unwrap();
    let tensor = |array: &Array| {
        let shape: Vec<i64> = array.shape.iter().map(|&length| length as i64).collect();
        Rc::new(Tensor::from_slice(&array.values).reshape(shape))
    };
    let tensors: Vec<_> = inputs.iter().map(tensor).collect();
    let found =
        tch::no_grad(|| block.forward(&TchOps::new(&variables, Mode::Infer, Kind::Float), &tensors).unwrap());
    assert_eq!(found.len(), expected.len(), "{name}");
    for (index, (expected, found)) in expected.iter().zip(&found).enumerate() {
        let shape: Vec<usize> = found.size().iter().map(|&length| length as usize).collect();
        assert_eq!(shape, expected.shape, "{name} {index}");
        let found = Vec::<f32>::try_from(found.contiguous().flatten(0, -1)).unwrap();
        let largest = expected.values.iter().map(|value| value.abs()).fold(0.0, f32::max);
        let pairs = expected.values.iter().zip(&found);
        let furthest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{name} {index}: furthest {furthest:e} of {largest}");
        assert!(largest > 0.01, "{name} {index}: nothing but zeros");
        assert!(furthest <= tolerance * largest, "{name} {index}: {furthest:e} of {largest}");
    }
}

macro_rules! block {
    ($type:ty, |$block:ident, $ops:ident, $inputs:ident| $forward:expr) => {
        impl Block for $type {
            fn forward<O: PromptOps>(
                &self,
                $ops: &O,
                $inputs: &[O::Tensor],
            ) -> Result<Vec<O::Tensor>, ModelError> {
                let $block = self;
                $forward
            }
        }
    };
}

block!(ConvNext, |block, ops, inputs| block.forward(ops, &inputs[0]));
block!(EfficientNetLite, |block, ops, inputs| block.forward(ops, &inputs[0]));
block!(UpBlock, |block, ops, inputs| Ok(vec![block.forward(ops, &inputs[0], &inputs[1])?]));
block!(Head, |block, ops, inputs| Ok(vec![block.forward(ops, &inputs[0])?]));
block!(SsMix, |block, ops, inputs| Ok(vec![block.forward(ops, &inputs[0])?]));
block!(MoDab, |block, ops, inputs| {
    let memory = match inputs {
        [_, key, value] => Some(LevelMemory { key: Some(key.clone()), value: value.clone() }),
        [_, value] => Some(LevelMemory { key: None, value: value.clone() }),
        _ => None,
    };
    Ok(vec![block.forward(ops, &inputs[0], memory.as_ref())?])
});
block!(PromptLevel, |block, ops, inputs| {
    Ok(block.forward(ops, &inputs[0])?.tensors().cloned().collect())
});
block!(Network, |block, ops, inputs| {
    let memory = block.remember(ops, &inputs[1])?;
    Ok(vec![block.forward(ops, &inputs[0], &memory)?])
});

#[test]
fn convnext() {
    let block = ConvNext::new("encoder");
    compare("convnext", &block, &block.params(), &[input(&[2, 3, 64, 64], 1)], TOLERANCE);
}

#[test]
fn efficientnet() {
    let block = EfficientNetLite::new("encoder", LiteSize::Lite2);
    compare("efficientnet", &block, &block.params(), &[input(&[2, 3, 96, 96], 1)], TOLERANCE);
}

#[test]
fn modab() {
    let inputs = [input(&[3, 48, 5, 6], 1), input(&[1, 9, 48], 2), input(&[1, 9, 48], 3)];
    let added = [inputs[0].clone(), input(&[1, 1, 48], 2)];
    let added_each = [inputs[0].clone(), input(&[3, 1, 48], 2)];
    for (name, fusion, inputs) in [
        ("modab", Fusion::CrossAttention, inputs.as_slice()),
        ("modab, one token added", Fusion::Addition, &added),
        ("modab, a token each added", Fusion::Addition, &added_each),
        ("modab without text", Fusion::None, &inputs[..1]),
    ] {
        let block = MoDab::new("modab", 48, 0.1, fusion);
        compare(name, &block, &block.params(), inputs, TOLERANCE);
    }
}

#[test]
fn up_block() {
    let block = UpBlock::new("up", 40, 24, 16);
    let inputs = [input(&[2, 40, 5, 3], 1), input(&[2, 24, 10, 6], 2)];
    compare("up block", &block, &block.params(), &inputs, TOLERANCE);
}

#[test]
fn head() {
    let block = Head::new("head", 48);
    compare("head", &block, &block.params(), &[input(&[2, 48, 7, 5], 1)], TOLERANCE);
}

#[test]
fn ssmix() {
    for double_bias in [true, false] {
        let block = SsMix::new("mix", 64, 9, double_bias);
        compare("ssmix", &block, &block.params(), &[input(&[2, PROMPT_TOKENS, 64], 1)], TOLERANCE);
    }
}

#[test]
fn prompt_level() {
    for fusion in [Fusion::CrossAttention, Fusion::Addition] {
        for mixer in [Mixer::Ssmix, Mixer::Linear] {
            let spec = ModelSpec { text_width: 96, fusion, mixer, ..ModelSpec::lite() };
            let block = PromptLevel::new("prompt", &spec, 64, 12).unwrap();
            let name = format!("prompt level, {fusion:?}, {mixer:?}");
            compare(&name, &block, &block.params(), &[input(&[2, PROMPT_TOKENS, 96], 1)], TOLERANCE);
        }
    }
}

/// Whole networks: errors of some fifty layers add up.
#[test]
fn networks() {
    let lite = ModelSpec { side_px: 64, ..ModelSpec::lite() };
    let without_text = ModelSpec { fusion: Fusion::None, ..lite.clone() };
    for spec in [
        ModelSpec { side_px: 96, ..lite.clone() },
        ModelSpec { name: "linear".to_owned(), mixer: Mixer::Linear, ..lite.clone() },
        ModelSpec { name: "addition".to_owned(), fusion: Fusion::Addition, ..lite },
        ModelSpec { name: "no MoDAB".to_owned(), modab: false, ..without_text.clone() },
        ModelSpec { name: "no text".to_owned(), ..without_text },
        ModelSpec { side_px: 64, ..ModelSpec::base() },
    ] {
        let network = Network::new(&spec).unwrap();
        let inputs =
            [input(&[2, 3, spec.side_px, spec.side_px], 1), input(&[1, PROMPT_TOKENS, spec.text_width], 2)];
        compare(&spec.name, &network, &network.params(), &inputs, 1e-4);
    }
}
