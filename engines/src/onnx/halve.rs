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

use super::fold::{Folded, Refusal, refused};
use super::graph::{int, tensor};
use super::proto::{Attribute, Graph, Node, Tensor, ValueInfo, data_type};
use super::read::array;
use crate::error::EngineError;
use crate::weights::Array;

/// The half-precision twin of the ONNX file `bytes`; `from` is its path, for messages.
///
/// # Errors
/// [`EngineError::Format`] or [`EngineError::Field`] when it is not an ONNX file
/// as [`super::export`] writes it, or a weight is too large for a half, naming it.
pub fn halve(from: &Path, bytes: &[u8]) -> Result<Vec<u8>, EngineError> {
    let Folded { mut model, graph, weights } = Folded::open(from, bytes)?;
    model.graph = Some(halved(graph, &weights).map_err(|refusal| refused(from, refusal))?);
    Ok(model.encode_to_vec())
}

fn halved(mut graph: Graph, weights: &BTreeMap<String, Array>) -> Result<Graph, Refusal> {
    for (name, array) in weights {
        graph.initializer.push(half_tensor(Some(name.clone()), &array.shape, &array.values)?);
    }
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
    Ok(tensor(name, shape, data_type::FLOAT16, raw))
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
