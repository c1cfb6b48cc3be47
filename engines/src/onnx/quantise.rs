//! A graph in 8-bit integers, for CPUs: written from the float32 file, so that there is one network to trust.
//!
//! Only convolutions and products with weights are quantised, each by what stands before it: `QuantizeLinear` and
//! `DequantizeLinear` around its input (8 bits without a sign, one scale and zero for the tensor) and its weights as 8 bits with a
//! sign, one scale for each output channel. Libraries that know the pattern compute in integers there; all else stays in
//! floats. Norms are folded into the convolutions before them first.
//!
//! The ranges of inputs come from pictures: [`watch`] makes a graph that gives out every such input's least and greatest
//! value. Source: ONNX operator set 20, `QuantizeLinear` (<https://onnx.ai/onnx/operators/>).
//!
//! Not here: running either graph, and whether the masks are still good ([`crate::quantise`]).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use prost::Message;

use super::fold::{Folded, Refusal, refused};
use super::graph::{int, signed, tensor};
use super::proto::{Graph, Node, Shape, TensorType, Type, ValueInfo, data_type};
use crate::error::EngineError;
use crate::weights::{Array, float};

/// The least and the greatest value of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least.
    pub low: f32,
    /// The greatest.
    pub high: f32,
}

/// A layer that can be quantised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its node's name.
    pub name: String,
    /// The tensor that it reads.
    pub input: String,
}

/// How a layer's weights lie: with their output channels along the first axis, as they stand in the file.
struct Found {
    layer: Layer,
    /// The node's place.
    node: usize,
    weight: String,
    /// Whether the node takes the weight turned round, as a product does.
    turned: bool,
}

/// The layers of the ONNX file `bytes` that can be quantised, in the order in which they run; `from` is its path, for messages.
///
/// # Errors
/// [`EngineError::Format`] or [`EngineError::Field`] when it is not an ONNX file as [`super::export`] writes it.
pub fn layers(from: &Path, bytes: &[u8]) -> Result<Vec<Layer>, EngineError> {
    let opened = Folded::open(from, bytes)?;
    Ok(find(&opened).into_iter().map(|found| found.layer).collect())
}

/// The same network, giving out for every layer's input `NAME` its least value as `NAME.low` and its greatest as `NAME.high`,
/// numbers without axes, besides what it gave out before.
///
/// # Errors
/// As [`layers`].
pub fn watch(from: &Path, bytes: &[u8]) -> Result<Vec<u8>, EngineError> {
    let mut opened = Folded::open(from, bytes)?;
    let inputs: BTreeSet<String> = find(&opened).into_iter().map(|found| found.layer.input).collect();
    for input in inputs {
        for (op, end) in [("ReduceMin", "low"), ("ReduceMax", "high")] {
            let output = format!("{input}.{end}");
            opened.graph.node.push(Node {
                op_type: Some(op.to_owned()),
                name: Some(output.clone()),
                input: vec![input.clone()],
                output: vec![output.clone()],
                attribute: vec![int("keepdims", 0)],
            });
            let number = TensorType { elem_type: Some(data_type::FLOAT), shape: Some(Shape::default()) };
            opened
                .graph
                .output
                .push(ValueInfo { name: Some(output), r#type: Some(Type { tensor_type: Some(number) }) });
        }
    }
    Ok(close(opened))
}

/// The same network with those of its layers quantised whose names `wanted` has, by the `ranges` of their inputs.
///
/// # Errors
/// As [`layers`]; [`EngineError::Field`] too for a layer whose input has no range, or one that is not of numbers.
pub fn quantise(
    from: &Path,
    bytes: &[u8],
    ranges: &BTreeMap<String, Range>,
    wanted: &BTreeSet<String>,
) -> Result<Vec<u8>, EngineError> {
    let mut opened = Folded::open(from, bytes)?;
    let found: Vec<Found> =
        find(&opened).into_iter().filter(|found| wanted.contains(&found.layer.name)).collect();
    let mut before: BTreeMap<usize, Vec<Node>> = BTreeMap::new();
    let mut done = BTreeMap::new();
    for Found { layer, node, weight, turned } in &found {
        let nodes = before.entry(*node).or_default();
        let input = match done.get(&layer.input) {
            Some(known) => String::clone(known),
            None => {
                let scaled = scale_of(layer, ranges).map_err(|refusal| refused(from, refusal))?;
                let name = round_trip(&mut opened.graph, nodes, &layer.input, scaled);
                done.insert(layer.input.clone(), name.clone());
                name
            }
        };
        let array = opened.weights.get(weight).ok_or_else(|| {
            refused(from, (weight.clone(), "an initializer".to_owned(), "none of that name".to_owned()))
        })?;
        let (kernel, scales) = quantised(array);
        let kernel_name = format!("{weight}.int8");
        let value = integers(&mut opened.graph, nodes, &kernel_name, &array.shape, kernel, scales, *turned);
        if let Some(node) = opened.graph.node.get_mut(*node) {
            for (place, name) in node.input.iter_mut().zip([input, value]) {
                *place = name;
            }
        }
    }
    let nodes = std::mem::take(&mut opened.graph.node);
    for (place, node) in nodes.into_iter().enumerate() {
        opened.graph.node.extend(before.remove(&place).unwrap_or_default());
        opened.graph.node.push(node);
    }
    drop_unused(&mut opened);
    Ok(close(opened))
}

/// The file's bytes.
fn close(Folded { mut model, mut graph, weights }: Folded) -> Vec<u8> {
    for (name, array) in weights {
        let raw = float::encode(&array.values);
        graph.initializer.push(tensor(Some(name), &array.shape, data_type::FLOAT, raw));
    }
    model.graph = Some(graph);
    model.encode_to_vec()
}

/// Convolutions, and products whose right side is a weight turned round.
fn find(Folded { graph, weights, .. }: &Folded) -> Vec<Found> {
    let turned: BTreeMap<&String, &String> = graph
        .node
        .iter()
        .filter(|node| node.op_type.as_deref() == Some("Transpose"))
        .filter_map(|node| Some((node.output.first()?, node.input.first()?)))
        .filter(|(_, from)| weights.contains_key(*from))
        .collect();
    let one = |(place, node): (usize, &Node)| {
        let (input, second) = (node.input.first()?.clone(), node.input.get(1)?);
        let (weight, turned) = match node.op_type.as_deref()? {
            "Conv" => (second, false),
            "MatMul" => (*turned.get(second)?, true),
            _ => return None,
        };
        weights.contains_key(weight).then(|| Found {
            layer: Layer { name: node.name.clone().unwrap_or_default(), input },
            node: place,
            weight: weight.clone(),
            turned,
        })
    };
    graph.node.iter().enumerate().filter_map(one).collect()
}

/// A tensor's scale and zero: `value = (integer - zero) * scale`, integers from 0 to 255. 0 is among the values.
#[derive(Clone, Copy)]
struct Scaled {
    scale: f32,
    zero: u8,
}

fn scale_of(layer: &Layer, ranges: &BTreeMap<String, Range>) -> Result<Scaled, Refusal> {
    let refuse = |found: String| {
        Err((layer.input.clone(), "a range of finite numbers for every layer's input".to_owned(), found))
    };
    let Some(Range { low, high }) = ranges.get(&layer.input) else { return refuse("none".to_owned()) };
    if !(low.is_finite() && high.is_finite()) {
        return refuse(format!("{low} to {high}"));
    }
    let (low, high) = (low.min(0.0), high.max(0.0));
    let scale = ((high - low) / 255.0).max(f32::MIN_POSITIVE.sqrt());
    Ok(Scaled { scale, zero: (-low / scale).round() as u8 })
}

/// Puts the tensor `of` into integers and back; gives the new tensor's name.
fn round_trip(graph: &mut Graph, nodes: &mut Vec<Node>, of: &str, Scaled { scale, zero }: Scaled) -> String {
    let (scale_name, zero_name) = (format!("{of}.scale"), format!("{of}.zero"));
    graph.initializer.push(tensor(
        Some(scale_name.clone()),
        &[],
        data_type::FLOAT,
        scale.to_le_bytes().to_vec(),
    ));
    graph.initializer.push(tensor(Some(zero_name.clone()), &[], data_type::UINT8, vec![zero]));
    let (integers, back) = (format!("{of}.uint8"), format!("{of}.rounded"));
    for (op, from, to) in [("QuantizeLinear", of, &integers), ("DequantizeLinear", integers.as_str(), &back)]
    {
        nodes.push(Node {
            op_type: Some(op.to_owned()),
            name: Some(to.clone()),
            input: vec![from.to_owned(), scale_name.clone(), zero_name.clone()],
            output: vec![to.clone()],
            attribute: Vec::new(),
        });
    }
    back
}

/// Weights in integers from -127 to 127, and each output channel's scale. Channels lie along the first axis.
fn quantised(array: &Array) -> (Vec<i8>, Vec<f32>) {
    let channels = array.shape.first().copied().unwrap_or(1).max(1);
    let each = (array.values.len() / channels).max(1);
    let mut integers = Vec::with_capacity(array.values.len());
    let mut scales = Vec::with_capacity(channels);
    for channel in array.values.chunks(each) {
        let largest = channel.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = (largest / 127.0).max(f32::MIN_POSITIVE.sqrt());
        integers.extend(channel.iter().map(|value| (value / scale).round() as i8));
        scales.push(scale);
    }
    (integers, scales)
}

/// Adds weights in integers to the graph, and the node that makes floats of them; gives its output. Those of a product are turned
/// round beforehand: `[out, in]` becomes `[in, out]`.
fn integers(
    graph: &mut Graph,
    nodes: &mut Vec<Node>,
    name: &str,
    shape: &[usize],
    kernel: Vec<i8>,
    scales: Vec<f32>,
    turn: bool,
) -> String {
    let (shape, kernel, axis) = match (turn, shape) {
        (true, &[outs, ins]) => {
            let at = |i: usize, o: usize| kernel.get(o * ins + i).copied().unwrap_or_default();
            let turned =
                (0..ins).flat_map(|i| (0..outs).map(move |o| (i, o))).map(|(i, o)| at(i, o)).collect();
            (vec![ins, outs], turned, 1)
        }
        _ => (shape.to_vec(), kernel, 0),
    };
    let raw = kernel.iter().map(|value| value.cast_unsigned()).collect();
    let (scale_name, zero_name, output) =
        (format!("{name}.scale"), format!("{name}.zero"), format!("{name}.float"));
    if graph.initializer.iter().any(|known| known.name.as_deref() == Some(name)) {
        return output;
    }
    let channels = scales.len();
    graph.initializer.push(tensor(Some(name.to_owned()), &shape, data_type::INT8, raw));
    let raw = float::encode(&scales);
    graph.initializer.push(tensor(Some(scale_name.clone()), &[channels], data_type::FLOAT, raw));
    graph.initializer.push(tensor(Some(zero_name.clone()), &[channels], data_type::INT8, vec![0; channels]));
    nodes.push(Node {
        op_type: Some("DequantizeLinear".to_owned()),
        name: Some(output.clone()),
        input: vec![name.to_owned(), scale_name, zero_name],
        output: vec![output.clone()],
        attribute: vec![signed("axis", axis)],
    });
    output
}

/// Takes out the weights, and the nodes that turned them, that nothing reads any more.
fn drop_unused(Folded { graph, weights, .. }: &mut Folded) {
    let read = |graph: &Graph| -> BTreeSet<String> {
        graph.node.iter().flat_map(|node| node.input.iter().cloned()).collect()
    };
    let used = read(graph);
    graph.node.retain(|node| {
        node.op_type.as_deref() != Some("Transpose") || node.output.iter().any(|output| used.contains(output))
    });
    let used = read(graph);
    weights.retain(|name, _| used.contains(name));
}
