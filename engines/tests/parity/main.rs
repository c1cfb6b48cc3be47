//! The reference against the ONNX file as OpenVINO (float32) and ONNX Runtime run it: block by block, then whole
//! networks. Weights are random and so are running statistics, norms and layer scales, so that no term is zero
//! or one by luck.
//!
//! Distances are the largest of two values, relative to the largest of the reference's values without sign.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's way to fail"
)]
#![cfg(all(feature = "openvino", feature = "ort"))]

mod halved;
mod runtimes;
mod ssmix;

use std::sync::Arc;

use polyp::model::{
    ConvNext, EfficientNetLite, FrameOps, Fusion, Head, Init, LevelMemory, LiteSize, Mixer, MoDab,
    ModelError, ModelSpec, Network, Param, UpBlock,
};
use polyp_engine::onnx::{GraphWriter, export};
use polyp_engine::reference::{ReferenceOps, Tensor};
use polyp_engine::weights::{Array, Weights};

use runtimes::{onnx_runtime, openvino};

/// Sums are made in another order, and that is all.
const TOLERANCE: f32 = 1e-4;

/// Random weights with nothing left at 0, 1 or 1e-6: what starts constant gets a spread of its own.
fn roughened(params: &[&Param], seed: u64) -> Weights {
    let mut weights = Weights::random(params, seed);
    for param in params {
        let Init::Constant(start) = param.init else { continue };
        let noise = Param::new(format!("{} noise", param.path), &param.shape, Init::Uniform(0.3));
        let noise = Weights::random(&[&noise], seed);
        let (_, noise) = noise.iter().next().unwrap();
        let values = noise.values.iter().map(|value| value + if start == 1e-6 { 0.5 } else { start });
        weights.insert(&param.path, Array::new(param.shape.clone(), values.collect()).unwrap());
    }
    weights
}

/// An array that is always the same for a seed, uniform in -2 to 2.
fn random(shape: &[usize], seed: u64) -> Array {
    let param = Param::new("input", shape, Init::Uniform(2.0));
    Weights::random(&[&param], seed).get(&param).unwrap().clone()
}

/// Something with inputs and outputs that any interpreter can run.
trait Block {
    fn forward<O: FrameOps>(&self, ops: &O, inputs: &[O::Tensor]) -> Result<Vec<O::Tensor>, ModelError>;
}

/// Compares the run times with the reference. `fixed` says from which input on the first axis has a fixed length.
fn compare(name: &str, block: &impl Block, weights: &Weights, inputs: &[(&str, Array)], fixed: usize) {
    let tensors: Vec<Tensor> = inputs.iter().map(|(_, array)| Arc::new(array.clone())).collect();
    let expected = block.forward(&ReferenceOps::new(weights), &tensors).unwrap();

    let writer = GraphWriter::new(weights);
    let mut values = Vec::new();
    for (index, (name, array)) in inputs.iter().enumerate() {
        let mut shape = array.shape.clone();
        values.push(if index < fixed {
            shape[0] = 1;
            writer.batch_input(name, &shape)
        } else {
            writer.fixed_input(name, &shape)
        });
    }
    let outputs = block.forward(&writer, &values).unwrap();
    for (index, output) in outputs.iter().enumerate() {
        writer.output(&format!("output.{index}"), output);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("block.onnx");
    writer.write(name, &path).unwrap();
    agree(name, &path, inputs, &expected, "output.");
}

fn agree(name: &str, path: &std::path::Path, inputs: &[(&str, Array)], expected: &[Tensor], prefix: &str) {
    let names: Vec<String> = match expected {
        [_] if !prefix.ends_with('.') => vec![prefix.to_owned()],
        many => (0..many.len()).map(|index| format!("{prefix}{index}")).collect(),
    };
    for (library, found) in
        [("openvino", openvino(path, inputs, &names)), ("onnxruntime", onnx_runtime(path, inputs, &names))]
    {
        for ((name_out, expected), found) in names.iter().zip(expected).zip(found) {
            assert_eq!(found.shape, expected.shape, "{name} {name_out}");
            let largest = expected.values.iter().map(|value| value.abs()).fold(0.0, f32::max);
            let pairs = expected.values.iter().zip(&found.values);
            let furthest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("{name} {name_out} {library}: furthest {furthest:e} of {largest}");
            assert!(largest > 0.01, "{name} {name_out}: nothing but zeros");
            assert!(furthest <= TOLERANCE * largest, "{name} {name_out} {library}: {furthest} of {largest}");
        }
    }
}

impl Block for ConvNext {
    fn forward<O: FrameOps>(&self, ops: &O, inputs: &[O::Tensor]) -> Result<Vec<O::Tensor>, ModelError> {
        self.forward(ops, &inputs[0])
    }
}

#[test]
fn convnext() {
    let block = ConvNext::new("encoder");
    let weights = roughened(&block.params(), 1);
    compare("convnext", &block, &weights, &[("image", random(&[2, 3, 64, 64], 2))], 1);
}

impl Block for EfficientNetLite {
    fn forward<O: FrameOps>(&self, ops: &O, inputs: &[O::Tensor]) -> Result<Vec<O::Tensor>, ModelError> {
        self.forward(ops, &inputs[0])
    }
}

#[test]
fn efficientnet() {
    let block = EfficientNetLite::new("encoder", LiteSize::Lite2);
    let weights = roughened(&block.params(), 3);
    compare("efficientnet", &block, &weights, &[("image", random(&[2, 3, 96, 96], 4))], 1);
}

impl Block for MoDab {
    fn forward<O: FrameOps>(&self, ops: &O, inputs: &[O::Tensor]) -> Result<Vec<O::Tensor>, ModelError> {
        let memory = match inputs {
            [_, key, value] => Some(LevelMemory { key: Some(key.clone()), value: value.clone() }),
            [_, value] => Some(LevelMemory { key: None, value: value.clone() }),
            _ => None,
        };
        Ok(vec![self.forward(ops, &inputs[0], memory.as_ref())?])
    }
}

#[test]
fn modab() {
    let block = MoDab::new("modab", 48, 0.1, Fusion::CrossAttention);
    let weights = roughened(&block.params(), 5);
    let inputs = [
        ("x", random(&[3, 48, 5, 6], 6)),
        ("key", random(&[1, 9, 48], 7)),
        ("value", random(&[1, 9, 48], 8)),
    ];
    compare("modab, one memory", &block, &weights, &inputs, 1);
    let inputs = [
        ("x", random(&[2, 48, 5, 6], 6)),
        ("key", random(&[2, 9, 48], 7)),
        ("value", random(&[2, 9, 48], 8)),
    ];
    compare("modab, a memory each", &block, &weights, &inputs, 3);
    let block = MoDab::new("modab", 48, 0.1, Fusion::Addition);
    let weights = roughened(&block.params(), 5);
    let inputs = [("x", random(&[3, 48, 5, 6], 6)), ("value", random(&[1, 1, 48], 8))];
    compare("modab, one token added", &block, &weights, &inputs, 1);
    let inputs = [("x", random(&[2, 48, 5, 6], 6)), ("value", random(&[2, 1, 48], 8))];
    compare("modab, a token each added", &block, &weights, &inputs, 2);
    let block = MoDab::new("modab", 48, 0.1, Fusion::None);
    compare("modab without text", &block, &roughened(&block.params(), 5), &inputs[..1], 1);
}

impl Block for UpBlock {
    fn forward<O: FrameOps>(&self, ops: &O, inputs: &[O::Tensor]) -> Result<Vec<O::Tensor>, ModelError> {
        Ok(vec![self.forward(ops, &inputs[0], &inputs[1])?])
    }
}

#[test]
fn up_block() {
    let block = UpBlock::new("up", 40, 24, 16);
    let weights = roughened(&block.params(), 9);
    let inputs = [("x", random(&[2, 40, 5, 3], 10)), ("skip", random(&[2, 24, 10, 6], 11))];
    compare("up block", &block, &weights, &inputs, 2);
}

impl Block for Head {
    fn forward<O: FrameOps>(&self, ops: &O, inputs: &[O::Tensor]) -> Result<Vec<O::Tensor>, ModelError> {
        Ok(vec![self.forward(ops, &inputs[0])?])
    }
}

#[test]
fn head() {
    let block = Head::new("head", 48);
    let weights = roughened(&block.params(), 12);
    compare("head", &block, &weights, &[("x", random(&[2, 48, 7, 5], 13))], 1);
}

/// A whole network: text features to memory by the reference, then the exported file.
fn network(spec: &ModelSpec, batch: usize) {
    let network = Network::new(spec).unwrap();
    let params = network.params();
    let weights = roughened(&params, 14);
    let ops = ReferenceOps::new(&weights);
    let text = random(&[1, polyp::model::PROMPT_TOKENS, spec.text_width], 15);
    let memory = network.remember(&ops, &Arc::new(text)).unwrap();
    let image = random(&[batch, 3, spec.side_px, spec.side_px], 16);
    let started = std::time::Instant::now();
    let expected = network.forward(&ops, &Arc::new(image.clone()), &memory).unwrap();
    println!("{} reference: {:?}", spec.name, started.elapsed());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    export(&network, &weights, &path).unwrap();
    let names: Vec<String> = network.memory_shapes().into_iter().map(|(name, _)| name).collect();
    let tensors = memory.iter().flat_map(LevelMemory::tensors);
    let mut inputs = vec![("image", image)];
    inputs.extend(names.iter().zip(tensors).map(|(name, array)| (name.as_str(), (**array).clone())));
    agree(&spec.name, &path, &inputs, &[expected], "logits");
}

#[test]
fn lite() {
    network(&ModelSpec::lite(), 1);
    network(&ModelSpec { name: "lite at 96, twice".to_owned(), side_px: 96, ..ModelSpec::lite() }, 2);
}

#[test]
fn variants() {
    let lite = ModelSpec { side_px: 64, ..ModelSpec::lite() };
    let without_text = ModelSpec { fusion: Fusion::None, ..lite.clone() };
    network(&ModelSpec { name: "linear".to_owned(), mixer: Mixer::Linear, ..lite.clone() }, 2);
    network(&ModelSpec { name: "addition".to_owned(), fusion: Fusion::Addition, ..lite }, 2);
    network(&ModelSpec { name: "no MoDAB".to_owned(), modab: false, ..without_text.clone() }, 2);
    network(&ModelSpec { name: "no text".to_owned(), ..without_text }, 2);
}

#[test]
fn base() {
    network(&ModelSpec::base(), 1);
}
