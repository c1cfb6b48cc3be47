//! The weights of an ONNX file: so that the reference can run the very file that a backend runs.

use std::path::Path;

use prost::Message;

use super::proto::{Attribute, Graph, Model, Tensor, data_type};
use crate::error::EngineError;
use crate::weights::float::{self, Float};
use crate::weights::{Array, Weights};

/// Reads the floating-point initializers of an ONNX file: the network's parameters and its fixed tables.
///
/// # Errors
/// [`EngineError::File`] when it can not be read, [`EngineError::Format`] when it is cut or is no ONNX file,
/// [`EngineError::Field`] naming an initializer whose values are elsewhere, of another type, too few, too many
/// or not finite.
pub fn read_weights(path: &Path) -> Result<Weights, EngineError> {
    weights(path, &std::fs::read(path).map_err(EngineError::file("read", path))?)
}

/// The file, and its graph taken out of it.
///
/// # Errors
/// [`EngineError::Format`] when it is cut or is no ONNX file.
pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<(Model, Graph), EngineError> {
    let expected = "a complete ONNX file";
    let mut model =
        Model::decode(bytes).map_err(|error| EngineError::format(path, expected, error.to_string()))?;
    match model.graph.take() {
        Some(graph) if model.ir_version.is_some() => Ok((model, graph)),
        _ => Err(EngineError::format(path, expected, "no graph in it")),
    }
}

/// The same of a file's bytes; `path` is for messages.
pub(crate) fn weights(path: &Path, bytes: &[u8]) -> Result<Weights, EngineError> {
    let (_, graph) = decode(path, bytes)?;
    let mut weights = Weights::default();
    for tensor in graph.initializer {
        let name = tensor.name.clone().unwrap_or_default();
        let array = array(tensor).map_err(|(expected, found)| EngineError::Field {
            path: path.to_owned(),
            field: name.clone(),
            expected,
            found,
        })?;
        if let Some(array) = array
            && weights.insert(name.clone(), array).is_some()
        {
            return Err(EngineError::format(path, "every initializer once", format!("{name} twice")));
        }
    }
    Ok(weights)
}

/// Refuses a file that leads a library to other files, or to where they could be named: values outside of the file, graphs inside of
/// nodes, functions.
///
/// # Errors
/// [`EngineError::Format`] when it is no ONNX file, [`EngineError::Field`] naming the tensor or node.
pub(crate) fn check_self_contained(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    let refuse = |field: &Option<String>, expected: &str, found: &str| {
        Err(EngineError::Field {
            path: path.to_owned(),
            field: field.clone().unwrap_or_default(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        })
    };
    let (model, graph) = decode(path, bytes)?;
    if !model.functions.is_empty() {
        return refuse(&Some("functions".to_owned()), "none", &model.functions.len().to_string());
    }
    let attributes =
        || graph.node.iter().flat_map(|node| node.attribute.iter().map(move |attribute| (node, attribute)));
    let constants = attributes().filter_map(|(_, attribute)| attribute.t.as_ref());
    if let Some(tensor) = graph.initializer.iter().chain(constants).find(|tensor| is_elsewhere(tensor)) {
        return refuse(&tensor.name, INSIDE, ELSEWHERE);
    }
    if !graph.sparse_initializer.is_empty() {
        return refuse(
            &Some("sparse_initializer".to_owned()),
            "none",
            &graph.sparse_initializer.len().to_string(),
        );
    }
    let has_more = |attribute: &Attribute| {
        let Attribute { g, tensors, graphs, sparse_tensor, sparse_tensors, .. } = attribute;
        g.is_some()
            || sparse_tensor.is_some()
            || ![tensors, graphs, sparse_tensors].into_iter().all(Vec::is_empty)
    };
    match attributes().find(|(_, attribute)| has_more(attribute)) {
        Some((node, _)) => {
            refuse(&node.name, "numbers, words and one tensor at most", "a graph or several tensors")
        }
        None => Ok(()),
    }
}

const INSIDE: &str = "values inside the file";
const ELSEWHERE: &str = "a reference to another file";

/// Whether the tensor's values are in another file.
fn is_elsewhere(tensor: &Tensor) -> bool {
    tensor.data_location.unwrap_or(0) != 0 || !tensor.external_data.is_empty()
}

/// The tensor's values, none when they are whole numbers; else what was expected and what was found.
pub(super) fn array(tensor: Tensor) -> Result<Option<Array>, (String, String)> {
    if is_elsewhere(&tensor) {
        return Err((INSIDE.to_owned(), ELSEWHERE.to_owned()));
    }
    let float = match tensor.data_type {
        Some(data_type::FLOAT) => Float::F32,
        Some(data_type::FLOAT16) => Float::F16,
        Some(data_type::BFLOAT16) => Float::Bf16,
        Some(data_type::INT64) => return Ok(None),
        other => {
            let found = other.map_or_else(|| "none".to_owned(), |number| number.to_string());
            return Err(("data type 1, 10 or 16 (float32, float16, bfloat16)".to_owned(), found));
        }
    };
    let shape = tensor.dims.iter().map(|&length| usize::try_from(length)).collect::<Result<Vec<_>, _>>();
    let shape = shape
        .map_err(|_negative| ("lengths of at least 0".to_owned(), format!("shape {:?}", tensor.dims)))?;
    let values = match tensor.raw_data {
        Some(raw) => float
            .decode(&raw)
            .ok_or_else(|| ("a whole number of values".to_owned(), format!("{} bytes", raw.len())))?,
        None => tensor.float_data,
    };
    if float::count(&shape) != Some(values.len()) {
        return Err((format!("the values of shape {shape:?}"), format!("{} values", values.len())));
    }
    let array = Array { shape, values };
    match array.not_finite() {
        Some((index, value)) => Err(("finite values".to_owned(), format!("{value} at {index}"))),
        None => Ok(Some(array)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::graph as writer;
    use super::super::proto::Node;
    use super::*;

    fn file() -> Vec<u8> {
        let mut graph = writer::Graph::default();
        graph.input("x", &[1, 2], true);
        graph.initializer("a", &Array { shape: vec![2], values: vec![1.0, -2.0] });
        graph.initializer("b", &Array { shape: vec![], values: vec![0.5] });
        let one = graph.whole_numbers(&[1]);
        let sum = graph.node("Add", &["x", "a"], Vec::new());
        let last = graph.node("Slice", &[&sum, &one], Vec::new());
        graph.output("y", &last, &[1, 2]);
        graph.into_model("small").encode_to_vec()
    }

    #[test]
    fn initializers_come_back() {
        let weights = weights(Path::new("x"), &file()).unwrap();
        let names: Vec<_> = weights.iter().map(|(name, array)| (name, array.values.as_slice())).collect();
        assert_eq!(names, [("a", &[1.0, -2.0][..]), ("b", &[0.5][..])]);
    }

    #[test]
    fn a_cut_or_changed_file_is_refused_or_read_but_never_a_panic() {
        let bytes = file();
        for length in 0..bytes.len() {
            if let Ok(weights) = weights(Path::new("x"), &bytes[..length]) {
                // Only a cut between two top-level fields leaves a file that says all it has to.
                assert_eq!(weights.len(), 2, "cut at {length}");
            }
        }
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                drop(weights(Path::new("x"), &changed));
            }
        }
    }

    #[test]
    fn a_file_that_leads_elsewhere_is_refused() {
        let check = |change: &dyn Fn(&mut Model)| {
            let mut model = Model::decode(file().as_slice()).unwrap();
            change(&mut model);
            check_self_contained(Path::new("m.onnx"), &model.encode_to_vec())
                .map_err(|error| error.to_string())
        };
        fn graph(model: &mut Model) -> &mut Graph {
            model.graph.as_mut().unwrap()
        }
        let node = |attribute: Attribute| Node {
            name: Some("n".to_owned()),
            attribute: vec![attribute],
            ..Node::default()
        };
        let outside = Tensor { name: Some("t".to_owned()), data_location: Some(1), ..Tensor::default() };
        assert_eq!(check(&|_| {}), Ok(()));
        let elsewhere = "expected values inside the file, found a reference to another file";
        assert_eq!(
            check(&|model| graph(model).initializer[0].external_data.push(vec![])),
            Err(format!("m.onnx, field a: {elsewhere}"))
        );
        let constant = Attribute { t: Some(outside.clone()), ..Attribute::default() };
        assert_eq!(
            check(&|model| graph(model).node.push(node(constant.clone()))),
            Err(format!("m.onnx, field t: {elsewhere}"))
        );
        for more in [
            Attribute { g: Some(vec![]), ..Attribute::default() },
            Attribute { graphs: vec![vec![]], ..Attribute::default() },
            Attribute { tensors: vec![vec![]], ..Attribute::default() },
            Attribute { sparse_tensor: Some(vec![]), ..Attribute::default() },
            Attribute { sparse_tensors: vec![vec![]], ..Attribute::default() },
        ] {
            let refused = check(&|model| graph(model).node.push(node(more.clone()))).unwrap_err();
            assert!(
                refused.starts_with("m.onnx, field n: expected numbers, words and one tensor"),
                "{refused}"
            );
        }
        assert!(
            check(&|model| graph(model).sparse_initializer.push(vec![]))
                .unwrap_err()
                .contains("sparse_initializer")
        );
        assert!(check(&|model| model.functions.push(vec![])).unwrap_err().contains("field functions"));
    }

    #[test]
    fn bad_initializers_are_named() {
        let refusal = |change: &dyn Fn(&mut Tensor)| {
            let mut model = Model::decode(file().as_slice()).unwrap();
            change(&mut model.graph.as_mut().unwrap().initializer[0]);
            weights(Path::new("m.onnx"), &model.encode_to_vec()).unwrap_err().to_string()
        };
        assert_eq!(
            refusal(&|tensor| tensor.raw_data = Some(f32::NAN.to_le_bytes().repeat(2))),
            "m.onnx, field a: expected finite values, found NaN at 0"
        );
        assert_eq!(
            refusal(&|tensor| tensor.dims = vec![3]),
            "m.onnx, field a: expected the values of shape [3], found 2 values"
        );
        assert_eq!(
            refusal(&|tensor| tensor.data_location = Some(1)),
            "m.onnx, field a: expected values inside the file, found a reference to another file"
        );
        assert_eq!(
            refusal(&|tensor| tensor.data_type = Some(11)),
            "m.onnx, field a: expected data type 1, 10 or 16 (float32, float16, bfloat16), found 11"
        );
        assert_eq!(
            weights(Path::new("m.onnx"), &[]).unwrap_err().to_string(),
            "m.onnx: expected a complete ONNX file, found no graph in it"
        );
    }
}
