//! A parameter: where it is called what, its shape and how it starts. Never its values.

/// How a parameter's values start when a network is trained from nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All the same number.
    Constant(f32),
    /// Uniform in `[-bound, bound]`.
    Uniform(f32),
    /// Normal, mean 0, this standard deviation.
    Normal(f32),
    /// Kaiming uniform with `a = sqrt(5)`, as libtorch does for linear and convolution weights:
    /// uniform in `[-1/sqrt(fan_in), 1/sqrt(fan_in)]`, `fan_in` being all axes but the first.
    KaimingUniform,
    /// As [`Self::KaimingUniform`], for each of the `factor * factor` sub-pixels the same kernel, so that a
    /// pixel shuffle after it starts without a checkerboard (ICNR).
    Icnr {
        /// The pixel shuffle's factor.
        factor: usize,
    },
    /// `ln(1), ln(2), ..` along the last axis: the state matrix of a selective scan.
    LogRange,
    /// Inverse softplus of a step drawn log-uniformly from `[1e-3, 1e-1]`, at least 1e-4.
    StepBias,
}

/// Who changes a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The optimiser.
    Trainable,
    /// Nobody but the layer itself (running statistics).
    Buffer,
}

/// A parameter's description.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Dotted path: tch variable, safetensors key and ONNX initializer.
    pub path: String,
    /// Shape, outermost axis first.
    pub shape: Vec<usize>,
    /// First values.
    pub init: Init,
    /// Who changes it.
    pub role: Role,
}

impl Param {
    /// A trainable parameter.
    pub fn new(path: impl Into<String>, shape: &[usize], init: Init) -> Self {
        Self { path: path.into(), shape: shape.to_vec(), init, role: Role::Trainable }
    }

    /// A running statistic.
    pub fn buffer(path: impl Into<String>, shape: &[usize], value: f32) -> Self {
        Self { path: path.into(), shape: shape.to_vec(), init: Init::Constant(value), role: Role::Buffer }
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no values at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
