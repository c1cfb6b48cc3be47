//! Named arrays: a network's parameters as values.
//!
//! A parameter's dotted path is its key everywhere, so weights are a map and nothing more. Values are float32
//! in memory and in the files written here; half-precision files are widened when they are read.
//!
//! Not here: which parameters a network has (`polyp::model`), and what is computed with them
//! ([`crate::reference`]).

pub(crate) mod file;
pub(crate) mod float;
mod random;

use std::collections::BTreeMap;
use std::path::Path;

use polyp::model::{ModelError, Param};

use crate::error::EngineError;

/// A dense float32 array, row-major.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Array {
    /// Axes' lengths, outermost first.
    pub shape: Vec<usize>,
    /// As many values as the product of `shape`.
    pub values: Vec<f32>,
}

impl Array {
    /// An array of `shape`.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when `values` are not as many as `shape` says.
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Result<Self, ModelError> {
        if float::count(&shape) != Some(values.len()) {
            return Err(ModelError::Shape {
                op: "array".to_owned(),
                expected: format!("as many values as shape {shape:?} has"),
                found: values.len().to_string(),
            });
        }
        Ok(Self { shape, values })
    }

    /// The first value that is not finite, and its place.
    pub(crate) fn not_finite(&self) -> Option<(usize, f32)> {
        self.values.iter().copied().enumerate().find(|(_, value)| !value.is_finite())
    }
}

/// Parameters' values, by dotted path, in the order of their names.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Weights(BTreeMap<String, Array>);

impl Weights {
    /// Reads a safetensors file: float32, float16 or bfloat16. Whole-number tensors (torch's batch counters and
    /// position ids) are not weights and are left out.
    ///
    /// # Errors
    /// [`EngineError::File`] when it can not be read, [`EngineError::Format`] when it is cut or of another
    /// format, [`EngineError::Field`] naming a tensor of another type or with a value that is not finite.
    pub fn read_safetensors(path: &Path) -> Result<Self, EngineError> {
        Ok(Self(file::read(path)?.arrays))
    }

    /// The same of a file's bytes; `path` is for messages.
    ///
    /// # Errors
    /// As [`Self::read_safetensors`], but for reading.
    pub fn from_safetensors(path: &Path, bytes: &[u8]) -> Result<Self, EngineError> {
        Ok(Self(file::from_bytes(path, bytes)?.arrays))
    }

    /// Writes a safetensors file: float32, names sorted, the same bytes for the same weights. A file that was
    /// there is replaced only when the new one is complete.
    ///
    /// # Errors
    /// [`EngineError::File`] when it can not be written.
    pub fn write_safetensors(&self, path: &Path) -> Result<(), EngineError> {
        file::replace(path, &self.to_bytes())
    }

    /// The bytes that [`Self::write_safetensors`] writes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        file::to_bytes(self.iter(), &[])
    }

    /// The sha256 of the file that [`Self::write_safetensors`] writes, in hexadecimal.
    pub fn sha256(&self) -> String {
        file::sha256_hex(&self.to_bytes())
    }

    /// First values for every parameter, as its [`polyp::model::Init`] says. The same seed gives the same
    /// values; a parameter's depend on the seed and its path alone, not on its neighbours.
    pub fn random(params: &[&Param], seed: u64) -> Self {
        params.iter().map(|param| (param.path.clone(), random::first_values(param, seed))).collect()
    }

    /// The values of a parameter.
    ///
    /// # Errors
    /// [`ModelError::Missing`] when there are none, [`ModelError::Shape`] when they are of another shape; both
    /// name the parameter.
    pub fn get(&self, param: &Param) -> Result<&Array, ModelError> {
        let array = self
            .0
            .get(&param.path)
            .ok_or_else(|| ModelError::Missing { path: param.path.clone(), expected: param.shape.clone() })?;
        if array.shape != param.shape || array.values.len() != param.len() {
            return Err(ModelError::Shape {
                op: format!("parameter {}", param.path),
                expected: format!("{:?}", param.shape),
                found: format!("{:?}", array.shape),
            });
        }
        Ok(array)
    }

    /// The array called `name`.
    pub fn named(&self, name: &str) -> Option<&Array> {
        self.0.get(name)
    }

    /// Only the weights of `params`: how a checkpoint is split into the frame's and the prompt's part.
    ///
    /// # Errors
    /// As [`Self::get`], for the first parameter that is missing or of another shape.
    pub fn only(&self, params: &[&Param]) -> Result<Self, ModelError> {
        params.iter().map(|param| Ok((param.path.clone(), self.get(param)?.clone()))).collect()
    }

    /// Names that none of `params` has.
    pub fn extra(&self, params: &[&Param]) -> Vec<&str> {
        let known: std::collections::BTreeSet<&str> = params.iter().map(|p| p.path.as_str()).collect();
        self.0.keys().map(String::as_str).filter(|name| !known.contains(name)).collect()
    }

    /// Adds or replaces an array; gives back the one that was there.
    pub fn insert(&mut self, name: impl Into<String>, array: Array) -> Option<Array> {
        self.0.insert(name.into(), array)
    }

    /// Names and arrays, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Array)> + Clone {
        self.0.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// The number of arrays.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Array)> for Weights {
    fn from_iter<I: IntoIterator<Item = (String, Array)>>(arrays: I) -> Self {
        Self(arrays.into_iter().collect())
    }
}

impl From<BTreeMap<String, Array>> for Weights {
    fn from(arrays: BTreeMap<String, Array>) -> Self {
        Self(arrays)
    }
}

impl IntoIterator for Weights {
    type Item = (String, Array);
    type IntoIter = std::collections::btree_map::IntoIter<String, Array>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use polyp::model::Init;

    use super::*;

    fn params() -> Vec<Param> {
        vec![
            Param::new("b.weight", &[2, 3], Init::Normal(1.0)),
            Param::new("a.bias", &[2], Init::Uniform(0.5)),
            Param::buffer("c.mean", &[4], 0.25),
        ]
    }

    #[test]
    fn a_round_trip_keeps_names_shapes_and_values() {
        let params = params();
        let weights = Weights::random(&params.iter().collect::<Vec<_>>(), 3);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        weights.write_safetensors(&path).unwrap();
        assert_eq!(Weights::read_safetensors(&path).unwrap(), weights);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(file::sha256_hex(&bytes), weights.sha256());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn missing_and_wrongly_shaped_parameters_are_named() {
        let params = params();
        let mut weights = Weights::random(&params.iter().collect::<Vec<_>>(), 3);
        weights.insert("a.bias", Array::new(vec![3], vec![0.0; 3]).unwrap());
        let error = weights.get(&params[1]).unwrap_err().to_string();
        assert_eq!(error, "parameter a.bias: expected [2], found [3]");
        let error = weights.get(&Param::new("d", &[1], Init::Constant(0.0))).unwrap_err().to_string();
        assert_eq!(error, "parameter d: expected a tensor of shape [1], found none");
        weights.insert("e", Array::default());
        assert_eq!(weights.extra(&params.iter().collect::<Vec<_>>()), ["e"]);
    }

    #[test]
    fn an_array_has_as_many_values_as_its_shape() {
        let error = Array::new(vec![2, 2], vec![0.0; 3]).unwrap_err().to_string();
        assert_eq!(error, "array: expected as many values as shape [2, 2] has, found 3");
        assert!(Array::new(vec![usize::MAX, 2], vec![]).is_err());
    }
}
