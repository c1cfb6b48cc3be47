//! The parameters' values as tch tensors, by dotted path.
//!
//! Not here: how they change ([`crate::fit`]), how they start (`polyp_engine::weights`).

use std::collections::BTreeMap;
use std::path::Path;

use polyp::model::{ModelError, Network, Param, Role};
use polyp_engine::weights::{Array, Weights};
use tch::{Device, Kind, Tensor};

use crate::error::TrainingError;

/// Every parameter and buffer of a network, on one device.
#[derive(Debug)]
pub struct Variables {
    tensors: BTreeMap<String, Tensor>,
    trainable: Vec<String>,
}

impl Variables {
    /// The parameters of `network` with the values in `weights`; trainable ones take gradients, but for those
    /// whose path starts with one of `frozen`.
    ///
    /// # Errors
    /// When a value is missing or of the wrong shape, naming it.
    pub fn new(
        network: &Network,
        weights: &Weights,
        frozen: &[String],
        device: Device,
    ) -> Result<Self, TrainingError> {
        Self::of(&network.params(), weights, frozen, device)
    }

    /// The same for `params`, which may be a block's.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of(
        params: &[&Param],
        weights: &Weights,
        frozen: &[String],
        device: Device,
    ) -> Result<Self, TrainingError> {
        let (mut tensors, mut trainable) = (BTreeMap::new(), Vec::new());
        for param in params {
            let array = weights.get(param)?;
            let shape: Vec<i64> = array.shape.iter().map(|&n| n as i64).collect();
            let tensor = Tensor::f_from_slice(&array.values)?.f_reshape(shape)?.f_to_device(device)?;
            let learns =
                param.role == Role::Trainable && !frozen.iter().any(|start| param.path.starts_with(start));
            if learns {
                trainable.push(param.path.clone());
            }
            tensors.insert(param.path.clone(), tensor.set_requires_grad(learns));
        }
        Ok(Self { tensors, trainable })
    }

    /// The tensor of a parameter.
    ///
    /// # Errors
    /// [`ModelError::Missing`] when there is none.
    pub fn get(&self, param: &Param) -> Result<&Tensor, ModelError> {
        self.tensors
            .get(&param.path)
            .ok_or_else(|| ModelError::Missing { path: param.path.clone(), expected: param.shape.clone() })
    }

    /// Paths and tensors that the optimiser changes, in the network's order.
    pub fn trainable(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.trainable.iter().filter_map(|path| Some((path.as_str(), self.tensors.get(path)?)))
    }

    /// All paths and tensors, sorted by path.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(path, tensor)| (path.as_str(), tensor))
    }

    /// A copy that shares nothing and takes no gradients.
    pub fn detached(&self) -> Self {
        let copy = |tensor: &Tensor| tensor.detach().copy();
        Self {
            tensors: self.tensors.iter().map(|(path, tensor)| (path.clone(), copy(tensor))).collect(),
            trainable: self.trainable.clone(),
        }
    }

    /// The values, on the CPU in float32.
    ///
    /// # Errors
    /// When libtorch refuses a copy.
    pub fn weights(&self) -> Result<Weights, TrainingError> {
        let mut weights = Weights::default();
        for (path, tensor) in &self.tensors {
            let flat = tensor.detach().f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_flatten(0, -1)?;
            let shape = tensor.size().into_iter().map(|n| usize::try_from(n).unwrap_or(0)).collect();
            weights.insert(path.clone(), Array { shape, values: Vec::<f32>::try_from(&flat)? });
        }
        Ok(weights)
    }

    /// Overwrites the values with those of a safetensors file.
    ///
    /// # Errors
    /// When the file can not be read or lacks a parameter.
    pub fn load(&self, path: &Path, network: &Network) -> Result<(), TrainingError> {
        let weights = Weights::read_safetensors(path)?;
        let read = Self::new(network, &weights, &[], Device::Cpu)?;
        tch::no_grad(|| {
            for (name, tensor) in &self.tensors {
                if let Some(value) = read.tensors.get(name) {
                    tensor.shallow_clone().f_copy_(value)?;
                }
            }
            Ok(())
        })
    }
}
