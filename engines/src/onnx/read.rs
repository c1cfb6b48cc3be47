//! The weights of an ONNX file: so that the reference can run the very file that a backend runs.

use std::path::Path;

use prost::Message;

use super::proto::{Graph, Model, Tensor, data_type};
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
    from_bytes(path, &std::fs::read(path).map_err(EngineError::file("read", path))?)
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

fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Weights, EngineError> {
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

/// The tensor's values, none when they are whole numbers; else what was expected and what was found.
pub(super) fn array(tensor: Tensor) -> Result<Option<Array>, (String, String)> {
    if tensor.data_location.unwrap_or(0) != 0 {
        return Err(("values inside the file".to_owned(), "a reference to another file".to_owned()));
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
    use super::super::graph;
    use super::*;

    fn file() -> Vec<u8> {
        let mut graph = graph::Graph::default();
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
        let weights = from_bytes(Path::new("x"), &file()).unwrap();
        let names: Vec<_> = weights.iter().map(|(name, array)| (name, array.values.as_slice())).collect();
        assert_eq!(names, [("a", &[1.0, -2.0][..]), ("b", &[0.5][..])]);
    }

    #[test]
    fn a_cut_or_changed_file_is_refused_or_read_but_never_a_panic() {
        let bytes = file();
        for length in 0..bytes.len() {
            if let Ok(weights) = from_bytes(Path::new("x"), &bytes[..length]) {
                // Only a cut between two top-level fields leaves a file that says all it has to.
                assert_eq!(weights.len(), 2, "cut at {length}");
            }
        }
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                drop(from_bytes(Path::new("x"), &changed));
            }
        }
    }

    #[test]
    fn bad_initializers_are_named() {
        let refusal = |change: &dyn Fn(&mut Tensor)| {
            let mut model = Model::decode(file().as_slice()).unwrap();
            change(&mut model.graph.as_mut().unwrap().initializer[0]);
            from_bytes(Path::new("m.onnx"), &model.encode_to_vec()).unwrap_err().to_string()
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
            from_bytes(Path::new("m.onnx"), &[]).unwrap_err().to_string(),
            "m.onnx: expected a complete ONNX file, found no graph in it"
        );
    }
}
