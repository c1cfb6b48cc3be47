//! A graph in half precision, for cards: written from the float32 file, so that there is one network to trust.
//!
//! Inputs and outputs stay float32 and are converted inside, so that a halved file is used as the other is. Norms
//! are folded into the convolutions before them, in float32: their variances span more than a half holds. What is left
//! of sums in the graph (softmax, layer norms' statistics) is summed in float32 by every library that runs it.
//!
//! TensorRT 11 and TensorRT for RTX take precision from the file alone, so this is how they are asked for float16.

use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use prost::Message;

use super::graph::int;
use super::proto::{Attribute, Graph, Node, Tensor, ValueInfo, data_type};
use super::read::{array, decode};
use crate::error::EngineError;
use crate::weights::Array;

/// The half-precision twin of the ONNX file `bytes`; `from` is its path, for messages.
///
/// # Errors
/// [`EngineError::Format`] or [`EngineError::Field`] when it is not an ONNX file
/// as [`super::export`] writes it, or a weight is too large for a half, naming it.
pub fn halve(from: &Path, bytes: &[u8]) -> Result<Vec<u8>, EngineError> {
    let (mut model, graph) = decode(from, bytes)?;
    let field = |(field, expected, found): Refusal| EngineError::Field {
        path: from.to_owned(),
        field,
        expected,
        found,
    };
    model.graph = Some(halved(graph).map_err(field)?);
    Ok(model.encode_to_vec())
}

/// What is wrong: the field, what was expected, what was found.
pub(super) type Refusal = (String, String, String);

fn halved(mut graph: Graph) -> Result<Graph, Refusal> {
    let mut weights = BTreeMap::new();
    let mut others = Vec::new();
    for tensor in std::mem::take(&mut graph.initializer) {
        let name = tensor.name.clone().unwrap_or_default();
        match array(tensor.clone()).map_err(|(expected, found)| (name.clone(), expected, found))? {
            Some(array) => drop(weights.insert(name, array)),
            None => others.push(tensor),
        }
    }
    fold_norms(&mut graph.node, &mut weights)?;
    for (name, array) in &weights {
        others.push(half_tensor(Some(name.clone()), &array.shape, &array.values)?);
    }
    graph.initializer = others;
    for node in &mut graph.node {
        for attribute in &mut node.attribute {
            if let Some(tensor) = attribute.t.take() {
                attribute.t = Some(halved_constant(node.name.as_deref().unwrap_or_default(), tensor)?);
            }
        }
    }
    convert_ends(&mut graph);
    Ok(graph)
}

/// Folds every norm into the convolution that alone feeds it.
pub(super) fn fold_norms(
    nodes: &mut Vec<Node>,
    weights: &mut BTreeMap<String, Array>,
) -> Result<(), Refusal> {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for name in nodes.iter().flat_map(|node| &node.input) {
        *uses.entry(name.clone()).or_default() += 1;
    }
    let mut kept: Vec<Node> = Vec::with_capacity(nodes.len());
    for node in std::mem::take(nodes) {
        let is = |node: &Node, op: &str| node.op_type.as_deref() == Some(op);
        let fed = kept.iter_mut().rev().find(|before| before.output.first() == node.input.first());
        match fed {
            Some(conv)
                if is(&node, "BatchNormalization")
                    && is(conv, "Conv")
                    && conv.output.iter().all(|name| uses.get(name) == Some(&1)) =>
            {
                fold(conv, &node, weights)?;
            }
            _ => kept.push(node),
        }
    }
    *nodes = kept;
    let used: Vec<&String> = nodes.iter().flat_map(|node| &node.input).collect();
    weights.retain(|name, _| used.contains(&name));
    Ok(())
}

/// `gamma (conv(x) + b - mean) / sqrt(variance + epsilon) + beta`, as one convolution with a bias.
fn fold(conv: &mut Node, norm: &Node, weights: &mut BTreeMap<String, Array>) -> Result<(), Refusal> {
    let name = |node: &Node, index: usize| node.input.get(index).cloned().unwrap_or_default();
    let read = |node: &Node, index: usize, weights: &BTreeMap<String, Array>| {
        let name = name(node, index);
        let found = weights.get(&name).cloned();
        found.ok_or_else(|| (name, "an initializer".to_owned(), "none of that name".to_owned()))
    };
    let [gamma, beta, mean, variance] = [1, 2, 3, 4].map(|index| read(norm, index, weights));
    let (gamma, beta, mean, variance) = (gamma?, beta?, mean?, variance?);
    let epsilon = norm.attribute.iter().find(|attribute| attribute.name.as_deref() == Some("epsilon"));
    let epsilon = epsilon.and_then(|attribute| attribute.f).unwrap_or(1e-5);
    let scales: Vec<f32> = gamma
        .values
        .iter()
        .zip(&variance.values)
        .map(|(gamma, variance)| gamma / (variance + epsilon).sqrt())
        .collect();
    let bias = if conv.input.len() > 2 { read(conv, 2, weights)?.values } else { vec![0.0; scales.len()] };
    let mut kernel = read(conv, 1, weights)?;
    let channels = kernel.shape.first().copied().unwrap_or(0);
    if channels == 0
        || [scales.len(), beta.values.len(), mean.values.len(), bias.len()].iter().any(|n| *n != channels)
    {
        return Err((
            name(norm, 1),
            format!("{channels} values, one for each channel"),
            scales.len().to_string(),
        ));
    }
    let each = kernel.values.len() / channels;
    for (filter, scale) in kernel.values.chunks_exact_mut(each.max(1)).zip(&scales) {
        filter.iter_mut().for_each(|value| *value *= scale);
    }
    let terms = bias.iter().zip(&mean.values).zip(scales.iter().zip(&beta.values));
    let shifts = terms.map(|((bias, mean), (scale, beta))| (bias - mean) * scale + beta).collect();
    weights.insert(name(conv, 1), kernel);
    weights.insert(name(norm, 2), Array { shape: vec![channels], values: shifts });
    conv.input.truncate(2);
    conv.input.push(name(norm, 2));
    conv.output.clone_from(&norm.output);
    Ok(())
}

fn half_tensor(name: Option<String>, shape: &[usize], values: &[f32]) -> Result<Tensor, Refusal> {
    let mut raw = Vec::with_capacity(2 * values.len());
    for value in values {
        let half = f16::from_f32(*value);
        if !half.is_finite() {
            let name = name.unwrap_or_else(|| "(constant)".to_owned());
            return Err((name, "values that a half holds, up to 65504".to_owned(), value.to_string()));
        }
        raw.extend_from_slice(&half.to_le_bytes());
    }
    Ok(Tensor {
        name,
        dims: shape.iter().map(|&length| length as i64).collect(),
        data_type: Some(data_type::FLOAT16),
        raw_data: Some(raw),
        ..Tensor::default()
    })
}

/// A constant of a node; whole numbers stay as they are.
fn halved_constant(node: &str, tensor: Tensor) -> Result<Tensor, Refusal> {
    let name = tensor.name.clone();
    match array(tensor.clone()).map_err(|(expected, found)| (node.to_owned(), expected, found))? {
        Some(array) => half_tensor(name, &array.shape, &array.values),
        None => Ok(tensor),
    }
}

/// Puts a conversion behind every input, and makes the last operation before every output one.
fn convert_ends(graph: &mut Graph) {
    let cast = |from: &str, to: &str, kind: i32| Node {
        op_type: Some("Cast".to_owned()),
        name: Some(format!("{to}.Cast")),
        input: vec![from.to_owned()],
        output: vec![to.to_owned()],
        attribute: vec![Attribute { i: Some(kind.into()), ..int("to", 0) }],
    };
    let names = |values: &[ValueInfo]| -> Vec<String> {
        values.iter().filter_map(|value| value.name.clone()).collect()
    };
    let (inputs, outputs) = (names(&graph.input), names(&graph.output));
    for node in &mut graph.node {
        for input in node.input.iter_mut().filter(|input| inputs.contains(*input)) {
            input.push_str(".half");
        }
        for output in node.output.iter_mut().filter(|output| outputs.contains(*output)) {
            output.push_str(".half");
        }
    }
    let first = inputs.iter().map(|name| cast(name, &format!("{name}.half"), data_type::FLOAT16));
    let last = outputs.iter().map(|name| cast(&format!("{name}.half"), name, data_type::FLOAT));
    graph.node = first.chain(std::mem::take(&mut graph.node)).chain(last).collect();
}
