//! A finished file opened to be written anew for other numbers: its weights apart, its norms folded into the convolutions before
//! them, in float32.

use std::collections::BTreeMap;
use std::path::Path;

use super::proto::{Graph, Model, Node};
use super::read::{array, decode};
use crate::error::EngineError;
use crate::weights::Array;

/// What is wrong: the field, what was expected, what was found.
pub(super) type Refusal = (String, String, String);

/// The same, of the file at `path`.
pub(super) fn refused(path: &Path, (field, expected, found): Refusal) -> EngineError {
    EngineError::Field { path: path.to_owned(), field, expected, found }
}

/// A file's parts.
pub(super) struct Folded {
    /// The file without its graph.
    pub(super) model: Model,
    /// The graph; of its initializers only those that are no floats.
    pub(super) graph: Graph,
    /// The other initializers, by their names.
    pub(super) weights: BTreeMap<String, Array>,
}

impl Folded {
    /// Opens the ONNX file `bytes`; `from` is its path, for messages.
    ///
    /// # Errors
    /// [`EngineError::Format`] or [`EngineError::Field`] when it is not an ONNX file as [`super::export`] writes it.
    pub(super) fn open(from: &Path, bytes: &[u8]) -> Result<Self, EngineError> {
        let (model, mut graph) = decode(from, bytes)?;
        let mut weights = BTreeMap::new();
        let mut others = Vec::new();
        for tensor in std::mem::take(&mut graph.initializer) {
            let name = tensor.name.clone().unwrap_or_default();
            let read = array(tensor.clone());
            match read.map_err(|(expected, found)| refused(from, (name.clone(), expected, found)))? {
                Some(array) => drop(weights.insert(name, array)),
                None => others.push(tensor),
            }
        }
        graph.initializer = others;
        fold_norms(&mut graph.node, &mut weights).map_err(|refusal| refused(from, refusal))?;
        Ok(Self { model, graph, weights })
    }
}

/// Folds every norm into the convolution that alone feeds it.
fn fold_norms(nodes: &mut Vec<Node>, weights: &mut BTreeMap<String, Array>) -> Result<(), Refusal> {
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
